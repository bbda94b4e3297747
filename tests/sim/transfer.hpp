// Transfer: the simulator's workload. A client opens many connections to a server over a link that
// loses, duplicates and reorders; both send, both close; every byte and every event is checked.
// Used by sim_transfer and by the tests. One seed and one configuration make one run, to the
// last frame.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "handfast/counters.hpp"
#include "handfast/time.hpp"

namespace handfast::sim {

struct TransferConfig {
  std::uint64_t seed = 1;
  std::uint32_t connections = 1000;
  std::uint32_t concurrency = 1000;  // open at a time
  std::uint32_t bytes = 10'000;      // each way, 1 to kBytesMax
  // Probabilities of one frame, in each direction.
  double loss = 0;
  double reorder = 0;
  double duplicate = 0;
  double corrupt = 0;
  // Buffer sizes drawn from the seed, and handlers that take their data late and in parts.
  bool vary = true;

  static constexpr std::uint32_t kBytesMax = 1 << 20;
};

struct TransferReport {
  // What went wrong, one sentence each, at most kFailuresMax; empty: all is well.
  std::vector<std::string> failures;
  std::uint64_t failure_count = 0;
  Counters client;
  Counters server;
  Duration virtual_time{0};
  std::uint64_t frames = 0;
  // Of all frames in order, with their time: equal runs have equal digests.
  std::uint64_t digest = 0;

  static constexpr std::size_t kFailuresMax = 20;
};

// `tap`, when given, sees every frame that a host sends, and when.
TransferReport run_transfer(const TransferConfig& config,
                            const std::function<void(Instant, base::Bytes)>& tap = {});

}  // namespace handfast::sim
