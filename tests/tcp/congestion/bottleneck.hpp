// Bottleneck: a closed loop of one sender and one ideal link in virtual time: a rate, a fixed
// round trip, and a queue of so many bytes that drops what does not fit. The sender always has
// data, every segment is acknowledged, and the ACK of the next segment tells of each lost one,
// whose bytes count as sent again at once. Recovery is as plain as can be: the window goes down in
// one step.
#pragma once

#include <deque>

#include "tests/tcp/congestion/window_fixture.hpp"

namespace handfast::tcp {

struct Link {
  std::uint64_t bytes_per_second;
  Duration round_trip;
  std::uint64_t queue_bytes;

  double bdp() const {
    return static_cast<double>(bytes_per_second) * static_cast<double>(round_trip.count()) / 1e9;
  }
};

class Bottleneck {
 public:
  Bottleneck(WindowTest& sender, const Link& link);

  // Also forgets what was measured before.
  void run(Duration duration);

  double utilization() const;
  std::uint64_t queue_max() const { return queue_max_; }  // bytes
  double queue_mean() const { return queue_sum_ / static_cast<double>(sent_); }
  std::uint64_t lost() const { return lost_; }  // segments

 private:
  struct Segment {
    Seq end;
    bool is_dropped;
    Instant sent;
    Instant acked;  // when its ACK arrives
    std::uint64_t delivered;
    std::uint32_t delivered_us;
    std::uint32_t first_sent_us;
  };

  Instant next_departure() const;
  void send();
  void take_ack();
  void sample_rate(const Segment& segment, AckSample& sample);
  void react(AckSample& sample);

  WindowTest& s_;
  Link link_;
  std::deque<Segment> flight_;
  Instant link_free_;
  Instant measured_since_;
  std::uint64_t delivered_before_ = 0;
  std::uint64_t queue_max_ = 0;
  double queue_sum_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace handfast::tcp
