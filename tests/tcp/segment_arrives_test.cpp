// What each step of SEGMENT ARRIVES accepts, refuses and answers.

#include "connection_fixture.hpp"
#include "tcp/receive_window.hpp"

namespace handfast::tcp {
namespace {

using SegmentArrives = ConnectionTest;

void expect_only_ack(const std::vector<Sent>& sent, std::uint32_t seq, std::uint32_t ack) {
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.flags, kAck);
  EXPECT_EQ(sent[0].segment.seq, Seq{seq});
  EXPECT_EQ(sent[0].segment.ack, Seq{ack});
}

TEST_F(SegmentArrives, SynSentRefusesAcknowledgementsOfWhatWasNotSent) {
  syn_sent();
  EXPECT_TRUE(arrive(make(kSyn | kAck, kPeerIss, kIss)).reset);
  EXPECT_TRUE(arrive(make(kSyn | kAck, kPeerIss, kIss + 2)).reset);
  EXPECT_EQ(tcb.state, State::syn_sent);
}

TEST_F(SegmentArrives, SynSentBelievesNoResetWithoutItsAcknowledgement) {
  syn_sent();
  EXPECT_FALSE(arrive(make(kRst, 0)).closed);
  EXPECT_TRUE(arrive(make(kRst | kAck, 0, kIss + 7)).reset);  // the answer to it is none
  EXPECT_EQ(tcb.state, State::syn_sent);
}

TEST_F(SegmentArrives, SynSentIgnoresAPlainAck) {
  syn_sent();
  const Arrival arrival = arrive(make(kAck, kPeerIss, kIss + 1));
  EXPECT_FALSE(arrival.established);
  EXPECT_EQ(tcb.state, State::syn_sent);
}

TEST_F(SegmentArrives, SynReceivedAnswersAWrongAckByReset) {
  syn_received();
  output();
  EXPECT_TRUE(arrive(make(kAck, kPeerIss + 1, kIss + 9)).reset);
  EXPECT_TRUE(arrive(make(kAck, kPeerIss + 1, kIss)).reset);
  EXPECT_EQ(tcb.state, State::syn_received);
}

TEST_F(SegmentArrives, TextInOrderIsDeliveredAndAcknowledged) {
  established();
  arrive(make(kAck, kPeerIss + 1, kIss + 1), "hello");
  arrive(make(kAck, kPeerIss + 6, kIss + 1), " world");
  EXPECT_EQ(delivered, "hello world");
  expect_only_ack(output(), kIss + 1, kPeerIss + 12);  // one for the burst (MUST-58, MUST-59)
}

// RFC 9293 section 3.10.7.4, fifth step: SND.WL1 keeps an older window from replacing a newer one.
TEST_F(SegmentArrives, AnOvertakenSegmentDoesNotMoveTheWindow) {
  established();
  arrive(make(kAck, kPeerIss + 8, kIss + 1, 5000), "later");
  EXPECT_EQ(tcb.snd_wnd, 5000U);
  arrive(make(kAck, kPeerIss + 1, kIss + 1, 100), "earlier");
  EXPECT_EQ(delivered, "earlierlater");
  EXPECT_EQ(tcb.snd_wnd, 5000U);
}

TEST_F(SegmentArrives, AnAckAtTheWindowsRightEdgeIsTaken) {
  established();
  queue("data");
  output();
  arrive(make(kAck, tcb.rcv_adv.raw(), kIss + 5));
  EXPECT_EQ(tcb.in_flight(), 0U);
  EXPECT_TRUE(output().empty());
}

TEST_F(SegmentArrives, OldTextIsAcknowledgedAndNotDeliveredAgain) {
  established();
  arrive(make(kAck, kPeerIss + 1, kIss + 1), "hello");
  output();
  arrive(make(kAck, kPeerIss + 1, kIss + 1), "hello");
  EXPECT_EQ(delivered, "hello");
  expect_only_ack(output(), kIss + 1, kPeerIss + 6);
  EXPECT_EQ(counters.duplicate_segments.value(), 1U);
}

TEST_F(SegmentArrives, HalfOldTextIsTrimmed) {
  established();
  arrive(make(kAck, kPeerIss + 1, kIss + 1), "hello");
  arrive(make(kAck, kPeerIss + 4, kIss + 1), "lo world");
  EXPECT_EQ(delivered, "hello world");
}

TEST_F(SegmentArrives, TextBeyondTheWindowIsTrimmed) {
  config.receive_buffer = 2000;
  restart();
  established();
  arrive(make(kAck, kPeerIss + 1, kIss + 1), std::string(1400, 'a'));
  takes_data = false;
  arrive(make(kAck, kPeerIss + 1401, kIss + 1), std::string(1400, 'b'));
  EXPECT_EQ(tcb.rcv_nxt, Seq{kPeerIss + 2001});
}

TEST_F(SegmentArrives, OutOfOrderTextWaitsForTheGap) {
  established();
  arrive(make(kAck, kPeerIss + 11, kIss + 1), "three");
  arrive(make(kAck, kPeerIss + 6, kIss + 1), "two..");
  EXPECT_EQ(delivered, "");
  const auto sent = output();
  ASSERT_EQ(sent.size(), 2U);  // RFC 5681 section 4.2: a duplicate ACK for each
  EXPECT_EQ(sent[0].segment.ack, Seq{kPeerIss + 1});
  EXPECT_EQ(sent[1].segment.ack, Seq{kPeerIss + 1});
  arrive(make(kAck, kPeerIss + 1, kIss + 1), "one..");
  EXPECT_EQ(delivered, "one..two..three");
  expect_only_ack(output(), kIss + 1, kPeerIss + 16);
  EXPECT_EQ(tcb.reassembly_count, 0);
}

TEST_F(SegmentArrives, FirstBytesWinWhereOutOfOrderTextOverlaps) {
  established();
  arrive(make(kAck, kPeerIss + 5, kIss + 1), "5678");
  arrive(make(kAck, kPeerIss + 3, kIss + 1), "34XX");
  arrive(make(kAck, kPeerIss + 7, kIss + 1), "YY90");
  arrive(make(kAck, kPeerIss + 1, kIss + 1), "12");
  EXPECT_EQ(delivered, "1234567890");
}

TEST_F(SegmentArrives, FinOutOfOrderWaitsToo) {
  established();
  arrive(make(kFin | kAck, kPeerIss + 4, kIss + 1), "end");
  EXPECT_EQ(tcb.state, State::established);
  arrive(make(kAck, kPeerIss + 1, kIss + 1), "the");
  EXPECT_EQ(delivered, "theend");
  EXPECT_EQ(tcb.state, State::close_wait);
  EXPECT_EQ(tcb.rcv_nxt, Seq{kPeerIss + 8});
}

TEST_F(SegmentArrives, LoneFinOutOfOrderWaitsToo) {
  established();
  arrive(make(kFin | kAck, kPeerIss + 4, kIss + 1));
  arrive(make(kAck, kPeerIss + 1, kIss + 1), "the");
  EXPECT_EQ(tcb.state, State::close_wait);
  EXPECT_EQ(delivered, "the");
}

TEST_F(SegmentArrives, OutOfOrderIsBounded) {
  config.receive_buffer = 65'000;
  restart();
  established();
  for (std::uint32_t i = 0; i < reassembly_packets_max(parameters) + 5U; ++i) {
    arrive(make(kAck, kPeerIss + 3 + 2 * i, kIss + 1), "x");
  }
  EXPECT_EQ(tcb.reassembly_count, reassembly_packets_max(parameters));
  EXPECT_EQ(counters.out_of_order_dropped.value(), 5U);
}

TEST_F(SegmentArrives, ResetInTheWindowButNotExactIsChallenged) {
  established();
  EXPECT_TRUE(arrive(make(kRst, kPeerIss + 100)).challenge);
  EXPECT_EQ(tcb.state, State::established);
  EXPECT_FALSE(arrive(make(kRst, kPeerIss - 100)).challenge);  // outside: dropped in silence
  EXPECT_TRUE(output().empty());
  EXPECT_TRUE(arrive(make(kRst, kPeerIss + 1)).closed);
}

TEST_F(SegmentArrives, SynInASynchronizedStateIsChallenged) {
  established();
  EXPECT_TRUE(arrive(make(kSyn, kPeerIss + 100)).challenge);
  EXPECT_EQ(tcb.state, State::established);
}

TEST_F(SegmentArrives, AckOfWhatWasNeverSentIsChallenged) {
  established();
  EXPECT_TRUE(arrive(make(kAck, kPeerIss + 1, kIss + 2)).challenge);
  EXPECT_TRUE(arrive(make(kAck, kPeerIss + 1, kIss - 70'000)).challenge);  // RFC 5961 section 5
  EXPECT_FALSE(arrive(make(kAck, kPeerIss + 1, kIss - 50'000)).challenge);
}

TEST_F(SegmentArrives, SegmentWithoutAckIsDropped) {
  established();
  arrive(make(kPsh, kPeerIss + 1), "data");
  EXPECT_EQ(delivered, "");
  EXPECT_EQ(tcb.rcv_nxt, Seq{kPeerIss + 1});
}

TEST_F(SegmentArrives, KeepAliveProbeIsAnswered) {
  established();
  arrive(make(kAck, kPeerIss, kIss + 1));
  expect_only_ack(output(), kIss + 1, kPeerIss + 1);
}

TEST_F(SegmentArrives, ClosedWindowStillTakesAckAndReset) {
  config.receive_buffer = 1000;
  restart();
  established();
  takes_data = false;
  ASSERT_EQ(queue("ours"), 4U);
  output();
  arrive(make(kAck, kPeerIss + 1, kIss + 1), "x");
  // The handler has taken nothing of a full buffer.
  base::Packet packet;
  ASSERT_TRUE(cache.allocate(packet));
  hold_text(tcb, packet, {packet.data, 999});
  tcb.rcv_nxt += 999;
  ASSERT_EQ(tcb.rcv_wnd(), 0U);
  arrive(make(kAck, tcb.rcv_nxt.raw(), kIss + 5), "probe");
  EXPECT_EQ(tcb.snd_una, Seq{kIss + 5});             // the ACK counts
  EXPECT_EQ(tcb.rcv_nxt, Seq{kPeerIss + 1 + 1000});  // the text does not
  EXPECT_TRUE(arrive(make(kRst, tcb.rcv_nxt.raw())).closed);
}

TEST_F(SegmentArrives, TextAfterTheFinIsIgnored) {
  close_wait();
  arrive(make(kAck, kPeerIss + 2, kIss + 1), "more");
  EXPECT_EQ(delivered, "");
  EXPECT_EQ(tcb.rcv_nxt, Seq{kPeerIss + 2});
}

TEST_F(SegmentArrives, RetransmittedFinIsAcknowledgedAgain) {
  close_wait();
  arrive(make(kFin | kAck, kPeerIss + 1, kIss + 1));
  expect_only_ack(output(), kIss + 1, kPeerIss + 2);
  EXPECT_EQ(tcb.state, State::close_wait);
}

TEST_F(SegmentArrives, HalfCloseStillReceives) {
  fin_wait_2();
  arrive(make(kAck, kPeerIss + 1, kIss + 2), "still here");
  EXPECT_EQ(delivered, "still here");
}

TEST_F(SegmentArrives, HalfCloseStillSends) {
  close_wait();
  EXPECT_EQ(queue("answer"), 6U);
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].payload, "answer");
}

// --- RFC 7323

class Timestamps : public ConnectionTest {
 public:
  void SetUp() override {
    config.timestamps = true;
    restart();
    syn_sent();
    ASSERT_TRUE(arrive(stamped(make(kSyn | kAck, kPeerIss, kIss + 1), 1000)).established);
    output();
  }
  static Segment stamped(Segment segment, std::uint32_t value) {
    segment.options.present |= TcpOptions::kTimestamps;
    segment.options.ts_value = value;
    return segment;
  }
};

TEST_F(Timestamps, AreEchoedAndTakenOffTheMss) {
  EXPECT_TRUE(tcb.timestamps);
  EXPECT_EQ(tcb.snd_mss, 536 - 12);
  arrive(stamped(make(kAck, kPeerIss + 1, kIss + 1), 1005), "x");
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.options.ts_echo, 1005U);
}

TEST_F(Timestamps, OldOnesAreRejectedByPaws) {
  arrive(stamped(make(kAck, kPeerIss + 1, kIss + 1), 998), "old");
  EXPECT_EQ(delivered, "");
  EXPECT_EQ(counters.paws_rejected.value(), 1U);
  expect_only_ack(output(), kIss + 1, kPeerIss + 1);
}

// Overtaken by a retransmission, which moved TS.Recent on, but sent just before it.
TEST_F(Timestamps, ALateSegmentIsNoOldDuplicate) {
  arrive(stamped(make(kAck, kPeerIss + 3, kIss + 1), 1000), "cd");
  arrive(stamped(make(kAck, kPeerIss + 1, kIss + 1), 1001), "ab");  // sent again
  output();
  arrive(stamped(make(kAck, kPeerIss + 5, kIss + 1), 1000), "ef");
  EXPECT_EQ(delivered, "abcdef");
  EXPECT_EQ(counters.paws_rejected.value(), 0U);
  EXPECT_EQ(tcb.ts_recent, 1001U);  // which never goes back (R3)
}

// On a path that reorders: "ab" is sent again and overtakes "ef", which is late. Eleven ticks are
// too many even then.
TEST_F(Timestamps, WhileTextIsMissingALateSegmentMayBeTenTicksOlder) {
  arrive(stamped(make(kAck, kPeerIss + 3, kIss + 1), 1000), "cd");
  arrive(stamped(make(kAck, kPeerIss + 7, kIss + 1), 1000), "gh");
  arrive(stamped(make(kAck, kPeerIss + 1, kIss + 1), 1020), "ab");
  output();
  arrive(stamped(make(kAck, kPeerIss + 9, kIss + 1), 1009), "ij");
  EXPECT_EQ(counters.paws_rejected.value(), 1U);
  arrive(stamped(make(kAck, kPeerIss + 5, kIss + 1), 1010), "ef");
  EXPECT_EQ(delivered, "abcdefgh");
  EXPECT_EQ(counters.paws_rejected.value(), 1U);
  EXPECT_EQ(tcb.ts_recent, 1020U);
}

TEST_F(Timestamps, SegmentWithoutOneIsDropped) {
  arrive(make(kAck, kPeerIss + 1, kIss + 1), "bare");
  EXPECT_EQ(delivered, "");
  EXPECT_TRUE(output().empty());
}

TEST_F(Timestamps, ResetNeedsNone) {
  EXPECT_TRUE(arrive(make(kRst, kPeerIss + 1)).closed);
}

TEST_F(Timestamps, PawsForgetsAfterTwentyFourDays) {
  context.set_time(context.now + std::chrono::hours(24 * 25));
  arrive(stamped(make(kAck, kPeerIss + 1, kIss + 1), 5), "late");
  EXPECT_EQ(delivered, "late");
}

// Only a segment at the left edge sets TS.Recent (section 4.3).
TEST_F(Timestamps, RecentIsNotTakenFromBeyondAGap) {
  arrive(stamped(make(kAck, kPeerIss + 5, kIss + 1), 2000), "gap");
  EXPECT_EQ(tcb.ts_recent, 1000U);
}

TEST_F(ConnectionTest, OptionsNotOfferedAreNotUsed) {
  config.timestamps = config.window_scaling = true;
  restart();
  established();
  EXPECT_FALSE(tcb.timestamps);
  EXPECT_FALSE(tcb.window_scaling);
  EXPECT_EQ(tcb.snd_shift, 0);
  EXPECT_EQ(tcb.receive_shift, 0);
}

TEST_F(ConnectionTest, WindowInASynIsNotScaled) {
  config.window_scaling = true;
  restart();
  syn_sent();
  Segment syn_ack = make(kSyn | kAck, kPeerIss, kIss + 1, 1000);
  syn_ack.options.present = TcpOptions::kWindowScale;
  syn_ack.options.window_scale = 7;
  arrive(syn_ack);
  EXPECT_EQ(tcb.snd_wnd, 1000U);
  output();
  arrive(make(kAck, kPeerIss + 1, kIss + 1, 1000), "x");
  EXPECT_EQ(tcb.snd_wnd, 128'000U);
}

}  // namespace
}  // namespace handfast::tcp
