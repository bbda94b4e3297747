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

}  // namespace
}  // namespace handfast::tcp
