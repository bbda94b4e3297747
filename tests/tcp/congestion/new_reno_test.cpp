// NewReno's window against RFC 5681 and RFC 3465, and the two algorithms without much to them.
#include "tests/tcp/congestion/window_fixture.hpp"

namespace handfast::tcp {
namespace {

constexpr std::uint32_t kRttUs = 50'000;

class NewRenoTest : public WindowTest {
 public:
  NewRenoTest() : WindowTest(kNewReno) {}
};

// Delays that do not rise: HyStart++ stays out of it.
TEST_F(NewRenoTest, SlowStartDoublesTheWindowEachRoundTrip) {
  begin(10);
  for (const int expected : {20, 40, 80, 160}) {
    round_trip(kRttUs);
    EXPECT_EQ(window(), expected);
  }
}

TEST_F(NewRenoTest, SlowStartEndsAtTheThresholdAndCountsTheRestInAvoidance) {
  begin(10, 11 * kMss);
  ack(2);  // one segment of two reaches the threshold
  EXPECT_EQ(window(), 11);
  ack(9);
  EXPECT_EQ(window(), 11);
  ack(1);  // eleven segments have been counted
  EXPECT_EQ(window(), 12);
}

TEST_F(NewRenoTest, AvoidanceAddsOneSegmentEachRoundTrip) {
  begin(20, 20 * kMss);
  for (const int expected : {21, 22, 23, 24, 25}) {
    round_trip(kRttUs);
    EXPECT_EQ(window(), expected);
  }
}

TEST_F(NewRenoTest, AnAckOfMoreThanAWindowAddsOneSegmentOnly) {
  begin(10, 10 * kMss);
  ack(35);
  EXPECT_EQ(window(), 11);
}

TEST_F(NewRenoTest, SlowStartCountsTwoSegmentsAnAckAndOneAfterATimeOut) {
  begin(10, 100 * kMss);
  ack(8);
  EXPECT_EQ(window(), 12);
  time_out();
  ack(8);
  EXPECT_EQ(window(), 2);
}

// SEG.ACK moves in jumps there, most of each beyond the limit.
TEST_F(NewRenoTest, SlowStartCountsWhatArrivesInAnyOrderWhereThePathReorders) {
  begin(10, 100 * kMss);
  AckSample selective = sample_of(1);
  selective.acked = 0;
  take(selective);
  EXPECT_EQ(window(), 10);  // nothing is known of reordering
  selective.is_reordered = true;
  for (int i = 0; i < 7; ++i) take(selective);
  EXPECT_EQ(window(), 17);
  AckSample jump = sample_of(8);
  jump.delivered = kMss;
  jump.is_reordered = true;
  take(jump);
  EXPECT_EQ(window(), 18);
}

// What was counted before the loss was of a larger window.
TEST_F(NewRenoTest, AvoidanceCountsAnewAfterALoss) {
  begin(20, 20 * kMss);
  ack(19);
  tcb.ssthresh = congestion.reduced_window(tcb, tcb.in_flight(), context);
  tcb.cwnd = tcb.ssthresh;
  ASSERT_EQ(window(), 10);
  ack(9);
  EXPECT_EQ(window(), 10);
  ack(1);
  EXPECT_EQ(window(), 11);
}

TEST_F(NewRenoTest, LossHalvesTheFlight) {
  begin(40, 10 * kMss);
  EXPECT_EQ(congestion.reduced_window(tcb, tcb.in_flight(), context), 20 * kMss);
  EXPECT_EQ(congestion.marked_window(tcb, tcb.in_flight(), context), 20 * kMss);
  tcb.snd_nxt = tcb.snd_una + 30 * kMss;  // the application had no more
  EXPECT_EQ(congestion.reduced_window(tcb, tcb.in_flight(), context), 15 * kMss);
  tcb.snd_nxt = tcb.snd_una + 60 * kMss;  // a third of it selectively acknowledged
  EXPECT_EQ(congestion.reduced_window(tcb, tcb.in_flight(), context), 20 * kMss);
}

TEST_F(NewRenoTest, TheReducedWindowIsAtLeastTwoSegments) {
  begin(3, 10 * kMss);
  EXPECT_EQ(congestion.reduced_window(tcb, tcb.in_flight(), context), 2 * kMss);
}

TEST_F(NewRenoTest, AWindowThatIsNotFilledDoesNotGrow) {
  begin(20, 20 * kMss);
  AckSample sample = sample_of(20);
  sample.is_cwnd_limited = false;
  for (int i = 0; i < 5; ++i) take(sample);
  EXPECT_EQ(window(), 20);
}

TEST_F(NewRenoTest, SlowStartGoesOnWhileHalfTheWindowIsInUse) {
  begin(20, 100 * kMss);
  AckSample sample = sample_of(2);
  sample.is_cwnd_limited = false;
  sample.prior_flight = 9 * kMss;
  take(sample);
  EXPECT_EQ(window(), 20);
  sample.prior_flight = 10 * kMss;
  take(sample);
  EXPECT_EQ(window(), 22);
}

TEST_F(NewRenoTest, AnEchoedMarkRaisesNothing) {
  begin(10);
  AckSample sample = sample_of(2);
  sample.ece = true;
  take(sample);
  EXPECT_EQ(window(), 10);
}

TEST_F(NewRenoTest, TheWindowStopsAtItsMaximum) {
  begin(10);
  tcb.cwnd = kCwndMax - kMss;
  ack(8);
  EXPECT_EQ(tcb.cwnd, kCwndMax);
  tcb.ssthresh = 10 * kMss;
  ack(8);
  EXPECT_EQ(tcb.cwnd, kCwndMax);
}

class NoCongestionControlTest : public WindowTest {
 public:
  NoCongestionControlTest() : WindowTest(kNoCongestionControl) {}
};

TEST_F(NoCongestionControlTest, TheWindowStaysOpenWhateverHappens) {
  begin(10);
  EXPECT_EQ(tcb.cwnd, kCwndMax);
  EXPECT_EQ(congestion.reduced_window(tcb, tcb.in_flight(), context), kCwndMax);
  EXPECT_EQ(congestion.marked_window(tcb, tcb.in_flight(), context), kCwndMax);
  ack(10);
  congestion.on_timeout(tcb, context);
  EXPECT_EQ(tcb.cwnd, kCwndMax);
  EXPECT_TRUE(congestion.owns_window);
  EXPECT_EQ(transfer.pacing_rate, 0U);
}

TEST(CongestionOf, NamesEachAlgorithm) {
  EXPECT_EQ(congestion_of(CongestionControl::new_reno).name, "new_reno");
  EXPECT_EQ(congestion_of(CongestionControl::cubic).name, "cubic");
  EXPECT_EQ(congestion_of(CongestionControl::dctcp).name, "dctcp");
  EXPECT_EQ(congestion_of(CongestionControl::bbr).name, "bbr");
  EXPECT_EQ(congestion_of(CongestionControl::none).name, "none");
}

TEST(CongestionOf, OnlyDctcpNeedsEcnAndOnlyBbrAndNoneOwnTheirWindow) {
  for (const Congestion* c : {&kNewReno, &kCubic, &kDctcp, &kBbr, &kNoCongestionControl}) {
    EXPECT_EQ(c->needs_ecn, c == &kDctcp) << c->name;
    EXPECT_EQ(c->owns_window, c == &kBbr || c == &kNoCongestionControl) << c->name;
  }
}

}  // namespace
}  // namespace handfast::tcp
