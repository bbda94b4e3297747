// Bottleneck: a line of limited rate and the queue before it, as arithmetic: it says when each
// frame's last bit has left, or that the queue has no room. Frames themselves stay with the caller,
// an ImpairedPath. Without a rate everything leaves at once.
//
//   arrives -> [ queue, the frame on the line included ] -> departs: one length / rate after the
//              dropped above queue_max                       frame before it, to the nanosecond
#pragma once

#include <cstdint>
#include <vector>

#include "drivers/impair/impairment.hpp"

namespace handfast::drivers {

class Bottleneck {
 public:
  struct Passage {
    bool is_dropped = false;
    bool is_congested = false;  // it met a queue longer than the threshold
    Instant departure;
  };

  // `frames_max`: never more are in the queue at once, whatever its limit.
  Bottleneck(const Impairment& impairment, std::size_t frames_max);

  // `now` never goes back.
  Passage admit(Instant now, std::uint32_t length);
  // The highest so far, in each measure.
  const QueueLevel& peak() const { return peak_; }

 private:
  struct Waiting {
    Instant departure;
    std::uint32_t length;
  };
  void leave(Instant now);
  Instant serialise(Instant now, std::uint32_t length);

  std::uint64_t bits_per_second_;
  QueueLevel queue_max_;
  QueueLevel ce_threshold_;
  QueueLevel level_;
  QueueLevel peak_;
  Instant line_free_;
  // What the rate left over when dividing, in 1 / bits_per_second_ ns: spacing does not drift.
  std::uint64_t remainder_ = 0;
  std::vector<Waiting> waiting_;
  std::size_t head_ = 0;
};

}  // namespace handfast::drivers
