// How long the wire sleeps when no frame moves. Plain arithmetic; run.cpp does the sleeping.
#pragma once

#include <algorithm>

#include "runtime/idle_sleep.hpp"

namespace handfast::emulator {

// Ends of the link often share the machine's few CPUs with the wire. A shorter nap would cost more
// than it saves, and frames that are a little late leave in one burst, with one system call.
inline constexpr Duration kNapMin = std::chrono::microseconds(20);
inline constexpr Duration kNapMax = std::chrono::microseconds(50);
// Far beyond any round trip: a network on which nothing has moved for so long is idle.
inline constexpr Duration kQuiet = std::chrono::milliseconds(100);

// From `now` on, when a frame last moved at `moved` and the next one is due at `due`.
inline Duration time_to_nap(Instant now, Instant moved, Instant due) {
  const Duration longest = now - moved > kQuiet ? runtime::IdleSleep::kLongest : kNapMax;
  return std::max(std::min(due, now + longest) - now, kNapMin);
}

}  // namespace handfast::emulator
