// End: what the client's and the server's applications have in common: they keep books that the
// main thread reads, on the worker's own thread, through Runtime::run_on().
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "apps/load/histogram.hpp"
#include "apps/load/tally.hpp"
#include "apps/stream/payload.hpp"
#include "apps/stream/transfer.hpp"
#include "handfast/runtime.hpp"

namespace handfast::load {

// Where a client worker is in its work; servers stay in `opening`. Hold, stream and exchange use
// `keeping`; exchange and --held open what they need in `preparing`, and --held closes it in
// `parting`.
enum class Phase : std::uint8_t { preparing, opening, keeping, closing, parting, finished };

// The time of the measured work alone. Zero where it is all that a run does.
struct Window {
  Instant begin;
  Instant end;
};

class End : public Application {
 public:
  // All of it; and the connections of --held alone.
  Tally tally() const {
    Tally all = tally_;
    all += held_tally_;
    return all;
  }
  const Tally& held_tally() const { return held_tally_; }
  const Histogram& handshake() const { return handshake_; }
  const Histogram& round_trip() const { return round_trip_; }
  const Window& window() const { return window_; }
  // Of downloads, and of the streams that have a length; those without end are only counted.
  virtual std::vector<apps::TransferRecord> transfers() const { return {}; }
  // From any thread.
  Phase phase() const { return phase_.load(std::memory_order_relaxed); }

 protected:
  void enter(Phase phase) { phase_.store(phase, std::memory_order_relaxed); }

  // Sends the payload's bytes from `from` to `to`, as many as the send buffer takes, and returns
  // where it stopped; on_writable goes on from there.
  std::uint64_t give(Connection connection, std::uint64_t from, std::uint64_t to) {
    while (from < to) {
      const Bytes piece = payload_.at(from, to - from);
      const std::size_t accepted = connection.send(piece).value_or(0);
      from += accepted;
      tally_.bytes_sent += accepted;
      if (accepted < piece.size()) break;
    }
    return from;
  }

  // Fills `out` with the payload's first bytes.
  void copy_payload(std::span<std::byte> out) const {
    for (std::size_t at = 0; at < out.size();) {
      const Bytes piece = payload_.at(at, out.size() - at);
      std::copy(piece.begin(), piece.end(), out.begin() + static_cast<std::ptrdiff_t>(at));
      at += piece.size();
    }
  }

  Tally tally_;
  Tally held_tally_;
  Histogram handshake_;   // ns from the time an opening was meant for to ESTABLISHED
  Histogram round_trip_;  // ns from a request to its whole answer
  Window window_;

 private:
  const apps::Payload payload_;
  std::atomic<Phase> phase_{Phase::opening};
};

}  // namespace handfast::load
