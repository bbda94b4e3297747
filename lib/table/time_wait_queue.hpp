// TimeWaitQueue: the records of connections in TIME-WAIT, in the order in which their 2MSL ends;
// one queue for each IP version, so that an IPv4 record pays for no IPv6 address. It parses no
// segment and decides nothing about reuse: the stack finds a record through the flow table, answers
// for it, restarts or erases it, and calls expire() once a poll.
//
// All of them wait equally long, so the order of expiry is the order of arrival: a FIFO, no timer
// and no links. It is cut into chunks of 65,536 records; a chunk in which nobody lives is freed
// wherever it stands, and the chunk freed last is filled next, so memory follows the number held.
//
//   head chunk                                            tail chunk
//   [ gone | dead, live, live ... ] -> [ ... ] -> ... -> [ live, live | not yet used ]
//
// An erased record is dead: its place stays taken until its turn comes or its whole chunk is dead.
// Places: twice the capacity. The places taken are what was pushed within the last 2MSL, live or
// not, and a capacity that suits the rate of closing (rate * 2MSL) already covers that. A peer that
// repeats its FIN for ever to restart 2MSL takes none: restart() only writes the new deadline, and
// a record that comes to its turn too early then moves to the tail (at most 2MSL late from there).
//
// Memory: 28 bytes an IPv4 record, and 6.7 in a flow table that is full (64 bytes for 9.6 entries),
// are 34.7 bytes: within the 40 that a TIME-WAIT may cost as long as the table is at least 56 %
// used up. An IPv6 record has 52.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/assert.hpp"
#include "base/mapped_array.hpp"
#include "handfast/address.hpp"

namespace handfast::table {

// `Ip` is an IPv4 address in host byte order or an Address. Milliseconds wrap after 6 days and are
// compared modulo 2^29.
template <class Ip>
struct BasicTimeWaitRecord {
  Ip local{};
  Ip remote{};
  std::uint16_t local_port = 0;
  std::uint16_t remote_port = 0;
  std::uint32_t snd_nxt = 0;
  std::uint32_t rcv_nxt = 0;
  std::uint32_t ts_recent = 0;
  std::uint32_t deadline_and_flags = 0;  // through the functions below

  static constexpr std::uint32_t kTimeMask = (1U << 29) - 1;

  std::uint32_t deadline_ms() const { return deadline_and_flags & kTimeMask; }
  void set_deadline_ms(std::uint32_t ms) {
    deadline_and_flags = (deadline_and_flags & ~kTimeMask) | (ms & kTimeMask);
  }
  bool has_timestamps() const { return (deadline_and_flags & kHasTimestamps) != 0; }
  void set_has_timestamps(bool on) { set(kHasTimestamps, on); }
  // Set by the queue as long as it holds the record.
  bool is_live() const { return (deadline_and_flags & kLive) != 0; }
  // True when `now` is at or past the deadline; the two must lie within 3 days.
  bool is_over(std::uint32_t now_ms) const {
    return ((now_ms - deadline_ms()) & kTimeMask) <= kTimeMask / 2;
  }

  static constexpr std::uint32_t kLive = 1U << 29;
  static constexpr std::uint32_t kHasTimestamps = 1U << 30;
  static constexpr std::uint32_t kRestarted = 1U << 31;  // the deadline was moved since the push

  void set(std::uint32_t flag, bool on) {
    deadline_and_flags = on ? deadline_and_flags | flag : deadline_and_flags & ~flag;
  }
  bool is_restarted() const { return (deadline_and_flags & kRestarted) != 0; }
};
using TimeWaitRecord = BasicTimeWaitRecord<std::uint32_t>;
using TimeWaitRecordV6 = BasicTimeWaitRecord<Address>;
static_assert(sizeof(TimeWaitRecord) == 28);
static_assert(sizeof(TimeWaitRecordV6) == 52);

template <class Record>
class BasicTimeWaitQueue {
 public:
  static constexpr std::uint32_t kChunkRecords = 65'536;
  // An index is below this: the flow table's references need two bits for the kind of record, and
  // one for the IP version.
  static constexpr std::uint32_t kIndexEnd = 1U << 29;

  // Room for `capacity` live records; address space for twice as many places, memory only as they
  // are used. False when the system refuses or the indices do not suffice. Once only.
  [[nodiscard]] bool reserve(std::uint32_t capacity) {
    const std::uint64_t chunks =
        (std::uint64_t{capacity} * 2 + kChunkRecords - 1) / kChunkRecords + kSpareChunks;
    if (chunks * kChunkRecords > kIndexEnd) return false;
    capacity_ = capacity;
    chunk_count_ = static_cast<std::uint32_t>(chunks);
    return chunks_.reserve(chunk_count_) &&
           records_.reserve(std::size_t{chunk_count_} * kChunkRecords);
  }

  // The memory of the first `count` places, as MappedArray's; they are filled in order.
  [[nodiscard]] bool populate(std::uint32_t count) { return records_.populate(count); }

  // Appends a record, whose deadline must not be before that of the one pushed last. Returns its
  // index, which is good until it is erased, expired or moved. Nothing when `capacity` live ones
  // are held or all places are taken: then drop_oldest(), or let the connection go without
  // TIME-WAIT.
  std::optional<std::uint32_t> push(const Record& record) {
    if (size_ == capacity_) [[unlikely]]
      return std::nullopt;
    const std::uint32_t needed = kSpareForMoves + (tail_has_room() ? 0 : 1);
    if (chunk_count_ - chunks_in_use_ < needed) [[unlikely]]
      return std::nullopt;
    return append(record);
  }

  Record& at(std::uint32_t index) { return records_[index]; }
  const Record& at(std::uint32_t index) const { return records_[index]; }
  void prefetch(std::uint32_t index) const { __builtin_prefetch(&records_[index], 1); }

  // The record ends before its time (RFC 6191 reuse, or a restart by erase and push).
  void erase(std::uint32_t index) {
    HANDFAST_DEBUG_ASSERT(records_[index].is_live());
    records_[index].set(Record::kLive, false);
    --size_;
    const std::uint32_t chunk = index / kChunkRecords;
    if (--chunks_[chunk].live == 0) give_chunk(chunk);
  }
  // RFC 9293 section 3.10.7.4, eighth, TIME-WAIT: a repeated FIN restarts the 2MSL timeout. The
  // record stays where it is until its turn, when expire() moves it.
  void restart(std::uint32_t index, std::uint32_t deadline_ms) {
    HANDFAST_DEBUG_ASSERT(records_[index].is_live());
    records_[index].set_deadline_ms(deadline_ms);
    records_[index].set(Record::kRestarted, true);
  }

  // Calls `gone(index, record)` for each record whose 2MSL is over, after which its index is free,
  // and `moved(from, to, record)` for each restarted one that comes to its turn: the flow table
  // must then refer to `to`. Neither may call back into the queue. Looks at no more than `budget`
  // places and goes on from there in the next call. Returns how many are gone.
  template <class Gone, class Moved>
  std::size_t expire(std::uint32_t now_ms, Gone&& gone, Moved&& moved, std::size_t budget);
  // For owners that never call restart().
  template <class Gone>
  std::size_t expire(std::uint32_t now_ms, Gone&& gone, std::size_t budget) {
    const auto never = [](std::uint32_t, std::uint32_t, const Record&) { HANDFAST_ASSERT(false); };
    return expire(now_ms, gone, never, budget);
  }
  // Cuts short the 2MSL of the record at the head. False when there is none.
  template <class Gone>
  bool drop_oldest(Gone&& gone);

  // When the record at the head has its turn: a lower bound, since it may be dead or restarted, but
  // expire() at that time always gets further. Modulo 2^29.
  std::optional<std::uint32_t> next_deadline_ms() const {
    if (size_ == 0) return std::nullopt;
    const Record& first = records_[head_index()];
    return first.is_restarted() ? last_turn_ms_ : first.deadline_ms();
  }

  // Calls `visit(record)` for the live ones among the next `n` places, so that the caller
  // prefetches the flow-table buckets of those that expire next.
  template <class F>
  void prefetch_expiring(std::size_t n, F&& visit) const {
    if (size_ == 0) return;
    std::uint32_t chunk = head_chunk_;
    std::uint32_t place = head_place_;
    for (; n > 0; --n, ++place) {
      if (chunk == tail_chunk_ && place == tail_place_) return;
      if (place == kChunkRecords) {
        chunk = chunks_[chunk].next;
        place = 0;
      }
      const Record& record = records_[chunk * kChunkRecords + place];
      if (record.is_live()) visit(record);
    }
  }

  std::uint32_t size() const { return size_; }
  std::uint32_t capacity() const { return capacity_; }
  // Chunks that hold records now, and that ever did: the second tells the memory in use.
  std::uint32_t chunks_in_use() const { return chunks_in_use_; }
  std::uint32_t chunks_touched() const { return chunks_touched_; }

 private:
  // The head's chunk and the tail's may both be partly used, and the last free chunk serves moves
  // only. When a move has taken it, only moves fill it, and as many places have their turn at the
  // head meanwhile as it has, which frees another: so a move always finds a place.
  static constexpr std::uint32_t kSpareForMoves = 1;
  static constexpr std::uint32_t kSpareChunks = 2 + kSpareForMoves;
  static constexpr std::uint32_t kNoChunk = 0xffffffff;

  struct Chunk {
    std::uint32_t next;
    std::uint32_t previous;
    std::uint32_t live;
  };

  std::uint32_t head_index() const { return head_chunk_ * kChunkRecords + head_place_; }
  bool tail_has_room() const { return size_ != 0 && tail_place_ < kChunkRecords; }

  // With nobody live no chunk is in use; otherwise the head's chunk has somebody at or behind it.
  void skip_dead_head(std::size_t& budget) {
    while (budget > 0 && !records_[head_index()].is_live()) {
      --budget;
      ++head_place_;
    }
  }
  void remove_head() {
    const std::uint32_t chunk = head_chunk_;
    erase(head_index());
    if (chunks_[chunk].live != 0) ++head_place_;
  }

  std::uint32_t append(const Record& record);
  void take_chunk();
  void give_chunk(std::uint32_t chunk);

  base::MappedArray<Record> records_;
  base::MappedArray<Chunk> chunks_;
  std::uint32_t capacity_ = 0;
  std::uint32_t chunk_count_ = 0;
  std::uint32_t chunks_touched_ = 0;
  std::uint32_t chunks_in_use_ = 0;
  std::uint32_t free_chunk_ = kNoChunk;  // linked by `next`
  std::uint32_t size_ = 0;
  std::uint32_t head_chunk_ = kNoChunk;
  std::uint32_t head_place_ = 0;  // whose turn is next
  std::uint32_t tail_chunk_ = kNoChunk;
  std::uint32_t tail_place_ = 0;    // to be filled next; kChunkRecords: the chunk is full
  std::uint32_t last_turn_ms_ = 0;  // nobody in the queue has a turn before this
};

// Makes the chunk freed last, or one never used, the tail.
template <class Record>
void BasicTimeWaitQueue<Record>::take_chunk() {
  std::uint32_t chunk = free_chunk_;
  if (chunk != kNoChunk) {
    free_chunk_ = chunks_[chunk].next;
  } else {
    chunk = chunks_touched_++;
  }
  HANDFAST_ASSERT(chunk < chunk_count_);
  chunks_[chunk] = {.next = kNoChunk, .previous = tail_chunk_, .live = 0};
  if (tail_chunk_ == kNoChunk) {
    head_chunk_ = chunk;
    head_place_ = 0;
  } else {
    chunks_[tail_chunk_].next = chunk;
  }
  tail_chunk_ = chunk;
  tail_place_ = 0;
  ++chunks_in_use_;
}

template <class Record>
void BasicTimeWaitQueue<Record>::give_chunk(std::uint32_t chunk) {
  const auto [next, previous, live] = chunks_[chunk];
  if (next == kNoChunk) {
    tail_chunk_ = previous;
    tail_place_ = kChunkRecords;  // a chunk has a successor only when it is full
  } else {
    chunks_[next].previous = previous;
  }
  if (previous == kNoChunk) {
    head_chunk_ = next;
    head_place_ = 0;
  } else {
    chunks_[previous].next = next;
  }
  chunks_[chunk].next = free_chunk_;
  free_chunk_ = chunk;
  --chunks_in_use_;
}

template <class Record>
std::uint32_t BasicTimeWaitQueue<Record>::append(const Record& record) {
  if (size_ == 0) last_turn_ms_ = record.deadline_ms();
  if (!tail_has_room()) take_chunk();
  const std::uint32_t index = tail_chunk_ * kChunkRecords + tail_place_++;
  Record& held = records_[index];
  held = record;
  held.set(Record::kLive, true);
  held.set(Record::kRestarted, false);
  ++chunks_[tail_chunk_].live;
  ++size_;
  return index;
}

template <class Record>
template <class Gone, class Moved>
std::size_t BasicTimeWaitQueue<Record>::expire(std::uint32_t now_ms, Gone&& gone, Moved&& moved,
                                               std::size_t budget) {
  std::size_t expired = 0;
  while (size_ != 0) {
    skip_dead_head(budget);
    if (budget == 0) break;
    --budget;
    const std::uint32_t index = head_index();
    const Record record = records_[index];
    if (record.is_over(now_ms)) {
      if (!record.is_restarted()) last_turn_ms_ = record.deadline_ms();
      gone(index, record);
      remove_head();
      ++expired;
    } else if (record.is_restarted()) {
      remove_head();
      const std::uint32_t to = append(record);
      moved(index, to, records_[to]);
    } else {
      break;
    }
  }
  return expired;
}

template <class Record>
template <class Gone>
bool BasicTimeWaitQueue<Record>::drop_oldest(Gone&& gone) {
  if (size_ == 0) return false;
  std::size_t all = kChunkRecords;
  skip_dead_head(all);
  const std::uint32_t index = head_index();
  gone(index, std::as_const(records_)[index]);
  remove_head();
  return true;
}

using TimeWaitQueue = BasicTimeWaitQueue<TimeWaitRecord>;
using TimeWaitQueueV6 = BasicTimeWaitQueue<TimeWaitRecordV6>;

}  // namespace handfast::table
