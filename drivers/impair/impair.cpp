#include "drivers/impair/impair.hpp"

#include <algorithm>
#include <cstring>

#include "base/assert.hpp"

namespace handfast::drivers {
namespace {

// The two directions draw from different sequences of one seed.
std::uint64_t derive_seed(std::uint64_t seed, int direction) {
  for (int i = 0; i < direction; ++i) base::split_mix(seed);
  return base::split_mix(seed);
}

}  // namespace

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
  if (random_.chance(impairment_.drop)) {
    ++counters_.dropped;
    pool_.free({&frame, 1});
    return;
  }
  Duration delay = impairment_.delay;
  if (impairment_.jitter.count() > 0) {
    const auto bound = static_cast<std::uint64_t>(impairment_.jitter.count()) + 1;
    delay += Duration{static_cast<std::int64_t>(random_.below(bound))};
  }
  last_due_ = std::max(last_due_, now + delay);
  base::Packet second;
  const bool is_twice = random_.chance(impairment_.duplicate) && copy(frame, second);
  hold(last_due_, frame);
  if (is_twice) hold(last_due_, second);
}

bool ImpairedPath::copy(const base::Packet& frame, base::Packet& out) {
  base::Packet fresh;
  if (frame.length > pool_.data_room() || pool_.allocate({&fresh, 1}) == 0) {
    ++counters_.duplicates_failed;
    return false;
  }
  ++counters_.duplicated;
  std::memcpy(fresh.data, frame.data, frame.length);
  out = frame;
  out.data = fresh.data;
  out.buffer = fresh.buffer;
  return true;
}

void ImpairedPath::hold(Instant due, base::Packet frame) {
  if (random_.chance(impairment_.corrupt)) corrupt(frame);
  if (random_.chance(impairment_.reorder)) {
    ++counters_.reordered;
    late_.push({due + impairment_.reorder_delay, frame});
  } else {
    on_time_.push({due, frame});
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
  return count;
}

Instant ImpairedPath::next_release() const {
  return std::min(on_time_.first_due(), late_.first_due());
}

ImpairDevice::ImpairDevice(base::Device& inner, const ImpairConfig& config)
    : inner_(inner),
      info_(inner.info()),
      outgoing_(config.send, derive_seed(config.seed, 0), config.held_max, inner.pool()),
      incoming_(config.receive, derive_seed(config.seed, 1), config.held_max, inner.pool()) {
  info_.offload_ip_checksum = false;
  info_.offload_tcp_checksum = false;
}

ImpairDevice::~ImpairDevice() {
  inner_.pool().free(std::span{refused_}.first(refused_count_));
}

std::size_t ImpairDevice::receive(Instant now, std::span<base::Packet> out) {
  pass_on(now);
  std::array<base::Packet, kBurst> arrived;
  const std::size_t wanted = std::min(kBurst, incoming_.room());
  const std::size_t count = inner_.receive(now, std::span{arrived}.first(wanted));
  for (const base::Packet& packet : std::span{arrived}.first(count)) incoming_.admit(now, packet);
  return incoming_.release(now, out);
}

std::size_t ImpairDevice::send(Instant now, std::span<const base::Packet> frames) {
  std::size_t taken = 0;
  while (taken < frames.size()) {
    const std::size_t chunk = std::min({kBurst, outgoing_.room(), frames.size() - taken});
    if (chunk == 0) break;
    for (const base::Packet& packet : frames.subspan(taken, chunk)) outgoing_.admit(now, packet);
    taken += chunk;
    pass_on(now);
  }
  return taken;
}

void ImpairDevice::pass_on(Instant now) {
  for (;;) {
    const std::span<base::Packet> free_slots = std::span{refused_}.subspan(refused_count_);
    refused_count_ += outgoing_.release(now, free_slots);
    if (refused_count_ == 0) return;
    const std::size_t taken = inner_.send(now, std::span{refused_}.first(refused_count_));
    refused_count_ -= taken;
    std::copy_n(refused_.begin() + static_cast<std::ptrdiff_t>(taken), refused_count_,
                refused_.begin());
    if (refused_count_ > 0) return;
  }
}

Instant ImpairDevice::next_arrival() const {
  Instant earliest = incoming_.next_release();
  // What cannot move now gives no time: a refused frame waits for the inner device's own event.
  if (refused_count_ == 0) earliest = std::min(earliest, outgoing_.next_release());
  if (incoming_.room() > 0) earliest = std::min(earliest, inner_.next_arrival());
  return earliest;
}

}  // namespace handfast::drivers
