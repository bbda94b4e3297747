// What the sender makes of congestion marks (RFC 3168), alone and beside losses.

#include "recovery_fixture.hpp"
#include "tcp/recovery.hpp"

namespace handfast::tcp {
namespace {

TEST_F(RecoveryTest, MarkReducesTheWindowOnce) {  // RFC 3168 section 6.1.2
  config.ecn = EcnMode::offer;
  restart();
  open(tcb, key, Seq{kIss}, context);
  const auto syn = output();
  ASSERT_EQ(syn.size(), 1U);
  EXPECT_TRUE(syn[0].segment.has(base::kEce) && syn[0].segment.has(base::kCwr));
  Segment syn_ack = make(kSyn | kAck | base::kEce, kPeerIss, kIss + 1);
  syn_ack.options.present = TcpOptions::kMss | TcpOptions::kSackPermitted;
  syn_ack.options.mss = 1000;
  arrive(syn_ack);
  output();
  ASSERT_TRUE(tcb.ecn);
  queue(std::string(10'000, 'x'));
  for (const Sent& s : output()) EXPECT_EQ(s.segment.ecn, base::Ecn::ect_0);
  queue(std::string(10'000, 'y'));
  wait(20ms);
  for (std::uint32_t n = 2; n <= 6; ++n) {
    Segment marked = ack(n);
    marked.flags |= base::kEce;
    arrive(marked);
  }
  EXPECT_EQ(counters.ecn_reductions.value(), 1U);
  EXPECT_EQ(tcb.ssthresh, 5000U);
  const auto sent = output();
  ASSERT_FALSE(sent.empty());
  EXPECT_TRUE(sent[0].segment.has(base::kCwr));
  for (std::size_t i = 1; i < sent.size(); ++i) EXPECT_FALSE(sent[i].segment.has(base::kCwr));
}

// What a mark took is not given back because a loss turns out to be none.
TEST_F(RecoveryTest, UndoingALossLeavesTheReductionForAMark) {
  config.ecn = EcnMode::offer;
  config.timestamps = true;
  restart();
  send_flight(20);
  echoed = context.timestamp;
  wait(25ms);
  Segment marked = ack(2);
  marked.flags |= base::kEce;
  arrive(marked);
  const std::uint32_t reduced = tcb.ssthresh;
  EXPECT_LT(reduced, 11'000U);
  for (std::uint32_t last = 3; last <= 5; ++last) arrive(ack(2, {{3, last}}));
  EXPECT_EQ(sent_segments(), Numbers{2});
  wait(1ms);
  arrive(ack(6));
  EXPECT_EQ(tcb.ssthresh, reduced);
}

// RFC 3168 section 6.1.2: one reduction answers both, and the receiver is told of it.
TEST_F(RecoveryTest, MarkDuringARecoveryKeepsItsReduction) {
  config.ecn = EcnMode::offer;
  config.timestamps = true;
  restart();
  send_flight(20);
  echoed = context.timestamp;
  wait(25ms);
  for (std::uint32_t last = 2; last <= 4; ++last) arrive(ack(1, {{2, last}}));
  EXPECT_EQ(sent_segments(), Numbers{1});
  const std::uint32_t reduced = tcb.ssthresh;
  EXPECT_LT(reduced, 11'000U);
  Segment marked = ack(1, {{2, 5}});
  marked.flags |= base::kEce;
  arrive(marked);
  wait(1ms);
  arrive(ack(21));
  EXPECT_EQ(tcb.ssthresh, reduced);
  queue(std::string(3000, 'y'));
  const auto sent = output();
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_TRUE(sent[0].segment.has(base::kCwr));
  EXPECT_FALSE(sent[1].segment.has(base::kCwr));
}

// The peer sets ECE until it has CWR, which leaves with new data only. When there is none the mark
// comes again and again, with the peer's own data: it counts once, and leaves a window to go on in.
TEST_F(RecoveryTest, AMarkRepeatedWhileNothingIsInFlightCountsOnce) {
  config.ecn = EcnMode::offer;
  restart();
  send_flight(10);
  Segment marked = ack(6);
  marked.flags |= base::kEce;
  arrive(marked);
  ASSERT_EQ(tcb.ssthresh, 5000U);
  marked.ack = start_of(11);
  for (; marked.seq.is_before(Seq{kPeerIss + 20}); marked.seq += 4) {
    arrive(marked, "text");
    output();
  }
  EXPECT_EQ(tcb.ssthresh, 5000U);
  EXPECT_EQ(counters.ecn_reductions.value(), 1U);
  queue(std::string(10'000, 'x'));
  const auto sent = output();
  EXPECT_EQ(numbers(sent), (Numbers{11, 12, 13, 14, 15}));
  EXPECT_TRUE(sent[0].segment.has(base::kCwr));
}

}  // namespace
}  // namespace handfast::tcp
