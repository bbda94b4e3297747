#include "drivers/impair/impaired_path.hpp"

#include <cstring>

#include "base/assert.hpp"
#include "drivers/impair/congestion_mark.hpp"

namespace handfast::drivers {

std::uint64_t direction_seed(std::uint64_t seed, int direction) {
  for (int i = 0; i < direction; ++i) base::split_mix(seed);
  return base::split_mix(seed);
}

void ImpairedPath::Lane::push(const Held& held) {
  HANDFAST_DEBUG_ASSERT(count < slots.size());
  std::size_t at = head + count;
  if (at >= slots.size()) at -= slots.size();
  slots[at] = held;
  ++count;
}

base::Packet ImpairedPath::Lane::pop() {
  const base::Packet packet = slots[head].packet;
  if (++head == slots.size()) head = 0;
  --count;
  return packet;
}

ImpairedPath::ImpairedPath(const Impairment& impairment, std::uint64_t seed, std::size_t held_max,
                           base::PacketPool& pool)
    : impairment_(impairment),
      random_(seed),
      held_max_(std::max<std::size_t>(held_max, 2)),
      pool_(pool),
      bottleneck_(impairment, held_max_),
      on_time_(held_max_),
      late_(held_max_) {}

ImpairedPath::~ImpairedPath() {
  for (Lane* const lane : {&on_time_, &late_}) {
    while (lane->count > 0) {
      const base::Packet packet = lane->pop();
      pool_.free({&packet, 1});
    }
  }
}

void ImpairedPath::admit(Instant now, base::Packet frame) {
  ++counters_.frames;
  counters_.bytes += frame.length;
  if (is_lost()) {
    ++counters_.dropped;
    pool_.free({&frame, 1});
    return;
  }
  if (!make_own(frame)) return;
  Duration delay = impairment_.delay;
  if (impairment_.jitter.count() > 0) {
    const auto bound = static_cast<std::uint64_t>(impairment_.jitter.count()) + 1;
    delay += Duration{static_cast<std::int64_t>(random_.below(bound))};
  }
  base::Packet second;
  bool is_twice = random_.chance(impairment_.duplicate);
  if (is_twice) {
    is_twice = copy(frame, second);
    ++(is_twice ? counters_.duplicated : counters_.duplicates_failed);
  }
  carry(now, delay, frame);
  if (is_twice) carry(now, delay, second);
}

// What is off draws no number, so that a seed goes on meaning the same when a new kind of weather
// is invented.
bool ImpairedPath::is_lost() {
  bool is_lost = random_.chance(impairment_.drop);
  const GilbertElliott& bursts = impairment_.bursts;
  if (bursts.is_on()) {
    is_lost |= random_.chance(is_bad_ ? bursts.loss_bad : bursts.loss_good);
    is_bad_ = is_bad_ ? !random_.chance(bursts.r) : random_.chance(bursts.p);
  }
  return is_lost;
}

bool ImpairedPath::make_own(base::Packet& frame) {
  if (!pool_.is_shared(frame)) return true;
  base::Packet own;
  const bool is_copied = copy(frame, own);
  if (!is_copied) ++counters_.dropped_pool;
  pool_.free({&frame, 1});
  frame = own;
  return is_copied;
}

bool ImpairedPath::copy(const base::Packet& frame, base::Packet& out) {
  base::Packet fresh;
  if (frame.length > pool_.data_room() || pool_.allocate({&fresh, 1}) == 0) return false;
  std::memcpy(fresh.data, frame.data, frame.length);
  out = frame;
  out.data = fresh.data;
  out.buffer = fresh.buffer;
  return true;
}

void ImpairedPath::carry(Instant now, Duration delay, base::Packet frame) {
  if (random_.chance(impairment_.corrupt)) corrupt(frame);
  const Bottleneck::Passage passage = bottleneck_.admit(now, frame.length);
  if (passage.is_dropped) {
    ++counters_.dropped_queue;
    pool_.free({&frame, 1});
    return;
  }
  counters_.queue_peak = bottleneck_.peak();
  if (passage.is_congested && mark_congestion(frame)) ++counters_.ce_marked;
  last_due_ = std::max(last_due_, passage.departure + delay);
  if (random_.chance(impairment_.reorder)) {
    ++counters_.reordered;
    late_.push({last_due_ + impairment_.reorder_delay, frame});
  } else {
    on_time_.push({last_due_, frame});
  }
}

void ImpairedPath::corrupt(base::Packet& frame) {
  if (frame.length == 0) return;
  ++counters_.corrupted;
  const std::uint64_t bit = random_.below(std::uint64_t{frame.length} * 8);
  frame.data[bit / 8] ^= std::byte{1} << (bit % 8);
  // The device verified what had arrived; now only software can tell.
  constexpr unsigned kVerified =
      base::kIpChecksumGood | base::kL4ChecksumGood | base::kIpChecksumBad | base::kL4ChecksumBad;
  frame.flags = static_cast<std::uint8_t>(frame.flags & ~kVerified);
}

std::size_t ImpairedPath::release(Instant now, std::span<base::Packet> out) {
  std::size_t count = 0;
  while (count < out.size() && next_release() <= now) {
    // When due together, the late one was sent first.
    Lane& lane = late_.first_due() <= on_time_.first_due() ? late_ : on_time_;
    out[count++] = lane.pop();
  }
  counters_.released += count;
  return count;
}

}  // namespace handfast::drivers
