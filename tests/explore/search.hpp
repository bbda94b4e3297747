// Search: visits every state that a setting can reach, breadth first, so that what it finds wrong
// is found on a shortest way. States are counted once each; the counts do not depend on the number
// of threads. With one thread the ways do not either.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "tests/explore/world.hpp"

namespace handfast::explore {

struct Limits {
  std::uint64_t max_states = 50'000'000;
  unsigned threads = 1;
};

// Which of a state's actions were taken, one after the other, from the beginning.
using Way = std::vector<std::uint8_t>;

struct Found {
  Fault fault;
  Way way;
};

struct Outcome {
  Setting setting{};
  std::uint64_t states = 0;
  std::uint64_t transitions = 0;
  std::uint64_t ends = 0;  // states in which nothing more can happen
  std::uint32_t depth = 0;
  bool is_complete = false;      // all there are; not stopped by a fault or by max_states
  bool is_full = false;          // stopped by max_states
  std::uint64_t peak_bytes = 0;  // of states waiting for their turn
  double seconds = 0;
  std::vector<Found> found;  // one of each kind

  const Found* find(Fault fault) const {
    for (const Found& f : found) {
      if (f.fault == fault) return &f;
    }
    return nullptr;
  }
};

// Stops behind the step that has shown all of `wanted`, or any fault if none is wanted. The error
// is one sentence.
std::expected<Outcome, std::string> search(const Setting& setting, const Limits& limits,
                                           FaultSet wanted);

}  // namespace handfast::explore
