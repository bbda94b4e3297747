// Every arrow of RFC 9293's figure 5, one test each. LISTEN, SYN-RECEIVED of a passive open and
// TIME-WAIT are records of their own: their arrows are in half_open_test.cpp and in tests/stack.

#include "connection_fixture.hpp"

namespace handfast::tcp {
namespace {

using StateDiagram = ConnectionTest;

TEST_F(StateDiagram, ClosedToSynSentByActiveOpen) {
  open(tcb, key, Seq{kIss}, context);
  EXPECT_EQ(tcb.state, State::syn_sent);
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.flags, kSyn);
  EXPECT_EQ(sent[0].segment.seq, Seq{kIss});
  EXPECT_TRUE(sent[0].segment.options.has(TcpOptions::kMss));
  EXPECT_EQ(sent[0].segment.options.mss, 1460);
}

TEST_F(StateDiagram, SynSentToEstablished) {
  syn_sent();
  const Arrival arrival = arrive(make(kSyn | kAck, kPeerIss, kIss + 1));
  EXPECT_TRUE(arrival.established);
  EXPECT_EQ(tcb.state, State::established);
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.flags, kAck);
  EXPECT_EQ(sent[0].segment.seq, Seq{kIss + 1});
  EXPECT_EQ(sent[0].segment.ack, Seq{kPeerIss + 1});
}

TEST_F(StateDiagram, SynSentToSynReceivedBySimultaneousOpen) {
  syn_sent();
  EXPECT_FALSE(arrive(make(kSyn, kPeerIss)).established);
  EXPECT_EQ(tcb.state, State::syn_received);
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.flags, kSyn | kAck);
  EXPECT_EQ(sent[0].segment.seq, Seq{kIss});
  EXPECT_EQ(sent[0].segment.ack, Seq{kPeerIss + 1});
}

TEST_F(StateDiagram, SynReceivedToEstablishedByAck) {
  syn_received();
  output();
  EXPECT_TRUE(arrive(make(kAck, kPeerIss + 1, kIss + 1)).established);
  EXPECT_EQ(tcb.state, State::established);
}

// Figure 8: both SYN-ACKs cross.
TEST_F(StateDiagram, SynReceivedToEstablishedByThePeersSynAck) {
  syn_received();
  output();
  EXPECT_TRUE(arrive(make(kSyn | kAck, kPeerIss, kIss + 1)).established);
  EXPECT_EQ(tcb.state, State::established);
}

TEST_F(StateDiagram, SynReceivedToFinWait1ByClose) {
  syn_received();
  output();
  EXPECT_TRUE(close(tcb));
  EXPECT_TRUE(arrive(make(kAck, kPeerIss + 1, kIss + 1)).established);
  EXPECT_EQ(tcb.state, State::fin_wait_1);
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.flags, kFin | kAck);
}

TEST_F(StateDiagram, SynReceivedOfAnActiveOpenToClosedByReset) {
  syn_received();
  output();
  const Arrival arrival = arrive(make(kRst, kPeerIss + 1));
  EXPECT_TRUE(arrival.closed);
  EXPECT_EQ(arrival.reason, CloseReason::refused);
}

TEST_F(StateDiagram, SynSentToClosedByClose) {
  syn_sent();
  EXPECT_FALSE(close(tcb));  // the caller deletes the record
}

TEST_F(StateDiagram, SynSentToClosedByReset) {
  syn_sent();
  const Arrival arrival = arrive(make(kRst | kAck, 0, kIss + 1));
  EXPECT_TRUE(arrival.closed);
  EXPECT_EQ(arrival.reason, CloseReason::refused);
  EXPECT_EQ(tcb.state, State::closed);
}

TEST_F(StateDiagram, EstablishedToFinWait1ByClose) {
  established();
  EXPECT_TRUE(close(tcb));
  EXPECT_EQ(tcb.state, State::fin_wait_1);
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.flags, kFin | kAck);
  EXPECT_EQ(sent[0].segment.seq, Seq{kIss + 1});
}

TEST_F(StateDiagram, EstablishedToCloseWaitByFin) {
  established();
  arrive(make(kFin | kAck, kPeerIss + 1, kIss + 1));
  EXPECT_EQ(tcb.state, State::close_wait);
  EXPECT_TRUE(tcb.fin_received);
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.flags, kAck);
  EXPECT_EQ(sent[0].segment.ack, Seq{kPeerIss + 2});
}

TEST_F(StateDiagram, FinWait1ToFinWait2ByAck) {
  fin_wait_1();
  arrive(make(kAck, kPeerIss + 1, kIss + 2));
  EXPECT_EQ(tcb.state, State::fin_wait_2);
}

TEST_F(StateDiagram, FinWait1ToClosingByFin) {
  fin_wait_1();
  arrive(make(kFin | kAck, kPeerIss + 1, kIss + 1));
  EXPECT_EQ(tcb.state, State::closing);
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.flags, kAck);
  EXPECT_EQ(sent[0].segment.ack, Seq{kPeerIss + 2});
}

TEST_F(StateDiagram, FinWait1ToTimeWaitByFinThatAcknowledgesOurs) {
  fin_wait_1();
  const Arrival arrival = arrive(make(kFin | kAck, kPeerIss + 1, kIss + 2));
  EXPECT_TRUE(arrival.time_wait);
  EXPECT_EQ(tcb.state, State::time_wait);
  EXPECT_TRUE(tcb.ack_pending);
}

TEST_F(StateDiagram, FinWait2ToTimeWaitByFin) {
  fin_wait_2();
  const Arrival arrival = arrive(make(kFin | kAck, kPeerIss + 1, kIss + 2));
  EXPECT_TRUE(arrival.time_wait);
  EXPECT_EQ(tcb.state, State::time_wait);
  EXPECT_TRUE(tcb.ack_pending);
}

TEST_F(StateDiagram, ClosingToTimeWaitByAck) {
  closing();
  const Arrival arrival = arrive(make(kAck, kPeerIss + 2, kIss + 2));
  EXPECT_TRUE(arrival.time_wait);
  EXPECT_EQ(tcb.state, State::time_wait);
}

TEST_F(StateDiagram, ClosingStaysWhileOurFinIsNotAcknowledged) {
  closing();
  EXPECT_FALSE(arrive(make(kAck, kPeerIss + 2, kIss + 1)).time_wait);
  EXPECT_EQ(tcb.state, State::closing);
}

TEST_F(StateDiagram, CloseWaitToLastAckByClose) {
  close_wait();
  EXPECT_TRUE(close(tcb));
  EXPECT_EQ(tcb.state, State::last_ack);
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.flags, kFin | kAck);
  EXPECT_EQ(sent[0].segment.ack, Seq{kPeerIss + 2});
}

TEST_F(StateDiagram, LastAckToClosedByAck) {
  last_ack();
  const Arrival arrival = arrive(make(kAck, kPeerIss + 2, kIss + 2));
  EXPECT_TRUE(arrival.closed);
  EXPECT_EQ(arrival.reason, CloseReason::finished);
  EXPECT_EQ(tcb.state, State::closed);
}

TEST_F(StateDiagram, ResetClosesEverySynchronizedState) {
  using Into = void (StateDiagram::*)();
  struct Case {
    Into into;
    std::uint32_t rcv_nxt;
  };
  const Case cases[] = {{&StateDiagram::fin_wait_1, kPeerIss + 1},
                        {&StateDiagram::fin_wait_2, kPeerIss + 1},
                        {&StateDiagram::close_wait, kPeerIss + 2},
                        {&StateDiagram::closing, kPeerIss + 2},
                        {&StateDiagram::last_ack, kPeerIss + 2}};
  for (const Case& c : cases) {
    restart();
    (this->*c.into)();
    const Arrival arrival = arrive(make(kRst, c.rcv_nxt));
    EXPECT_TRUE(arrival.closed);
    EXPECT_EQ(arrival.reason, CloseReason::reset);
    EXPECT_EQ(tcb.state, State::closed);
  }
}

TEST_F(StateDiagram, AbortSendsResetWhereTheStateAsksForIt) {
  established();
  const auto rst = reset_of_abort(tcb, context);
  ASSERT_TRUE(rst.has_value());
  EXPECT_EQ(rst->seq, Seq{kIss + 1});
  EXPECT_TRUE(rst->has(kRst));
  restart();
  last_ack();
  EXPECT_FALSE(reset_of_abort(tcb, context).has_value());
  restart();
  syn_sent();
  EXPECT_FALSE(reset_of_abort(tcb, context).has_value());
}

}  // namespace
}  // namespace handfast::tcp
