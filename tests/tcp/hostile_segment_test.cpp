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

}  // namespace
}  // namespace handfast::tcp
