// CUBIC against the numbers of RFC 9438.
#include <cmath>

#include "tests/tcp/congestion/window_fixture.hpp"

namespace handfast::tcp {
namespace {

constexpr std::uint32_t kLongRttUs = 100'000;
constexpr double kC = 0.4;

class CubicTest : public WindowTest {
 public:
  CubicTest() : WindowTest(kCubic) {}

  // Congestion avoidance as a loss at `w_max` segments leaves it.
  void begin_after_loss(std::uint32_t w_max, std::uint32_t rtt_us) {
    tcb.srtt_us = rtt_us;
    begin(w_max);
    lose();
    flight_is_window();
  }
  // For so long, or a part of a round trip more, which it returns; acknowledgements come evenly,
  // every second segment's.
  double run(double seconds, std::uint32_t rtt_us) {
    const Instant begun = context.now;
    const auto until = begun + Duration(static_cast<std::int64_t>(seconds * 1e9));
    while (context.now < until) {
      const std::uint32_t acks = std::max(1U, tcb.cwnd / kMss / 2);
      for (std::uint32_t i = 0; i < acks; ++i) {
        pass(rtt_us / acks);
        ack(2, rtt_us);
      }
    }
    return static_cast<double>((context.now - begun).count()) / 1e9;
  }
};

double w_cubic(double t, double k, double w_max) {
  return kC * std::pow(t - k, 3) + w_max;
}

TEST_F(CubicTest, LossLeavesSevenTenths) {
  begin(100);
  lose();
  EXPECT_EQ(tcb.ssthresh, 70 * kMss);
  begin(100);
  EXPECT_EQ(congestion.marked_window(tcb, tcb.in_flight(), context), 70 * kMss);
}

TEST_F(CubicTest, TheReducedWindowIsAtLeastTwoSegments) {
  begin(2);
  lose();
  EXPECT_EQ(tcb.ssthresh, 2 * kMss);
}

// Section 4.2: K = cubic_root((W_max - cwnd_epoch) / C), the time to be back at W_max.
TEST_F(CubicTest, TheWindowFollowsTheCurveThroughBothRegions) {
  begin_after_loss(1000, kLongRttUs);
  const double k = std::cbrt(300 / kC);
  EXPECT_NEAR(k, 9.086, 0.001);
  double elapsed_s = 0;
  for (const double step : {1.0, 2.0, 3.0, 3.0, 3.0, 2.0, 1.0}) {  // concave up to 9.086 s
    elapsed_s += run(step, kLongRttUs);
    EXPECT_NEAR(window(), w_cubic(elapsed_s, k, 1000), 3) << "after " << elapsed_s << " s";
  }
}

TEST_F(CubicTest, TheWindowIsFlatAroundTheLastMaximum) {
  begin_after_loss(1000, kLongRttUs);
  run(9.0, kLongRttUs);
  EXPECT_NEAR(window(), 1000, 2);
}

// Section 4.2: the target is at most one and a half windows, however late it is.
TEST_F(CubicTest, ARoundTripGrowsTheWindowByHalfAtMost) {
  begin_after_loss(100, kLongRttUs);
  ack(2);
  for (int i = 0; i < 600; ++i) {
    pass(kLongRttUs);  // acknowledged, but with nothing newly covered: time counts
    AckSample sample = sample_of(0);
    sample.delivered = 1;
    take(sample);
  }
  const double before = window();
  for (int i = 0; i < static_cast<int>(before); i += 2) ack(2);
  EXPECT_NEAR(window(), before * 1.5, 0.1);
}

// Section 4.3: W_est grows by alpha = 3 * (1 - 0.7) / (1 + 0.7) = 0.529 a round trip, and by 1 from
// cwnd_prior on.
TEST_F(CubicTest, ShortRoundTripsAreRenoFriendly) {
  constexpr std::uint32_t kShortRttUs = 1'000;
  begin_after_loss(20, kShortRttUs);
  EXPECT_EQ(window(), 14);
  for (int i = 0; i < 10; ++i) round_trip(kShortRttUs);
  EXPECT_NEAR(window(), 14 + 10 * 9.0 / 17, 0.7);
  while (window() < 20.5) round_trip(kShortRttUs);
  const double before = window();
  for (int i = 0; i < 10; ++i) round_trip(kShortRttUs);
  EXPECT_NEAR(window(), before + 10, 0.7);
}

// Section 4.7: below the last maximum W_max becomes cwnd * (1 + 0.7) / 2. Seen in where the curve
// is flat: at 595 after a loss at 700, at K = cbrt((595 - 490) / 0.4).
TEST_F(CubicTest, FastConvergenceGivesWayToOthers) {
  begin_after_loss(1000, kLongRttUs);
  EXPECT_EQ(window(), 700);
  lose();
  flight_is_window();
  EXPECT_NEAR(window(), 490, 0.01);
  run(std::cbrt(105 / kC), kLongRttUs);
  EXPECT_NEAR(window(), 595, 3);
}

TEST_F(CubicTest, ALossAboveTheLastMaximumRemembersTheWindow) {
  begin_after_loss(1000, kLongRttUs);
  run(12, kLongRttUs);
  const double before = window();
  EXPECT_GT(before, 1000);
  lose();
  flight_is_window();
  run(std::cbrt(0.3 * before / kC), kLongRttUs);
  EXPECT_NEAR(window(), before, 3);
}

// Section 4.8: after a time-out K = 0 and W_max = cwnd where congestion avoidance begins.
TEST_F(CubicTest, AfterATimeOutTheCurveBeginsFlat) {
  tcb.srtt_us = kLongRttUs;
  begin(1000);
  time_out();
  EXPECT_EQ(tcb.ssthresh, 700 * kMss);
  transfer.recovery = Recovery::open;
  tcb.cwnd = tcb.ssthresh;  // what slow start comes to
  flight_is_window();
  const double t = run(6, kLongRttUs);
  EXPECT_NEAR(window(), w_cubic(t, 0, 700), 3);
}

// Section 4.10: HyStart++ ends slow start without a loss.
TEST_F(CubicTest, AfterHyStartTheCurveBeginsFlat) {
  tcb.srtt_us = kLongRttUs;
  begin(300, 300 * kMss);
  const double t = run(8, kLongRttUs);  // long enough to outrun Reno's 80 segments
  EXPECT_NEAR(window(), w_cubic(t, 0, 300), 5);
}

TEST_F(CubicTest, InitialSlowStartIsHyStart) {
  begin(32);
  round_trip(80'000);
  EXPECT_EQ(window(), 64);
  round_trip(100'000);
  for (int round = 2; round <= 5; ++round) round_trip(100'000);
  ack(2, 100'000);
  EXPECT_LT(tcb.ssthresh, kNeverLost);
}

// Section 4.9.
TEST_F(CubicTest, UndoGoesOnAsIfNothingHadBeen) {
  begin_after_loss(1000, kLongRttUs);
  double t = run(5, kLongRttUs);
  const std::uint32_t cwnd = tcb.cwnd;
  const std::uint32_t ssthresh = tcb.ssthresh;
  time_out();
  pass(50'000);
  transfer.recovery = Recovery::open;
  tcb.cwnd = cwnd;
  tcb.ssthresh = ssthresh;
  congestion.on_undo(tcb, context);
  flight_is_window();
  t += run(3, kLongRttUs);
  EXPECT_NEAR(window(), w_cubic(t + 0.05, std::cbrt(300 / kC), 1000), 3);
}

// Section 5.8: time in which the application did not fill the window does not count.
TEST_F(CubicTest, TheClockStandsWhileTheApplicationIsTheLimit) {
  begin_after_loss(1000, kLongRttUs);
  double t = run(3, kLongRttUs);
  for (int i = 0; i < 100; ++i) {
    pass(kLongRttUs);
    AckSample sample = sample_of(2, kLongRttUs);
    sample.is_cwnd_limited = false;
    take(sample);
  }
  t += run(2, kLongRttUs);
  EXPECT_NEAR(window(), w_cubic(t, std::cbrt(300 / kC), 1000), 3);
}

TEST_F(CubicTest, TheClockStandsWhileIdle) {
  begin_after_loss(1000, kLongRttUs);
  double t = run(3, kLongRttUs);
  pass(60'000'000);
  t += run(2, kLongRttUs);
  EXPECT_NEAR(window(), w_cubic(t, std::cbrt(300 / kC), 1000), 3);
}

TEST_F(CubicTest, TheWindowStopsAtItsMaximum) {
  begin_after_loss(1000, kLongRttUs);
  tcb.cwnd = kCwndMax - 1;
  for (int i = 0; i < 50; ++i) {
    pass(900'000);
    ack(100'000);
  }
  EXPECT_EQ(tcb.cwnd, kCwndMax);
}

}  // namespace
}  // namespace handfast::tcp
