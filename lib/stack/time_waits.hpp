// TimeWaits: the TIME-WAIT records of both IP versions behind one index, bounded together. It asks
// the flow table nothing: whoever calls it is told the hashes under which records are filed. One
// stack's own.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/flow_key.hpp"
#include "table/time_wait_queue.hpp"
#include "tcp/time_wait.hpp"

namespace handfast::stack {

class TimeWaits {
 public:
  explicit TimeWaits(const base::HashSecret& flow_secret) : secret_(flow_secret) {}

  // Room for `capacity` records of either version. False when the system refuses. Once only.
  [[nodiscard]] bool reserve(std::uint32_t capacity) {
    capacity_ = capacity;
    return v4_.reserve(capacity) && v6_.reserve(capacity);
  }

  // The memory of `count` records of one version.
  [[nodiscard]] bool populate(bool is_v6, std::uint32_t count) {
    return is_v6 ? v6_.populate(count) : v4_.populate(count);
  }

  // As the queue's own; the index is below kRecordIndexEnd.
  std::optional<std::uint32_t> push(const base::FlowKey& key, const tcp::TimeWait& state,
                                    std::uint32_t deadline_ms) {
    if (size() >= capacity_) return std::nullopt;
    if (key.remote.is_v4()) {
      return v4_.push(record_of<table::TimeWaitRecord>(key.local.v4_value(), key.remote.v4_value(),
                                                       key, state, deadline_ms));
    }
    const auto place = v6_.push(
        record_of<table::TimeWaitRecordV6>(key.local, key.remote, key, state, deadline_ms));
    return place ? std::optional{*place | kV6} : std::nullopt;
  }
  void erase(std::uint32_t index) { is_v6(index) ? v6_.erase(index & ~kV6) : v4_.erase(index); }
  void restart(std::uint32_t index, std::uint32_t deadline_ms) {
    is_v6(index) ? v6_.restart(index & ~kV6, deadline_ms) : v4_.restart(index, deadline_ms);
  }
  // Makes room for a record of this version: gone(index, hash). False when none is held.
  template <class Gone>
  bool drop_oldest(bool for_v6, Gone&& gone) {
    const bool from_v6 = for_v6 ? v6_.size() != 0 : v4_.size() == 0;
    return from_v6 ? v6_.drop_oldest([&](std::uint32_t index, const auto& record) {
      gone(index | kV6, hash_of(record));
    })
                   : v4_.drop_oldest([&](std::uint32_t index, const auto& record) {
                       gone(index, hash_of(record));
                     });
  }

  bool matches(std::uint32_t index, const base::FlowKey& key) const {
    if (is_v6(index)) {
      const table::TimeWaitRecordV6& record = v6_.at(index & ~kV6);
      return has_ports(record, key) && record.remote == key.remote && record.local == key.local;
    }
    const table::TimeWaitRecord& record = v4_.at(index);
    return has_ports(record, key) && key.remote.is_v4() && record.remote == key.remote.v4_value() &&
           record.local == key.local.v4_value();
  }
  tcp::TimeWait state(std::uint32_t index) const {
    return is_v6(index) ? state_of(v6_.at(index & ~kV6)) : state_of(v4_.at(index));
  }
  void prefetch(std::uint32_t index) const {
    is_v6(index) ? v6_.prefetch(index & ~kV6) : v4_.prefetch(index);
  }

  // gone(index, hash) and moved(from, to, hash), as the queues' own; `budget` is for each.
  template <class Gone, class Moved>
  std::size_t expire(std::uint32_t now_ms, Gone&& gone, Moved&& moved, std::size_t budget) {
    return expire(v4_, 0, now_ms, gone, moved, budget) +
           expire(v6_, kV6, now_ms, gone, moved, budget);
  }
  // visit(hash) for those among the next `n` places of each queue.
  template <class F>
  void prefetch_expiring(std::size_t n, F&& visit) const {
    const auto visit_record = [&](const auto& record) { visit(hash_of(record)); };
    v4_.prefetch_expiring(n, visit_record);
    v6_.prefetch_expiring(n, visit_record);
  }
  // Milliseconds until expire() gets further; nothing when no record is held.
  std::optional<std::uint32_t> ms_to_next(std::uint32_t now_ms) const {
    const auto v4 = ms_from(now_ms, v4_.next_deadline_ms());
    const auto v6 = ms_from(now_ms, v6_.next_deadline_ms());
    return v4 && v6 ? std::min(v4, v6) : (v4 ? v4 : v6);
  }
  std::uint32_t size() const { return v4_.size() + v6_.size(); }

 private:
  // Set in the index of an IPv6 record.
  static constexpr std::uint32_t kV6 = table::TimeWaitQueue::kIndexEnd;
  static bool is_v6(std::uint32_t index) { return (index & kV6) != 0; }

  template <class Record, class Ip>
  static Record record_of(const Ip& local, const Ip& remote, const base::FlowKey& key,
                          const tcp::TimeWait& state, std::uint32_t deadline_ms) {
    Record record{.local = local,
                  .remote = remote,
                  .local_port = key.local_port,
                  .remote_port = key.remote_port,
                  .snd_nxt = state.snd_nxt.raw(),
                  .rcv_nxt = state.rcv_nxt.raw(),
                  .ts_recent = state.ts_recent};
    record.set_deadline_ms(deadline_ms);
    record.set_has_timestamps(state.timestamps);
    return record;
  }
  static tcp::TimeWait state_of(const auto& record) {
    return {.snd_nxt = base::Seq{record.snd_nxt},
            .rcv_nxt = base::Seq{record.rcv_nxt},
            .ts_recent = record.ts_recent,
            .timestamps = record.has_timestamps()};
  }
  static bool has_ports(const auto& record, const base::FlowKey& key) {
    return record.remote_port == key.remote_port && record.local_port == key.local_port;
  }
  std::uint64_t hash_of(const table::TimeWaitRecord& record) const {
    return base::hash_flow(Address::v4(record.local), Address::v4(record.remote), record.local_port,
                           record.remote_port, secret_);
  }
  std::uint64_t hash_of(const table::TimeWaitRecordV6& record) const {
    return base::hash_flow(record.local, record.remote, record.local_port, record.remote_port,
                           secret_);
  }
  template <class Queue, class Gone, class Moved>
  std::size_t expire(Queue& queue, std::uint32_t mark, std::uint32_t now_ms, Gone& gone,
                     Moved& moved, std::size_t budget) {
    return queue.expire(
        now_ms,
        [&](std::uint32_t index, const auto& record) { gone(index | mark, hash_of(record)); },
        [&](std::uint32_t from, std::uint32_t to, const auto& record) {
          moved(from | mark, to | mark, hash_of(record));
        },
        budget);
  }
  static std::optional<std::uint32_t> ms_from(std::uint32_t now_ms,
                                              std::optional<std::uint32_t> deadline_ms) {
    constexpr std::uint32_t kTimeMask = table::TimeWaitRecord::kTimeMask;
    if (!deadline_ms) return std::nullopt;
    const std::uint32_t ahead = (*deadline_ms - now_ms) & kTimeMask;
    return ahead > kTimeMask / 2 ? 0 : ahead;  // past
  }

  base::HashSecret secret_;
  std::uint32_t capacity_ = 0;
  table::TimeWaitQueue v4_;
  table::TimeWaitQueueV6 v6_;
};

}  // namespace handfast::stack
