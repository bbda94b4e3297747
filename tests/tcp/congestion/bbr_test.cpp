// BBR version 1 against draft-cardwell-iccrg-bbr-congestion-control-00. Each ACK here is a round by
// itself, with the rate and the round trip that the test chooses.
#include <array>

#include "tests/tcp/congestion/window_fixture.hpp"

namespace handfast::tcp {
namespace {

constexpr std::uint32_t kRttUs = 20'000;
constexpr std::uint64_t kRate = 10'000'000;  // bytes a second: a BDP of 200 segments
constexpr std::uint32_t kBdp = 200 * kMss;
// What inflight() adds: three send quanta, each a millisecond's worth at the rate of the moment.
constexpr double kQuanta = 3.0 / 1000;

class BbrTest : public WindowTest {
 public:
  BbrTest() : WindowTest(kBbr) {
    tcb.srtt_us = kRttUs;
    begin(10);
  }

  // One round later an ACK of ten segments comes, and `flight` is in the network.
  void round(std::uint64_t rate, std::uint32_t flight, std::uint32_t rtt_us = kRttUs) {
    pass(kRttUs + 1);
    AckSample sample = sample_of(10, rtt_us);
    sample.prior_flight = flight;
    sample.prior_delivered = transfer.delivered;
    sample.rate_interval_us = kRttUs;
    sample.rate_bytes = rate * kRttUs / 1'000'000;
    sample.is_app_limited = is_app_limited;
    sample.lost = lost;
    tcb.snd_una += sample.acked;
    tcb.snd_nxt = tcb.snd_una + flight;
    transfer.delivered += sample.delivered;
    congestion.on_ack(tcb, sample, context);
  }
  // Pacing gain, as far as the bandwidth is kRate.
  double gain() const {
    return static_cast<double>(transfer.pacing_rate) / static_cast<double>(kRate);
  }
  double target(double bdps) const {
    return bdps * kBdp +
           std::min(kQuanta * static_cast<double>(transfer.pacing_rate), 3.0 * 65'536);
  }
  void fill_pipe() {
    for (int i = 0; i < 4; ++i) round(kRate, 2 * kBdp);
  }
  void reach_probe_bw() {
    fill_pipe();
    round(kRate, kBdp);
    for (int i = 0; i < 60; ++i) round(kRate, kBdp);  // the window grows to its target
  }

  bool is_app_limited = false;
  std::uint32_t lost = 0;
};

TEST_F(BbrTest, PacesFromTheStartAtTheInitialWindowsRate) {
  EXPECT_NEAR(static_cast<double>(transfer.pacing_rate), 2.885 * 10 * kMss / 0.020, 1);
}

TEST_F(BbrTest, StartsAtAMillisecondWhereNoRoundTripIsKnown) {
  tcb.srtt_us = 0;
  begin(10);
  EXPECT_NEAR(static_cast<double>(transfer.pacing_rate), 2.885 * 10 * kMss / 0.001, 1);
}

TEST_F(BbrTest, StartupGrowsByWhatIsDelivered) {
  round(1'000'000, 10 * kMss);
  EXPECT_EQ(window(), 20);
  round(2'000'000, 20 * kMss);
  EXPECT_EQ(window(), 30);
}

TEST_F(BbrTest, StartupEndsAfterThreeRoundsWithoutAQuarterMore) {
  for (std::uint64_t rate = 1'000'000; rate < kRate; rate += rate / 4 + 1) round(rate, 2 * kBdp);
  round(kRate + kRate / 3, 2 * kBdp);  // the last that grows enough
  for (int i = 0; i < 2; ++i) round(kRate, 2 * kBdp);
  EXPECT_GT(gain(), 2.8);
  round(kRate, 2 * kBdp);
  EXPECT_LT(gain(), 0.5);  // DRAIN
}

TEST_F(BbrTest, RoundsThatTheApplicationLimitsDoNotEndStartup) {
  is_app_limited = true;
  for (int i = 0; i < 20; ++i) round(kRate, kBdp);
  EXPECT_GT(gain(), 2.8);
}

TEST_F(BbrTest, DrainsTheQueueDownToOneBdp) {
  fill_pipe();
  EXPECT_NEAR(gain(), 1 / 2.885, 0.001);
  round(kRate, 2 * kBdp);
  EXPECT_NEAR(gain(), 1 / 2.885, 0.001);
  round(kRate, kBdp);
  EXPECT_GE(gain(), 0.99);
}

TEST_F(BbrTest, CyclesThroughItsGains) {
  reach_probe_bw();
  // 1.25 stays until a quarter more is in flight, 0.75 goes once it is gone.
  int rounds = 0;
  while (gain() < 1.2 && ++rounds < 10) round(kRate, kBdp);
  ASSERT_LE(rounds, 7);
  for (int cycle = 0; cycle < 3; ++cycle) {
    EXPECT_NEAR(gain(), 1.25, 0.001);
    round(kRate, kBdp);  // not reached yet
    EXPECT_NEAR(gain(), 1.25, 0.001);
    round(kRate, kBdp * 3 / 2);
    EXPECT_NEAR(gain(), 0.75, 0.001);
    for (int i = 0; i < 6; ++i) {
      round(kRate, kBdp);
      EXPECT_NEAR(gain(), 1, 0.001);
    }
    round(kRate, kBdp);
  }
}

TEST_F(BbrTest, ALossEndsTheProbe) {
  reach_probe_bw();
  while (gain() < 1.2) round(kRate, kBdp);
  lost = kMss;
  round(kRate, kBdp);
  EXPECT_NEAR(gain(), 0.75, 0.001);
}

TEST_F(BbrTest, TheCycleNeverBeginsWithTheDrainingPhase) {
  std::array<int, 3> seen{};  // begun at 1, at 1.25, at 0.75
  for (std::uint16_t port = 0; port < 200; ++port) {
    transfer = Transfer{};
    tcb.key.local_port = port;
    begin(10);
    fill_pipe();
    round(kRate, kBdp);
    ++seen[gain() > 1.2 ? 1 : gain() < 0.8 ? 2 : 0];
  }
  EXPECT_GT(seen[0], 100);
  EXPECT_GT(seen[1], 0);
  EXPECT_EQ(seen[2], 0);
}

TEST_F(BbrTest, TheWindowIsTwoBdps) {
  reach_probe_bw();
  EXPECT_NEAR(tcb.cwnd, target(2), 1);
}

TEST_F(BbrTest, ABandwidthIsForgottenAfterTenRounds) {
  reach_probe_bw();
  for (int i = 0; i < 9; ++i) round(kRate / 2, kBdp / 2);
  EXPECT_GT(gain(), 0.7);
  for (int i = 0; i < 2; ++i) round(kRate / 2, kBdp / 2);
  EXPECT_LT(gain(), 0.7);
}

TEST_F(BbrTest, ABandwidthOutlastsAnApplicationsPause) {
  reach_probe_bw();
  is_app_limited = true;
  for (int i = 0; i < 30; ++i) round(kRate / 10, kBdp / 10);
  EXPECT_GT(gain(), 0.7);
}

TEST_F(BbrTest, ProbesTheRoundTripAfterTenSeconds) {
  reach_probe_bw();
  const std::uint32_t before = tcb.cwnd;
  const Instant begun = context.now;
  while (window() > 4) round(kRate, kBdp, kRttUs + 5'000);  // a queue hides the shortest
  EXPECT_NEAR(static_cast<double>((context.now - begun).count()) / 1e9, 9, 1.5);
  EXPECT_NEAR(gain(), 1, 0.001);
  // The 200 ms count from when four segments are in flight.
  for (int i = 0; i < 5; ++i) round(kRate, kBdp);
  const Instant small = context.now + std::chrono::microseconds(kRttUs + 1);
  do {
    round(kRate, 4 * kMss);
    EXPECT_EQ(transfer.app_limited_until > transfer.delivered, true);
  } while (window() <= 4 && context.now - small < std::chrono::seconds(2));
  EXPECT_NEAR(static_cast<double>((context.now - small).count()) / 1e6, 210, 12);
  EXPECT_GE(tcb.cwnd, before - kMss * 40);  // back where it was, or at the target
  for (int i = 0; i < 200; ++i) round(kRate, kBdp, kRttUs + 5'000);
  EXPECT_GT(window(), 4);  // not again for ten seconds
}

TEST_F(BbrTest, AShorterRoundTripPutsTheProbeOff) {
  reach_probe_bw();
  for (int i = 0; i < 1'000; ++i) {
    round(kRate, kBdp, kRttUs);
    ASSERT_GT(window(), 4);
  }
}

TEST_F(BbrTest, RecoverysFirstRoundConservesPackets) {
  reach_probe_bw();
  const std::uint32_t before = tcb.cwnd;
  transfer.recovery = Recovery::fast;
  lost = 5 * kMss;
  round(kRate, 100 * kMss);
  EXPECT_EQ(window(), 110);  // what is in flight and what has arrived
  lost = 0;
  pass(1'000);
  AckSample sample = sample_of(1, kRttUs);  // of the same round
  sample.prior_delivered = transfer.delivered - kMss * 10;
  sample.lost = 20 * kMss;
  tcb.snd_una += kMss;
  tcb.snd_nxt = tcb.snd_una + 99 * kMss;
  transfer.delivered += kMss;
  congestion.on_ack(tcb, sample, context);
  EXPECT_EQ(window(), 100);
  round(kRate, 100 * kMss);  // the next round grows again
  EXPECT_EQ(window(), 110);
  transfer.recovery = Recovery::open;
  congestion.on_recovered(tcb, context);
  EXPECT_EQ(tcb.cwnd, before);
}

TEST_F(BbrTest, ATimeOutClosesTheWindowUntilItIsOver) {
  reach_probe_bw();
  const std::uint32_t before = tcb.cwnd;
  transfer.recovery = Recovery::loss;
  congestion.on_timeout(tcb, context);
  EXPECT_EQ(window(), 1);
  round(kRate, kMss);
  EXPECT_EQ(window(), 11);
  transfer.recovery = Recovery::open;
  round(kRate, kMss);
  EXPECT_GE(tcb.cwnd, before - kMss * 40);
}

TEST_F(BbrTest, UndoBringsTheWindowBack) {
  reach_probe_bw();
  const std::uint32_t before = tcb.cwnd;
  congestion.on_timeout(tcb, context);
  congestion.on_undo(tcb, context);
  EXPECT_EQ(tcb.cwnd, before);
}

TEST_F(BbrTest, LossAndMarksLeaveTheThresholdAlone) {
  tcb.ssthresh = 77 * kMss;
  EXPECT_EQ(congestion.reduced_window(tcb, tcb.in_flight(), context), 77 * kMss);
  EXPECT_EQ(congestion.marked_window(tcb, tcb.in_flight(), context), 77 * kMss);
}

TEST_F(BbrTest, AnAckWithoutARateOrARoundTripIsHarmless) {
  reach_probe_bw();
  const std::uint64_t rate = transfer.pacing_rate;
  AckSample sample;
  sample.acked = sample.delivered = 1;
  congestion.on_ack(tcb, sample, context);
  EXPECT_EQ(transfer.pacing_rate, rate);
}

}  // namespace
}  // namespace handfast::tcp
