// DCTCP against RFC 8257 section 3.3.
#include <cmath>

#include "tests/tcp/congestion/window_fixture.hpp"

namespace handfast::tcp {
namespace {

constexpr std::uint32_t kRttUs = 100;

class DctcpTest : public WindowTest {
 public:
  DctcpTest() : WindowTest(kDctcp) { begin(100, 100 * kMss); }

  // So many windows of 100 segments, the first `marked` of each with a mark.
  void windows(int count, int marked) {
    for (int i = 0; i < count; ++i) {
      pass(kRttUs);
      for (int segment = 0; segment < 100; ++segment) {
        AckSample sample = sample_of(1);
        sample.ece = segment < marked;
        sample.is_cwnd_limited = false;
        take(sample);
      }
    }
  }
  // The share of the window that a mark takes away is alpha / 2.
  double alpha() {
    return 2 * (1 - static_cast<double>(congestion.marked_window(tcb, tcb.in_flight(), context)) /
                        tcb.cwnd);
  }
};

TEST_F(DctcpTest, TheFirstMarkHalves) {
  EXPECT_EQ(congestion.marked_window(tcb, tcb.in_flight(), context), 50 * kMss);
}

TEST_F(DctcpTest, AlphaStaysOneWhileAllIsMarked) {
  windows(20, 100);
  EXPECT_NEAR(alpha(), 1, 1e-4);
}

// The first ACK ends the empty window before it: a window of it is in the next.
TEST_F(DctcpTest, AlphaFallsByASixteenthEachUnmarkedWindow) {
  ack(1);
  EXPECT_NEAR(alpha(), 15.0 / 16, 1e-4);
  for (int n = 2; n <= 20; ++n) {
    windows(1, 0);
    EXPECT_NEAR(alpha(), std::pow(15.0 / 16, n), 1e-4) << n;
  }
}

TEST_F(DctcpTest, HalfMarkedWindowsBringAlphaToOneHalf) {
  ack(1);
  for (int n = 1; n <= 100; ++n) {
    windows(1, 50);
    const double expected = 0.5 + (15.0 / 16 - 0.5) * std::pow(15.0 / 16, n);
    ASSERT_NEAR(alpha(), expected, 0.002) << n;
  }
  EXPECT_NEAR(alpha(), 0.5, 0.002);
  EXPECT_NEAR(congestion.marked_window(tcb, tcb.in_flight(), context), 75 * kMss, kMss / 5);
}

TEST_F(DctcpTest, SelectivelyAcknowledgedBytesCount) {
  windows(200, 0);
  EXPECT_NEAR(alpha(), 0, 1e-4);
  AckSample sample = sample_of(100);
  sample.acked = 0;
  sample.ece = true;
  take(sample);  // the window is marked, and not over
  EXPECT_NEAR(alpha(), 0, 1e-4);
  ack(100);  // it ends: these, the marked ones, and 99 before
  EXPECT_NEAR(alpha(), 100.0 / 299 / 16, 1e-4);
}

TEST_F(DctcpTest, AlphaIsKeptWhileRecoverySteersTheWindow) {
  for (int i = 0; i < 100; ++i) {  // as in Recovery::cwr: on_ack is not called
    AckSample sample = sample_of(100);
    tcb.snd_una += sample.acked;
    congestion.observe(tcb, sample, context);
    fill();
  }
  EXPECT_LT(alpha(), 0.01);
}

TEST_F(DctcpTest, LossHalvesWhateverAlphaIs) {
  windows(200, 0);
  EXPECT_EQ(congestion.marked_window(tcb, tcb.in_flight(), context), 99'999);
  EXPECT_EQ(congestion.reduced_window(tcb, tcb.in_flight(), context), 50 * kMss);
}

TEST_F(DctcpTest, GrowsAsRenoDoes) {
  round_trip(kRttUs);
  EXPECT_EQ(window(), 101);
  tcb.ssthresh = 1000 * kMss;
  tcb.cwnd = 10 * kMss;
  flight_is_window();
  round_trip(kRttUs);
  EXPECT_EQ(window(), 20);
}

TEST_F(DctcpTest, TheReducedWindowIsAtLeastTwoSegments) {
  tcb.cwnd = 3 * kMss;
  EXPECT_EQ(congestion.marked_window(tcb, tcb.in_flight(), context), 2 * kMss);
}

}  // namespace
}  // namespace handfast::tcp
