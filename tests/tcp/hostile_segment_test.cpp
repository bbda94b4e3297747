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

}  // namespace
}  // namespace handfast::tcp
