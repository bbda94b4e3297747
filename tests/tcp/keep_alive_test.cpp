// Keep-alive (RFC 9293 section 3.8.4): MUST-24 to 29, both ends.

#include "connection_fixture.hpp"

namespace handfast::tcp {
namespace {

using namespace std::chrono_literals;

class KeepAlive : public ConnectionTest {
 public:
  KeepAlive() {
    config.keep_alive = 100s;
    config.keep_alive_interval = 10s;
    config.keep_alive_probes = 3;
    restart();
    tcb.keep_alive_s = parameters.keep_alive_s;
  }
  // What the timer sent since last asked.
  std::vector<Sent> probes() { return std::exchange(sent_by_timer, {}); }
};

TEST_F(KeepAlive, IsOffUnlessAskedFor) {
  EXPECT_EQ(StackConfig{}.keep_alive, Duration(0));  // MUST-25
  tcb.keep_alive_s = 0;
  established();
  EXPECT_FALSE(wait(20h).gave_up);
  EXPECT_TRUE(probes().empty());
}

TEST_F(KeepAlive, ProbesAfterIdlenessWithANumberThatIsAcknowledged) {
  established();
  wait(99s);
  EXPECT_TRUE(probes().empty());
  wait(2s);
  const auto sent = probes();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.seq, Seq{kIss});  // SND.UNA - 1
  EXPECT_EQ(sent[0].segment.ack, Seq{kPeerIss + 1});
  EXPECT_EQ(sent[0].segment.flags, kAck);
  EXPECT_TRUE(sent[0].payload.empty());
  EXPECT_EQ(counters.snapshot().keep_alive_probes, 1U);
  EXPECT_EQ(tcb.snd_nxt, Seq{kIss + 1});
}

TEST_F(KeepAlive, GivesUpWhenNoProbeIsAnsweredAndNotBefore) {
  established();
  EXPECT_FALSE(wait(129s).gave_up);
  EXPECT_EQ(probes().size(), 3U);  // at 100, 110 and 120 s
  EXPECT_TRUE(wait(2s).gave_up);
  EXPECT_EQ(tcb.state, State::closed);
}

// MUST-29: no single unanswered probe means anything.
TEST_F(KeepAlive, AnAnswerToTheLastProbeIsEnough) {
  established();
  wait(125s);
  EXPECT_EQ(probes().size(), 3U);
  arrive(make(kAck, kPeerIss + 1, kIss + 1));
  EXPECT_TRUE(output().empty());
  EXPECT_FALSE(wait(99s).gave_up);
  EXPECT_TRUE(probes().empty());
  wait(2s);
  EXPECT_EQ(probes().size(), 1U);
  EXPECT_FALSE(wait(25s).gave_up);  // and all three are counted anew
}

// MUST-26: only when nothing was received, be it data, an ACK or the peer's own keep-alive.
TEST_F(KeepAlive, WhatArrivesPutsItOff) {
  established();
  wait(90s);
  arrive(make(kAck, kPeerIss + 1, kIss + 1), "data");
  output();
  wait(90s);
  arrive(make(kAck, kPeerIss + 5, kIss + 1));
  wait(90s);
  arrive(make(kAck, kPeerIss + 4, kIss + 1));
  EXPECT_EQ(output().size(), 1U);  // MUST answer it
  wait(99s);
  EXPECT_TRUE(probes().empty());
  wait(2s);
  EXPECT_EQ(probes().size(), 1U);
}

// MUST-26: only when nothing of ours is unanswered; the retransmission timer asks then.
TEST_F(KeepAlive, WaitsWhileDataIsInFlight) {
  config.user_timeout = 24h;
  restart();
  tcb.keep_alive_s = parameters.keep_alive_s;
  established();
  queue("unanswered");
  output();
  wait(400s);
  for (const Sent& sent : probes()) EXPECT_EQ(sent.payload, "unanswered");
  EXPECT_EQ(counters.snapshot().keep_alive_probes, 0U);
  arrive(make(kAck, kPeerIss + 1, kIss + 11));
  output();
  wait(99s);
  EXPECT_EQ(counters.snapshot().keep_alive_probes, 0U);
  wait(3s);
  EXPECT_EQ(counters.snapshot().keep_alive_probes, 1U);
}

// Probes without an answer are no time-outs of the data that follows.
TEST_F(KeepAlive, DataSentBetweenProbesHasItsWholePatience) {
  established();
  wait(115s);
  EXPECT_EQ(tcb.retransmits, 2U);
  queue("late");
  output();
  EXPECT_EQ(tcb.retransmits, 0U);
  EXPECT_EQ(tcb.waiting_since, context.tick);
  EXPECT_FALSE(wait(60s).gave_up);
}

TEST_F(KeepAlive, WorksInFinWait2AndCloseWait) {
  fin_wait_2();
  EXPECT_TRUE(output().empty());
  wait(101s);
  auto sent = probes();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.seq, Seq{kIss + 1});  // the FIN's
  EXPECT_TRUE(wait(31s).gave_up);

  probes();
  restart();
  tcb.keep_alive_s = parameters.keep_alive_s;
  close_wait();
  wait(101s);
  EXPECT_EQ(probes().size(), 1U);
}

TEST_F(KeepAlive, CanBeTurnedOnAndOff) {
  tcb.keep_alive_s = 0;
  established();
  wait(1000s);
  set_keep_alive(tcb, 50, context);
  output();
  wait(49s);
  EXPECT_TRUE(probes().empty());
  wait(2s);
  EXPECT_EQ(probes().size(), 1U);
  set_keep_alive(tcb, 0, context);
  output();
  EXPECT_FALSE(wait(1h).gave_up);
  EXPECT_TRUE(probes().empty());
}

// The other end: a probe is outside the window, so it is answered (section 3.10.7.4, first step).
TEST_F(KeepAlive, APeersProbeIsAnsweredInEveryStateThatCanGetOne) {
  const auto expect_answer = [this](std::uint32_t rcv_nxt) {
    arrive(make(kAck, rcv_nxt - 1, kIss + 1));
    const auto sent = output();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].segment.flags, kAck);
    EXPECT_EQ(sent[0].segment.ack, Seq{rcv_nxt});
  };
  established();
  expect_answer(kPeerIss + 1);
  restart();
  close_wait();
  expect_answer(kPeerIss + 2);
  restart();
  fin_wait_2();
  expect_answer(kPeerIss + 1);
}

// One garbage byte (MAY-6), from implementations that need it.
TEST_F(KeepAlive, AProbeWithAByteIsAnsweredToo) {
  established();
  arrive(make(kAck, kPeerIss, kIss + 1), "x");
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.ack, Seq{kPeerIss + 1});
  EXPECT_EQ(delivered, "");
}

}  // namespace
}  // namespace handfast::tcp
