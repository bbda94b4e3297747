#include "drivers/impair/impair.hpp"

#include <algorithm>

namespace handfast::drivers {

ImpairDevice::ImpairDevice(base::Device& inner, const ImpairConfig& config)
    : inner_(inner),
      info_{.mac = inner.info().mac, .mtu = inner.info().mtu},
      outgoing_(config.send, direction_seed(config.seed, 0), config.held_max, inner.pool()),
      incoming_(config.receive, direction_seed(config.seed, 1), config.held_max, inner.pool()) {}

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
