// Segments that an honest peer does not send, or sends once in a long life: what they must not do
// to a connection.
#include <string>

#include "tests/tcp/connection_fixture.hpp"

namespace handfast::tcp {
namespace {

class HostileSegmentTest : public ConnectionTest {
 public:
  static Segment with_timestamp(Segment segment, std::uint32_t value) {
    segment.options.present = TcpOptions::kTimestamps;
    segment.options.ts_value = value;
    return segment;
  }
};

// RFC 5961 section 3.2: a RST counts only at RCV.NXT, however much text it drags across it.
TEST_F(HostileSegmentTest, ResetWithTextAcrossRcvNxtIsChallenged) {
  established();
  const Arrival arrival = arrive(make(kRst, kPeerIss + 1 - 700), std::string(1400, 'x'));
  EXPECT_FALSE(arrival.closed);
  EXPECT_TRUE(arrival.challenge);
  EXPECT_EQ(tcb.state, State::established);
}

// RFC 7323 section 5.3: R3 comes after R2, so a segment outside the window sets no TS.Recent.
TEST_F(HostileSegmentTest, TimestampOutsideTheWindowIsNotRemembered) {
  config.timestamps = true;
  restart();
  syn_sent();
  ASSERT_TRUE(arrive(with_timestamp(make(kSyn | kAck, kPeerIss, kIss + 1), 100)).established);
  output();
  arrive(with_timestamp(make(kAck, kPeerIss - 1'000'000, kIss + 1), 0x40000000));
  output();
  arrive(with_timestamp(make(kAck, kPeerIss + 1, kIss + 1), 101), "genuine");
  EXPECT_EQ(delivered, "genuine");
}

TEST_F(HostileSegmentTest, TimestampOfASegmentThatBeginsBeforeTheWindowIsRemembered) {
  config.timestamps = true;
  restart();
  syn_sent();
  ASSERT_TRUE(arrive(with_timestamp(make(kSyn | kAck, kPeerIss, kIss + 1), 100)).established);
  output();
  arrive(with_timestamp(make(kAck, kPeerIss + 1, kIss + 1), 101), "one");
  arrive(with_timestamp(make(kAck, kPeerIss + 1, kIss + 1), 102), "onetwo");
  EXPECT_EQ(delivered, "onetwo");
  EXPECT_EQ(tcb.ts_recent, 102U);
}

// A full window and then the FIN, one number beyond it: nothing more may be promised by that.
TEST_F(HostileSegmentTest, FinRightBehindAFullWindowLeavesNoWindow) {
  config.receive_buffer = config.receive_buffer_max = 1000;
  restart();
  established();
  takes_data = false;
  arrive(make(kFin | kAck, kPeerIss + 1, kIss + 1), std::string(1000, 'x'));
  EXPECT_TRUE(tcb.fin_received);
  EXPECT_EQ(tcb.rcv_wnd(), 0U);
  tcb.receive_held = 1000;  // the handler has taken nothing of it
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.window, 0U);
}

// RFC 6582's `recover` is an old number after 2 GiB without a loss; it must not lie ahead then.
TEST_F(HostileSegmentTest, FastRetransmitWorksAfterTwoGibibytesWithoutLoss) {
  established();
  constexpr std::uint32_t kStep = 1U << 28;
  for (int i = 0; i < 9; ++i) {  // as if so much had been sent and acknowledged
    tcb.snd_nxt += kStep;
    tcb.snd_max = tcb.snd_end = tcb.snd_nxt;
    arrive(make(kAck, kPeerIss + 1, tcb.snd_nxt.raw()));
  }
  output();
  tcb.cwnd = 20'000;
  queue(std::string(10'000, 'x'));
  ASSERT_GE(output().size(), 4U);
  for (int i = 0; i < 3; ++i) arrive(make(kAck, kPeerIss + 1, tcb.snd_una.raw()));
  EXPECT_EQ(tcb.transfer->recovery, Recovery::fast);
  EXPECT_EQ(counters.fast_retransmits.value(), 1U);
}

// RFC 5961 section 5.2: text that a blind attacker sends has to acknowledge something plausible.
TEST_F(HostileSegmentTest, TextWithAnImplausibleAckIsNotTaken) {
  established();
  for (const std::uint32_t ack :
       {kIss + 2, kIss + 0x4000'0000, kIss - 70'000, kIss - 0x4000'0000}) {
    EXPECT_TRUE(arrive(make(kAck, kPeerIss + 1, ack), "forged").challenge) << ack;
  }
  EXPECT_EQ(delivered, "");
  arrive(make(kAck, kPeerIss + 1, kIss + 1), "genuine");
  EXPECT_EQ(delivered, "genuine");
}

// --- a receiver that cheats for more than its share (Savage and others, 1999)

// RFC 3465: a segment acknowledged byte by byte opens the window no further than acknowledged
// whole.
TEST_F(HostileSegmentTest, AckDivisionGainsNothing) {
  for (const auto algorithm : {CongestionControl::new_reno, CongestionControl::cubic}) {
    config.congestion_control = algorithm;
    restart();
    established();
    const std::uint32_t begin = tcb.cwnd;
    queue(std::string(20'000, 'a'));
    output();
    for (std::uint32_t byte = 1; byte <= tcb.snd_mss; ++byte) {
      arrive(make(kAck, kPeerIss + 1, kIss + 1 + byte));
    }
    EXPECT_EQ(tcb.cwnd, begin + tcb.snd_mss);
    // In congestion avoidance one window of bytes is worth one segment, however it is divided.
    tcb.ssthresh = tcb.cwnd;
    const std::uint32_t reached = tcb.cwnd;
    const std::uint32_t flight = tcb.in_flight();
    output();
    for (std::uint32_t byte = 1; byte <= flight; ++byte) {
      arrive(make(kAck, kPeerIss + 1, tcb.snd_una.raw() + 1));
    }
    EXPECT_LE(tcb.cwnd, reached + tcb.snd_mss);
  }
}

// Each duplicate stands for a segment that has arrived; there cannot be more than were in flight.
TEST_F(HostileSegmentTest, DuplicateAcksWithoutEndSendNoMoreThanAWindow) {
  established();
  config.send_buffer = 1 << 20;
  queue(std::string(200'000, 'a'));
  const std::size_t flight = output().size();
  ASSERT_EQ(flight, 10U);
  const std::uint32_t cwnd = tcb.cwnd;
  std::size_t sent = 0;
  for (int i = 0; i < 5000; ++i) {
    arrive(make(kAck, kPeerIss + 1, kIss + 1));
    sent += output().size();
  }
  EXPECT_LE(sent, flight + 3);  // a retransmission, two by limited transmit, the rest of a window
  EXPECT_LE(tcb.cwnd, 2 * cwnd);
  EXPECT_EQ(tcb.transfer->recovery, Recovery::fast);
}

// ACKs of what is still on its way cannot be told from honest ones, but never is more in flight
// than the peer's own window.
TEST_F(HostileSegmentTest, OptimisticAcksStayWithinThePeersWindow) {
  config.send_buffer = 1 << 20;
  restart();
  established(20'000);
  for (int round = 0; round < 200; ++round) {
    queue(std::string(30'000, 'a'));
    output();
    ASSERT_LE(tcb.in_flight(), 20'000U);
    const std::uint32_t beyond = tcb.snd_max.raw() + 1;
    const std::uint32_t before = tcb.cwnd;
    EXPECT_TRUE(arrive(make(kAck, kPeerIss + 1, beyond, 20'000)).challenge);
    EXPECT_EQ(tcb.cwnd, before);
    arrive(make(kAck, kPeerIss + 1, tcb.snd_max.raw(), 20'000));
  }
  EXPECT_LE(tcb.cwnd, 64 * 1024U);  // a window that is not used does not grow
}

TEST_F(HostileSegmentTest, AHugeWindowSendsNoMoreThanOurOwn) {
  config.window_scaling = true;
  config.send_buffer = 1 << 20;
  restart();
  syn_sent();
  Segment syn_ack = make(kSyn | kAck, kPeerIss, kIss + 1, 0xffff);
  syn_ack.options.present = TcpOptions::kWindowScale;
  syn_ack.options.window_scale = 255;  // used as 14 (RFC 7323 section 2.3)
  arrive(syn_ack);
  arrive(make(kAck, kPeerIss + 1, kIss + 1, 0xffff));
  EXPECT_EQ(tcb.snd_wnd, 0xffffU << 14);
  queue(std::string(500'000, 'a'));
  output();
  EXPECT_EQ(tcb.in_flight(), tcb.cwnd);
}

// --- text that contradicts what has arrived

TEST_F(HostileSegmentTest, FirstBytesWinWhereTheyWaitToBeRead) {
  established();
  takes_data = false;
  arrive(make(kAck, kPeerIss + 1, kIss + 1), "first");
  // Kept for the handler, as the stack does with what is not taken.
  base::Packet packet;
  ASSERT_TRUE(cache.allocate(packet));
  std::ranges::copy(std::as_bytes(std::span{std::string_view{"first"}}), packet.data);
  hold_text(tcb, packet, {packet.data, 5});
  arrive(make(kAck, kPeerIss + 1, kIss + 1), "XXXXX");
  arrive(make(kAck, kPeerIss + 3, kIss + 1), "YYY second");
  delivered.clear();
  take_queued();
  EXPECT_EQ(delivered, "first second");
}

}  // namespace
}  // namespace handfast::tcp
