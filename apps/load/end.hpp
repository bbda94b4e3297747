// End: what the client's and the server's applications have in common: they keep books that the
// main thread reads, on the worker's own thread, through Runtime::run_on().
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "apps/load/histogram.hpp"
#include "apps/load/tally.hpp"
#include "apps/stream/transfer.hpp"
#include "handfast/runtime.hpp"

namespace handfast::load {

// Where a client worker is in its work; servers stay in `opening`. Hold and stream use `keeping`.
enum class Phase : std::uint8_t { opening, keeping, closing, finished };

class End : public Application {
 public:
  const Tally& tally() const { return tally_; }
  const Histogram& handshake() const { return handshake_; }
  // Of downloads, and of the streams that have a length; those without end are only counted.
  virtual std::vector<apps::TransferRecord> transfers() const { return {}; }
  // From any thread.
  Phase phase() const { return phase_.load(std::memory_order_relaxed); }

 protected:
  void enter(Phase phase) { phase_.store(phase, std::memory_order_relaxed); }

  Tally tally_;
  Histogram handshake_;  // ns from the time an opening was meant for to ESTABLISHED

 private:
  std::atomic<Phase> phase_{Phase::opening};
};

}  // namespace handfast::load
