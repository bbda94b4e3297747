// HyStart++ against RFC 9406 section 4, under NewReno, whose slow start it is.
#include "tests/tcp/congestion/window_fixture.hpp"

namespace handfast::tcp {
namespace {

class HyStartTest : public WindowTest {
 public:
  HyStartTest() : WindowTest(kNewReno) { begin(32); }

  // A round trip of that length; by how many segments the window has grown for each acknowledged.
  double growth(std::uint32_t rtt_us) {
    const double before = window();
    round_trip(rtt_us);
    return window() / before - 1;
  }
};

constexpr double kFull = 1;             // slow start: doubles
constexpr double kMostlyQuarter = 0.5;  // CSS from the eighth sample on, and a quarter then

TEST_F(HyStartTest, ARiseBelowTheThresholdDoesNotMatter) {
  EXPECT_EQ(growth(80'000), kFull);
  EXPECT_EQ(growth(89'999), kFull);  // 80 ms / 8 = 10 ms would be too much
}

TEST_F(HyStartTest, ARiseOfAnEighthEntersConservativeSlowStart) {
  EXPECT_EQ(growth(80'000), kFull);
  EXPECT_LT(growth(90'000), kMostlyQuarter);
  EXPECT_NEAR(growth(90'000), 0.25, 0.01);
  EXPECT_EQ(tcb.ssthresh, kNeverLost);
}

TEST_F(HyStartTest, TheThresholdIsAtLeastFourMilliseconds) {
  EXPECT_EQ(growth(1'000), kFull);
  EXPECT_EQ(growth(4'999), kFull);
  EXPECT_LT(growth(8'999), kMostlyQuarter);
}

TEST_F(HyStartTest, TheThresholdIsAtMostSixteenMilliseconds) {
  EXPECT_EQ(growth(400'000), kFull);
  EXPECT_EQ(growth(415'999), kFull);
  EXPECT_LT(growth(431'999), kMostlyQuarter);
}

TEST_F(HyStartTest, TheShortestRoundTripOfARoundCounts) {
  EXPECT_EQ(growth(80'000), kFull);
  pass(120'000);
  const Seq end = tcb.snd_nxt;
  ack(2, 81'000);  // one of the round saw no queue
  while (tcb.snd_una.is_before(end)) ack(2, 120'000);
  EXPECT_EQ(window(), 128);
}

TEST_F(HyStartTest, FewerThanEightSamplesDecideNothing) {
  EXPECT_EQ(growth(80'000), kFull);
  for (int i = 0; i < 7; ++i) ack(2, 200'000);
  EXPECT_EQ(window(), 64 + 14);
  ack(4, 200'000);  // the eighth
  EXPECT_EQ(window(), 64 + 14 + 1);
}

TEST_F(HyStartTest, AckWithoutASampleIsNone) {
  EXPECT_EQ(growth(80'000), kFull);
  for (int i = 0; i < 20; ++i) ack(2, 0);
  EXPECT_EQ(window(), 64 + 40);
}

TEST_F(HyStartTest, SlowStartResumesWhenTheRoundTripFalls) {
  growth(80'000);
  growth(100'000);
  EXPECT_NEAR(growth(100'000), 0.25, 0.01);
  EXPECT_GT(growth(99'000), 0.7);  // below the baseline of 100 ms, from the eighth sample on
  EXPECT_EQ(growth(99'000), kFull);
  EXPECT_EQ(tcb.ssthresh, kNeverLost);
}

TEST_F(HyStartTest, FiveRoundsEndSlowStart) {
  growth(80'000);
  growth(100'000);  // CSS begins in it: the first round
  for (int round = 2; round <= 5; ++round) {
    growth(100'000);
    EXPECT_EQ(tcb.ssthresh, kNeverLost) << round;
  }
  const std::uint32_t before = tcb.cwnd;
  ack(2, 100'000);
  EXPECT_EQ(tcb.ssthresh, before);
  EXPECT_LE(tcb.cwnd, before + kMss);
}

TEST_F(HyStartTest, GrowthIsEightSegmentsAnAckUnlessPaced) {
  ack(20, 10'000);
  EXPECT_EQ(window(), 40);
  transfer.pacing_rate = 1'000'000;
  ack(20, 10'000);
  EXPECT_EQ(window(), 60);
}

// Ha and Rhee 2011, section 4: ACKs in a row for half of the shortest round trip.
class AckTrainTest : public HyStartTest {
 public:
  void begin_train(std::uint32_t shortest_us) {
    transfer.min_rtt_us = shortest_us;
    round_trip(shortest_us);
    pass(shortest_us);
    round_end = tcb.snd_nxt;
    ack(4, shortest_us);
  }
  // The rest of the round, as short as ever, and the first ACK of the next.
  void begin_round(std::uint32_t rtt_us) {
    while (tcb.snd_una.is_before(round_end)) ack(1, transfer.min_rtt_us);
    pass(rtt_us);
    round_end = tcb.snd_nxt;
    ack(1, rtt_us);
  }
  // ACKs a millisecond apart.
  void acknowledge_for(std::uint32_t us, std::uint32_t rtt_us) {
    for (std::uint32_t passed = 0; passed < us; passed += 1'000) {
      pass(1'000);
      for (int i = 0; i < 3; ++i) ack(1, rtt_us);
    }
  }
  // Whether the last of so many ACKs, so far apart, still lets the window grow by all of it.
  bool doubles_after(int count, std::uint32_t apart_us) {
    double before = window();
    for (int i = 0; i < count; ++i) {
      pass(apart_us);
      before = window();
      ack(4, transfer.min_rtt_us);
    }
    return window() == before + 4;
  }
  Seq round_end;
};

TEST_F(AckTrainTest, OfHalfARoundTripEntersConservativeSlowStart) {
  begin_train(20'000);
  EXPECT_TRUE(doubles_after(10, 1'000));
  EXPECT_FALSE(doubles_after(1, 1'000));
  EXPECT_NEAR(growth(20'000), 0.25, 0.02);
  EXPECT_EQ(tcb.ssthresh, kNeverLost);
}

TEST_F(AckTrainTest, AGapDoesNotCount) {
  begin_train(20'000);
  EXPECT_TRUE(doubles_after(8, 1'000));
  EXPECT_TRUE(doubles_after(1, 5'001));
  EXPECT_TRUE(doubles_after(2, 1'000));
  EXPECT_FALSE(doubles_after(1, 1'000));
}

TEST_F(AckTrainTest, IsNotLookedForOnShortPaths) {
  begin_train(3'999);
  EXPECT_TRUE(doubles_after(20, 1'000));
}

TEST_F(AckTrainTest, FiveRoundsEndSlowStart) {
  begin_train(20'000);
  EXPECT_FALSE(doubles_after(11, 1'000));
  for (int round = 2; round <= 5; ++round) {
    EXPECT_NEAR(growth(20'000), 0.25, 0.02);  // a round trip as short as ever changes nothing
    EXPECT_EQ(tcb.ssthresh, kNeverLost) << round;
  }
  (void)growth(20'000);
  EXPECT_NE(tcb.ssthresh, kNeverLost);
}

// The shortest was 20 ms: a rise counts from 4 ms on, the least threshold, that lasts for 5 ms.
TEST_F(AckTrainTest, ARiseOfTheRoundTripEndsSlowStart) {
  begin_train(20'000);
  EXPECT_FALSE(doubles_after(11, 1'000));
  begin_round(24'000);
  acknowledge_for(4'000, 24'000);
  EXPECT_EQ(tcb.ssthresh, kNeverLost);
  acknowledge_for(1'000, 24'000);
  EXPECT_EQ(tcb.ssthresh, tcb.cwnd);
}

TEST_F(AckTrainTest, ASmallerRiseDoesNotEndSlowStart) {
  begin_train(20'000);
  EXPECT_FALSE(doubles_after(11, 1'000));
  begin_round(23'999);
  acknowledge_for(12'000, 23'999);
  EXPECT_EQ(tcb.ssthresh, kNeverLost);
}

TEST_F(AckTrainTest, AStallDoesNotEndSlowStart) {
  begin_train(20'000);
  EXPECT_FALSE(doubles_after(11, 1'000));
  begin_round(30'000);
  for (int i = 0; i < 20; ++i) ack(1, 30'000);
  acknowledge_for(4'000, 20'000);
  acknowledge_for(8'000, 30'000);
  EXPECT_EQ(tcb.ssthresh, kNeverLost);
}

TEST_F(AckTrainTest, ARiseWithoutATrainDoesNotEndSlowStart) {
  transfer.min_rtt_us = 20'000;
  EXPECT_EQ(growth(20'000), kFull);
  EXPECT_LT(growth(24'000), kMostlyQuarter);
  EXPECT_EQ(tcb.ssthresh, kNeverLost);
}

TEST_F(HyStartTest, LaterSlowStartsAreStandard) {
  begin(32, 1'000 * kMss);
  EXPECT_EQ(growth(80'000), kFull);
  EXPECT_EQ(growth(300'000), kFull);
  EXPECT_EQ(growth(900'000), kFull);
}

}  // namespace
}  // namespace handfast::tcp
