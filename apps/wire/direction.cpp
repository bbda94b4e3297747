#include "apps/wire/direction.hpp"

#include <algorithm>

namespace handfast::emulator {

bool Direction::turn(Instant now) {
  const std::size_t taken = take(now);
  return taken + pass_on(now) > 0;
}

// A port is always emptied: frames left in its queues would be lost there, uncounted.
std::size_t Direction::take(Instant now) {
  std::array<base::Packet, kBurst> arrived;
  const std::size_t count = from_.receive(now, arrived);
  for (const base::Packet& packet : std::span{arrived}.first(count)) {
    if (path_.room() > 0) {
      path_.admit(now, packet);
    } else {
      from_.pool().free({&packet, 1});
      ++dropped_full_;
    }
  }
  return count;
}

std::size_t Direction::pass_on(Instant now) {
  std::size_t passed = 0;
  for (;;) {
    refused_count_ += path_.release(now, std::span{refused_}.subspan(refused_count_));
    if (refused_count_ == 0) break;
    const std::size_t sent = to_.send(now, std::span{refused_}.first(refused_count_));
    passed += sent;
    refused_count_ -= sent;
    std::copy_n(refused_.begin() + static_cast<std::ptrdiff_t>(sent), refused_count_,
                refused_.begin());
    if (refused_count_ > 0) break;
  }
  forwarded_ += passed;
  return passed;
}

DirectionCounters Direction::counters() const {
  Counters port;
  from_.add_counters(port);
  return {.weather = path_.counters(),
          .missed = port.port_missed + port.port_too_long,
          .dropped_full = dropped_full_,
          .forwarded = forwarded_,
          .held = path_.held() + refused_count_};
}

}  // namespace handfast::emulator
