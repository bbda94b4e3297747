// Pace: when each connection is meant to be opened, at a set rate. The schedule does not wait for
// the stack: an opening that comes late is measured from the time it was meant for.
#pragma once

#include <cstdint>

#include "handfast/time.hpp"

namespace handfast::load {

class Pace {
 public:
  // `rate` a second; 0 means always due.
  explicit Pace(double rate) : interval_ns_(rate > 0 ? 1e9 / rate : 0) {}

  void start(Instant now) { start_ = now; }
  bool is_due(Instant now) const { return interval_ns_ == 0 || intended(now) <= now; }
  // When the next one is, or was, meant to be opened; `now` without a rate.
  Instant intended(Instant now) const {
    if (interval_ns_ == 0) return now;
    return start_ + Duration(static_cast<std::int64_t>(interval_ns_ * static_cast<double>(count_)));
  }
  // The same, for who waits; never without a rate.
  Instant next() const { return interval_ns_ == 0 ? Instant::never() : intended({}); }
  void advance() { ++count_; }

 private:
  double interval_ns_;
  std::uint64_t count_ = 0;
  Instant start_;
};

}  // namespace handfast::load
