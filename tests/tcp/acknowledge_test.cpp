// When an acknowledgement goes, and which congestion marks it echoes.

#include "tcp/acknowledge.hpp"

#include "connection_fixture.hpp"

namespace handfast::tcp {
namespace {

constexpr std::uint32_t kMss = 1460;

class Acknowledge : public ConnectionTest {
 public:
  void start() {
    config.delayed_ack = std::chrono::milliseconds(40);
    restart();
    established();
    tcb.quick_acks = 0;
    tcb.srtt_us = 0;
  }
  void text(std::size_t bytes = kMss, base::Ecn mark = base::Ecn::ect_0,
            std::uint8_t flags = kAck) {
    Segment segment = make(flags, tcb.rcv_nxt.raw(), tcb.snd_nxt.raw());
    segment.ecn = mark;
    arrive(segment, std::string(bytes, 'x'));
  }
  void set_ecn(CongestionControl algorithm) {
    start();
    tcb.ecn = true;
    tcb.congestion = algorithm;
    tcb.quick_acks = 200;
  }
};

// RFC 9293 section 3.8.6.3, RFC 5681 section 4.2
TEST_F(Acknowledge, OneSegmentWaitsAndTheSecondIsAcknowledgedAtOnce) {
  start();
  text();
  EXPECT_TRUE(output().empty());
  EXPECT_NE(tcb.ack_at, base::kNoTick);
  text();
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.ack, Seq{kPeerIss + 1 + 2 * kMss});
  EXPECT_EQ(tcb.ack_at, base::kNoTick);
  text();
  EXPECT_TRUE(output().empty());
}

// The peer's segments may be shorter than we would let them be: two of 1,000 bytes are enough.
TEST_F(Acknowledge, SegmentsThatThePortMergedAreAcknowledgedAtOnce) {
  start();
  tcb.ack_pending = false;
  owe_acknowledgement(tcb, kMss, context);
  EXPECT_FALSE(tcb.ack_pending);
  tcb.unacked_segments = 0;
  owe_acknowledgement(tcb, 2'000, context);
  EXPECT_TRUE(tcb.ack_pending);
}

TEST_F(Acknowledge, TheTimerSendsItAfterFortyMilliseconds) {
  start();
  text();
  EXPECT_TRUE(output().empty());
  wait(std::chrono::milliseconds(39));
  EXPECT_TRUE(sent_by_timer.empty());
  wait(std::chrono::milliseconds(2));
  ASSERT_EQ(sent_by_timer.size(), 1U);
  EXPECT_EQ(sent_by_timer[0].segment.ack, tcb.rcv_nxt);
  EXPECT_EQ(counters.delayed_acks.value(), 1U);
}

TEST_F(Acknowledge, AKnownRoundTripShortensTheWait) {
  start();
  tcb.srtt_us = 10'000;
  text();
  wait(std::chrono::milliseconds(4));
  EXPECT_TRUE(sent_by_timer.empty());
  wait(std::chrono::milliseconds(2));
  EXPECT_EQ(sent_by_timer.size(), 1U);
}

TEST_F(Acknowledge, AnAnswerCarriesIt) {
  start();
  text(100);
  ASSERT_EQ(queue("answer"), 6U);
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].payload, "answer");
  EXPECT_EQ(sent[0].segment.ack, Seq{kPeerIss + 101});
  EXPECT_EQ(tcb.ack_at, base::kNoTick);
  EXPECT_EQ(tcb.unacked_segments, 0);
}

TEST_F(Acknowledge, WithoutDelayEachBurstIsAcknowledged) {
  config.delayed_ack = Duration(0);
  restart();
  established();
  tcb.quick_acks = 0;
  text();
  EXPECT_EQ(output().size(), 1U);
}

TEST_F(Acknowledge, TextbookModeNeverDelays) {
  config.textbook = true;
  start();
  text();
  EXPECT_EQ(output().size(), 1U);
}

TEST_F(Acknowledge, TheFirstSixteenAreQuick) {
  config.delayed_ack = std::chrono::milliseconds(40);
  restart();
  established();
  tcb.srtt_us = 20'000;
  for (int i = 0; i < 16; ++i) {
    text(10);
    ASSERT_EQ(output().size(), 1U) << i;
  }
  text(10);
  EXPECT_TRUE(output().empty());
}

TEST_F(Acknowledge, TheyAreQuickAgainAfterIdleness) {
  start();
  text(10);
  output();
  wait(std::chrono::milliseconds(100));
  text(10);
  EXPECT_TRUE(output().empty());
  wait(std::chrono::seconds(3));
  sent_by_timer.clear();
  text(10);
  text(10);
  output();
  text(10);
  EXPECT_EQ(output().size(), 1U);
}

// RFC 5681 section 4.2: beyond a gap, and when it closes.
TEST_F(Acknowledge, AGapIsAcknowledgedAtOnce) {
  start();
  arrive(make(kAck, kPeerIss + 1 + kMss, kIss + 1), std::string(kMss, 'x'));
  EXPECT_EQ(output().size(), 1U);
  text();
  EXPECT_EQ(output().size(), 1U);
  EXPECT_EQ(tcb.rcv_nxt, Seq{kPeerIss + 1 + 2 * kMss});
}

TEST_F(Acknowledge, AGapThatClosesInPartIsAcknowledgedAtOnce) {
  start();
  arrive(make(kAck, kPeerIss + 1 + 2 * kMss, kIss + 1), std::string(kMss, 'x'));
  output();
  text();
  EXPECT_EQ(output().size(), 1U);
}

TEST_F(Acknowledge, AFinIsAcknowledgedAtOnce) {
  start();
  text(10, base::Ecn::not_ect, kAck | kFin);
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.ack, Seq{kPeerIss + 12});
}

TEST_F(Acknowledge, OldTextIsAcknowledgedAtOnce) {
  start();
  text(10);
  output();
  arrive(make(kAck, kPeerIss + 1, kIss + 1), "0123456789");
  EXPECT_EQ(output().size(), 1U);
}

// --- RFC 3168 section 6.1.3

TEST_F(Acknowledge, AMarkIsEchoedUntilThePeerAnswersIt) {
  set_ecn(CongestionControl::cubic);
  text();
  EXPECT_FALSE(output().at(0).segment.has(base::kEce));
  text(kMss, base::Ecn::ce);
  EXPECT_TRUE(output().at(0).segment.has(base::kEce));
  text();
  EXPECT_TRUE(output().at(0).segment.has(base::kEce));
  text(kMss, base::Ecn::ect_0, kAck | base::kCwr);
  EXPECT_FALSE(output().at(0).segment.has(base::kEce));
  text(kMss, base::Ecn::ce, kAck | base::kCwr);  // a new mark on the very answer
  EXPECT_TRUE(output().at(0).segment.has(base::kEce));
  EXPECT_EQ(counters.congestion_marks.value(), 2U);
}

TEST_F(Acknowledge, AMarkOutsideTheWindowIsIgnored) {
  set_ecn(CongestionControl::cubic);
  Segment far = make(kAck, tcb.rcv_adv.raw() + 10, kIss + 1);
  far.ecn = base::Ecn::ce;
  arrive(far, "far");
  EXPECT_FALSE(tcb.ecn_echo);
}

TEST_F(Acknowledge, WithoutEcnNothingIsEchoed) {
  start();
  tcb.quick_acks = 200;
  text(kMss, base::Ecn::ce);
  EXPECT_FALSE(output().at(0).segment.has(base::kEce));
}

TEST_F(Acknowledge, CwrGoesOnceAndOnNewData) {
  set_ecn(CongestionControl::cubic);
  tcb.cwr_pending = true;
  text(10);
  EXPECT_FALSE(output().at(0).segment.has(base::kCwr));  // a pure ACK
  queue("first");
  EXPECT_TRUE(output().at(0).segment.has(base::kCwr));
  arrive(make(kAck, tcb.rcv_nxt.raw(), tcb.snd_nxt.raw()));
  queue("second");
  EXPECT_FALSE(output().at(0).segment.has(base::kCwr));
}

// --- RFC 8257 section 3.2

struct Echo {
  std::uint32_t bytes;
  bool ece;
  bool operator==(const Echo&) const = default;
};

class DctcpEcho : public Acknowledge {
 public:
  // One burst of segments, 'x' marked.
  std::vector<Echo> burst(std::string_view marks) {
    for (const char mark : marks) text(kMss, mark == 'x' ? base::Ecn::ce : base::Ecn::ect_0);
    std::vector<Echo> echoes;
    for (const Sent& s : output()) {
      echoes.push_back({s.segment.ack - acked_, s.segment.has(base::kEce)});
      acked_ = s.segment.ack;
      edges_.push_back(s.segment.ack + (std::uint32_t{s.segment.window} << tcb.receive_shift));
    }
    return echoes;
  }
  void SetUp() override {
    set_ecn(CongestionControl::dctcp);
    acked_ = tcb.rcv_nxt;
  }
  Seq acked_;
  std::vector<Seq> edges_;
};

TEST_F(DctcpEcho, FollowsEachSegmentWhenEachIsABurst) {
  EXPECT_EQ(burst("."), (std::vector<Echo>{{kMss, false}}));
  EXPECT_EQ(burst("x"), (std::vector<Echo>{{kMss, true}}));
  EXPECT_EQ(burst("x"), (std::vector<Echo>{{kMss, true}}));
  EXPECT_EQ(burst("."), (std::vector<Echo>{{kMss, false}}));
}

TEST_F(DctcpEcho, AChangeWithinABurstMakesTwoAcks) {
  EXPECT_EQ(burst("...x"), (std::vector<Echo>{{3 * kMss, false}, {kMss, true}}));
  EXPECT_EQ(burst("xx.."), (std::vector<Echo>{{2 * kMss, true}, {2 * kMss, false}}));
}

// The sender counts bytes: the sums stay exact however often the mark changed.
TEST_F(DctcpEcho, ManyChangesWithinABurstKeepTheSums) {
  EXPECT_EQ(burst(".x.x.x"), (std::vector<Echo>{{3 * kMss, false}, {3 * kMss, true}}));
  EXPECT_EQ(burst("x.xx.x"), (std::vector<Echo>{{2 * kMss, false}, {4 * kMss, true}}));
}

TEST_F(DctcpEcho, ADelayedAckGoesWhenTheMarkChanges) {
  tcb.quick_acks = 0;
  EXPECT_TRUE(burst(".").empty());
  EXPECT_EQ(burst("x"), (std::vector<Echo>{{kMss, false}, {kMss, true}}));
  EXPECT_TRUE(burst("x").empty());
  EXPECT_EQ(burst("."), (std::vector<Echo>{{kMss, true}, {kMss, false}}));
}

TEST_F(DctcpEcho, TheWindowDoesNotShrinkBetweenTheTwo) {
  tcb.receive_shift = 7;
  edges_.push_back(tcb.rcv_adv);
  for (int i = 0; i < 20; ++i) burst(i % 3 == 0 ? "..x" : ".xx.x");
  ASSERT_GT(edges_.size(), 40U);
  for (std::size_t i = 1; i < edges_.size(); ++i) {
    EXPECT_FALSE(edges_[i].is_before(edges_[i - 1])) << i;
  }
}

// The ACK of 500 bytes was overtaken by a segment sent before it, one that acknowledges nothing.
// Both offer numbers up to ISS + 1001, and neither offers more.
TEST_F(Acknowledge, AnOvertakenAckDoesNotMoveTheWindowsEdge) {
  established(1000);
  queue(std::string(500, 'x'));
  ASSERT_EQ(output().size(), 1U);
  arrive(make(kAck, kPeerIss + 101, kIss + 1, 1000));
  arrive(make(kAck, kPeerIss + 1, kIss + 501, 500));
  EXPECT_EQ(tcb.snd_una, Seq{kIss + 501});
  EXPECT_EQ(tcb.snd_una + tcb.snd_wnd, Seq{kIss + 1001});
}

}  // namespace
}  // namespace handfast::tcp
