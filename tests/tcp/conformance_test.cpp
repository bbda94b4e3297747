// What an RFC asks for and no test of a mechanism happens to show: one case a requirement, named in
// docs/conformance.md.
#include <string>

#include "connection_fixture.hpp"
#include "tcp/handshake_options.hpp"

namespace handfast::tcp {
namespace {

using namespace std::chrono_literals;

class Conformance : public ConnectionTest {
 public:
  void established_with_ecn() {
    config.ecn = EcnMode::offer;
    restart();
    syn_sent_with_ecn();
    arrive(make(kSyn | kAck | base::kEce, kPeerIss, kIss + 1));
    output();
    ASSERT_TRUE(tcb.ecn);
  }
  void syn_sent_with_ecn() {
    open(tcb, key, Seq{kIss}, context);
    output();
  }
};

// RFC 9293 SHLD-15, SHLD-16, MAY-7: a window that shrinks holds new data back, and old data not.
TEST_F(Conformance, AShrunkWindowHoldsBackNewDataOnly) {
  established();
  queue(std::string(2 * 536, 'a'));
  ASSERT_EQ(output().size(), 2U);
  arrive(make(kAck, kPeerIss + 1, kIss + 1, 100));
  queue(std::string(536, 'b'));
  EXPECT_TRUE(output().empty());
  wait(1s);
  ASSERT_FALSE(sent_by_timer.empty());
  for (const Sent& s : sent_by_timer) {
    EXPECT_EQ(s.segment.seq, Seq{kIss + 1});
    EXPECT_EQ(s.payload.size(), 536U);
  }
}

// MUST-15: 1220 bytes over IPv6 where the peer names no MSS.
TEST_F(Conformance, WithoutMssOptionIpv6SegmentsStayAtTheirDefault) {
  const PeerOffer offer = read_offer({}, false, parameters);
  EXPECT_EQ(offer.mss, kDefaultSendMssV6);
  EXPECT_EQ(effective_send_mss(offer.mss, false, false, parameters), 1220);
}

// SHLD-11: R2 of five minutes.
TEST_F(Conformance, GivesUpAfterFiveMinutes) {
  established();
  queue("data");
  output();
  EXPECT_FALSE(wait(299s).gave_up);
  EXPECT_TRUE(wait(2s).gave_up);
}

// RFC 6298 section 2.5.
TEST_F(Conformance, TheRetransmissionTimeoutStopsAtAMinute) {
  config.user_timeout = 2h;
  restart();
  established();
  queue("data");
  output();
  wait(10min);
  EXPECT_EQ(tcb.rto_us, 60'000'000U);
  sent_by_timer.clear();
  wait(10min);
  EXPECT_EQ(sent_by_timer.size(), 10U);
}

// RFC 3168 section 6.1.5: nobody can tell whether a mark on a copy tells of the path now.
TEST_F(Conformance, WhatIsSentAgainCannotBeMarked) {
  established_with_ecn();
  queue(std::string(5 * 536, 'a'));
  for (const Sent& s : output()) EXPECT_EQ(s.segment.ecn, base::Ecn::ect_0);
  for (int i = 0; i < 3; ++i) arrive(make(kAck, kPeerIss + 1, kIss + 1));
  queue(std::string(5 * 536, 'b'));
  arrive(make(kAck, kPeerIss + 1, kIss + 1));
  bool was_resent = false;
  for (const Sent& s : output()) {
    const bool is_again = s.segment.seq == Seq{kIss + 1};
    was_resent |= is_again;
    EXPECT_EQ(s.segment.ecn, is_again ? base::Ecn::not_ect : base::Ecn::ect_0);
  }
  EXPECT_TRUE(was_resent);
}

// RFC 3168 section 6.1.6.
TEST_F(Conformance, AProbeOfAClosedWindowCannotBeMarked) {
  established_with_ecn();
  arrive(make(kAck, kPeerIss + 1, kIss + 1, 0));
  queue("data");
  output();
  wait(1s);
  ASSERT_FALSE(sent_by_timer.empty());
  for (const Sent& s : sent_by_timer) EXPECT_EQ(s.segment.ecn, base::Ecn::not_ect);
}

}  // namespace
}  // namespace handfast::tcp
