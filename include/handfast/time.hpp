// Time as Handfast sees it. `Instant` has no now(): only a runtime (or a simulator) knows the
// time, and hands it to everything else as an argument.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <limits>

namespace handfast {

using Duration = std::chrono::nanoseconds;

// A point on one worker's monotonic clock, in nanoseconds from an origin of the runtime's choice.
class Instant {
 public:
  constexpr Instant() = default;
  static constexpr Instant from_ns(std::int64_t ns) { return Instant{ns}; }
  static constexpr Instant never() { return Instant{std::numeric_limits<std::int64_t>::max()}; }

  constexpr std::int64_t ns() const { return ns_; }
  constexpr bool is_never() const { return ns_ == never().ns_; }

  constexpr Instant operator+(Duration d) const { return Instant{ns_ + d.count()}; }
  constexpr Instant operator-(Duration d) const { return Instant{ns_ - d.count()}; }
  constexpr Duration operator-(Instant other) const { return Duration{ns_ - other.ns_}; }
  constexpr auto operator<=>(const Instant&) const = default;

 private:
  constexpr explicit Instant(std::int64_t ns) : ns_(ns) {}
  std::int64_t ns_ = 0;
};

}  // namespace handfast
