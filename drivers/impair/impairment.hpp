// Impairment: what one direction of a link does to the frames on it, and what it counted. Plain
// values, filled in by whoever owns the link: a simulator, a test, handfast-wire.
#pragma once

#include <cstdint>

#include "handfast/time.hpp"

namespace handfast::drivers {

// Loss in bursts (Gilbert 1960, Elliott 1963): a line that is good or bad, and may change with
// every frame. Off as long as it can never become bad.
//
//            p: becomes bad
//      good ----------------> bad        in the long run p / (p + r) of the frames meet a bad line,
//   loss_good <------------ loss_bad     and a bad time lasts 1 / r frames on average
//            r: recovers
struct GilbertElliott {
  double p = 0;
  double r = 1;
  double loss_good = 0;  // 1 - k in Elliott's letters
  double loss_bad = 1;   // 1 - h

  bool is_on() const { return p > 0; }
};

// How full a queue is, or may become, in both measures; a bound of 0 is none.
struct QueueLevel {
  std::uint64_t bytes = 0;
  std::uint64_t frames = 0;
};

// Probabilities are of one frame, 0 to 1.
struct Impairment {
  double drop = 0;
  double duplicate = 0;  // a copy follows right behind
  double reorder = 0;    // comes `reorder_delay` late, so that later frames overtake
  double corrupt = 0;    // one bit, anywhere in the frame, is flipped
  Duration delay{0};
  Duration jitter{0};  // added to `delay`, uniform in [0, jitter]; never changes the order
  Duration reorder_delay = std::chrono::milliseconds(1);
  GilbertElliott bursts{};  // on top of `drop`
  // A line of this rate with a queue before it; 0: no limit, and nothing below has an effect. What
  // counts is the frame as it is held here: no preamble, no frame check sequence.
  std::uint64_t bits_per_second = 0;
  // A frame that would bring the queue above this is dropped (drop-tail).
  QueueLevel queue_max{};
  // A frame that meets a queue longer than this gets Congestion Experienced when its sender can
  // hear it (RFC 3168: ECT); any other passes unmarked.
  QueueLevel ce_threshold{};
};

struct ImpairCounters {
  std::uint64_t frames = 0;  // that came in
  std::uint64_t bytes = 0;
  std::uint64_t dropped = 0;        // at random, in bursts or alone
  std::uint64_t dropped_queue = 0;  // the queue was full
  std::uint64_t dropped_pool = 0;   // shared with its sender, and no packet for a copy
  std::uint64_t duplicated = 0;
  std::uint64_t duplicates_failed = 0;  // chosen, but the pool was dry
  std::uint64_t reordered = 0;
  std::uint64_t corrupted = 0;
  std::uint64_t ce_marked = 0;
  std::uint64_t released = 0;  // that came out
  QueueLevel queue_peak{};
};

}  // namespace handfast::drivers
