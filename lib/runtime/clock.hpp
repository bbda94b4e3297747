// TscClock: the processor's time-stamp counter as an Instant. All workers of a runtime share one,
// so that their times compare. EAL is up before it is made. A reading costs some 10 ns: once a
// turn.
#pragma once

#include <rte_cycles.h>

#include <cstdint>

#include "handfast/time.hpp"

namespace handfast::runtime {

__extension__ using Wide = unsigned __int128;

class TscClock {
 public:
  TscClock() : origin_(rte_rdtsc()), ns_per_tick_(scale(rte_get_tsc_hz())) {}

  Instant now() const {
    const auto ns = static_cast<Wide>(rte_rdtsc() - origin_) * ns_per_tick_ >> kShift;
    return Instant::from_ns(static_cast<std::int64_t>(ns)) + kStart;
  }

 private:
  static constexpr unsigned kShift = 32;
  // So that "a little before now" is never negative.
  static constexpr Duration kStart = std::chrono::seconds(1);

  static std::uint64_t scale(std::uint64_t hz) {
    return static_cast<std::uint64_t>((static_cast<Wide>(1'000'000'000) << kShift) / hz);
  }

  std::uint64_t origin_;
  std::uint64_t ns_per_tick_;  // fixed point, kShift bits behind it
};

}  // namespace handfast::runtime
