// Direction: carries frames from one port to another through an ImpairedPath. It knows no
// protocol; what it cannot hold or send it counts. Both directions of a link are driven by one
// thread, turn after turn.
#pragma once

#include <array>
#include <cstdint>

#include "base/device.hpp"
#include "drivers/impair/impaired_path.hpp"

namespace handfast::emulator {

struct DirectionCounters {
  drivers::ImpairCounters weather;
  std::uint64_t missed = 0;        // by the port they came to: it had no room
  std::uint64_t dropped_full = 0;  // more frames on their way than `held_max`
  std::uint64_t forwarded = 0;     // taken by the port they go to
  std::uint64_t held = 0;          // on their way still
};

class Direction {
 public:
  // Both ports are borrowed and outlive this.
  Direction(base::Device& from, base::Device& to, const drivers::Impairment& weather,
            std::uint64_t seed, std::size_t held_max)
      : from_(from), to_(to), path_(weather, seed, held_max, from.pool()) {}
  Direction(const Direction&) = delete;
  Direction& operator=(const Direction&) = delete;
  ~Direction() { from_.pool().free(std::span{refused_}.first(refused_count_)); }

  // Takes what has arrived, up to a burst, and sends on all that is due. Whether any frame moved.
  bool turn(Instant now);
  // When the next frame is due; one that its port had no room for is not: it is tried every turn.
  Instant next_release() const { return path_.next_release(); }
  DirectionCounters counters() const;

 private:
  static constexpr std::size_t kBurst = 64;
  std::size_t take(Instant now);
  std::size_t pass_on(Instant now);

  base::Device& from_;
  base::Device& to_;
  drivers::ImpairedPath path_;
  std::array<base::Packet, kBurst> refused_{};  // due, but the port had no room
  std::size_t refused_count_ = 0;
  std::uint64_t dropped_full_ = 0;
  std::uint64_t forwarded_ = 0;
};

}  // namespace handfast::emulator
