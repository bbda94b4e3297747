// Whole algorithms against an ideal bottleneck: they fill it, and BBR and HyStart++ do so without
// filling its queue.
#include "tests/tcp/congestion/bottleneck.hpp"

namespace handfast::tcp {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kRate = 12'500'000;  // 100 Mbit/s
constexpr Duration kRoundTrip = milliseconds(20);
constexpr std::uint64_t kBdp = 250'000;

Link link_with_queue(std::uint64_t bytes) {
  return {.bytes_per_second = kRate, .round_trip = kRoundTrip, .queue_bytes = bytes};
}

class CubicLoop : public WindowTest {
 public:
  CubicLoop() : WindowTest(kCubic) {}
};
class NewRenoLoop : public WindowTest {
 public:
  NewRenoLoop() : WindowTest(kNewReno) {}
};
class BbrLoop : public WindowTest {
 public:
  BbrLoop() : WindowTest(kBbr) {}
};
class NoneLoop : public WindowTest {
 public:
  NoneLoop() : WindowTest(kNoCongestionControl) {}
};

// 0.7 of one and a half BDPs is more than one: the pipe never runs empty.
TEST_F(CubicLoop, FillsThePipeWithHalfABdpOfQueue) {
  Bottleneck bottleneck(*this, link_with_queue(kBdp / 2));
  bottleneck.run(seconds(10));
  bottleneck.run(seconds(20));
  EXPECT_GT(bottleneck.utilization(), 0.99);
  EXPECT_GT(bottleneck.lost(), 0U);
}

TEST_F(CubicLoop, SlowStartEndsBeforeTheQueueOverflows) {
  Bottleneck bottleneck(*this, link_with_queue(8 * kBdp));
  bottleneck.run(seconds(2));
  EXPECT_EQ(bottleneck.lost(), 0U);
  EXPECT_LT(tcb.ssthresh, kNeverLost);
  EXPECT_GT(bottleneck.utilization(), 0.9);
}

// Half of two BDPs is just one.
TEST_F(NewRenoLoop, FillsThePipeWithABdpOfQueue) {
  Bottleneck bottleneck(*this, link_with_queue(kBdp + 20 * kMss));
  bottleneck.run(seconds(30));
  bottleneck.run(seconds(30));
  EXPECT_GT(bottleneck.utilization(), 0.99);
  EXPECT_GT(bottleneck.lost(), 0U);
}

TEST_F(BbrLoop, FillsThePipeAndKeepsTheQueueShort) {
  Bottleneck bottleneck(*this, link_with_queue(8 * kBdp));
  bottleneck.run(seconds(2));
  bottleneck.run(seconds(28));  // with two probes of the round trip
  EXPECT_GT(bottleneck.utilization(), 0.93);
  EXPECT_LE(bottleneck.queue_max(), kBdp);
  EXPECT_LT(bottleneck.queue_mean(), kBdp / 4.0);
  EXPECT_EQ(bottleneck.lost(), 0U);
}

TEST_F(BbrLoop, StartupDoublesUntilThePipeIsFullAndDrains) {
  Bottleneck bottleneck(*this, link_with_queue(8 * kBdp));
  bottleneck.run(milliseconds(400));
  EXPECT_GT(bottleneck.queue_max(), kBdp / 2);  // STARTUP's overshoot
  bottleneck.run(milliseconds(400));
  bottleneck.run(milliseconds(400));
  EXPECT_LE(bottleneck.queue_max(), kBdp / 2);
  EXPECT_NEAR(static_cast<double>(transfer.pacing_rate), kRate, kRate * 0.3);
}

TEST_F(BbrLoop, AShallowQueueDoesNotSlowItDown) {
  Bottleneck bottleneck(*this, link_with_queue(kBdp / 8));
  bottleneck.run(seconds(5));
  bottleneck.run(seconds(15));
  EXPECT_GT(bottleneck.utilization(), 0.85);
}

// The model itself: without control its queue is always full.
TEST_F(NoneLoop, OverflowsTheQueue) {
  Bottleneck bottleneck(*this, link_with_queue(kBdp));
  tcb.cwnd = 8 * kBdp;
  bottleneck.run(seconds(1));
  EXPECT_GT(bottleneck.lost(), 100U);
  EXPECT_GT(bottleneck.queue_max(), kBdp - 2 * kMss);
}

}  // namespace
}  // namespace handfast::tcp
