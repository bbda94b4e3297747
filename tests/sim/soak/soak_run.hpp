// One soak run: a Plan carried out on a World, every frame and record of it checked on the way, and
// its Books judged at the end. One seed makes one run, to the last frame.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "handfast/time.hpp"
#include "tests/sim/soak/plan.hpp"

namespace handfast::sim {

struct SoakReport {
  std::uint64_t seed = 0;
  // The invariants that did not hold, one sentence each, not all when there are many.
  std::vector<std::string> failures;
  std::uint64_t failure_count = 0;
  std::uint64_t frames = 0;
  std::uint64_t digest = 0;  // of every frame and event
  Duration virtual_time{0};
  // What kind of run it was: how often connections ended, by CloseReason.
  std::array<std::uint32_t, 8> ends{};
};

struct SoakWatchers {
  std::function<void(Instant, const std::string&)> trace;  // a line for each event
  std::function<void(Instant, base::Bytes)> tap;           // each frame on the wire
};

SoakReport run_soak(const Plan& plan, const SoakWatchers& watchers = {});

}  // namespace handfast::sim
