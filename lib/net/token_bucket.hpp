// TokenBucket: how often something may be done: `per_second` on average, `burst` at once. It has
// no clock; whoever asks says what time it is.
#pragma once

#include <algorithm>
#include <cstdint>

#include "handfast/time.hpp"

namespace handfast::net {

class TokenBucket {
 public:
  // Both above 0. Full at first.
  constexpr TokenBucket(std::uint32_t per_second, std::uint32_t burst)
      : interval_ns_(1'000'000'000 / per_second), burst_(burst), tokens_(burst) {}

  // Takes one token if there is one.
  constexpr bool take(Instant now) {
    refill(now);
    if (tokens_ == 0) return false;
    --tokens_;
    return true;
  }

 private:
  constexpr void refill(Instant now) {
    const std::int64_t earned = (now - refilled_).count() / interval_ns_;
    if (earned <= 0) return;
    // The remainder of an interval is kept, so that asking often earns no less than asking rarely.
    refilled_ = refilled_ + Duration{earned * interval_ns_};
    tokens_ = std::min<std::int64_t>(burst_, tokens_ + earned);
  }

  std::int64_t interval_ns_;
  std::int64_t burst_;
  std::int64_t tokens_;
  Instant refilled_;
};

}  // namespace handfast::net
