// What the reports and the plan reckon with: times in seconds, and counts in a second of them.
#pragma once

#include <chrono>
#include <cstdint>

#include "handfast/time.hpp"

namespace handfast::apps {

inline double seconds(Duration time) {
  return std::chrono::duration<double>(time).count();
}

// Of no time at all: 0.
inline double per_second(std::uint64_t count, Duration time) {
  return time.count() <= 0 ? 0 : static_cast<double>(count) / seconds(time);
}

}  // namespace handfast::apps
