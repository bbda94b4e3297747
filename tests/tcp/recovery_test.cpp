// Loss recovery as a peer with SACK sees it: what is sent again, when, and what becomes of the
// window. Segments are numbered from 1 in these tests: segment n holds the n-th MSS bytes.

#include "tcp/recovery.hpp"

#include "recovery_fixture.hpp"
#include "tcp/rack.hpp"

namespace handfast::tcp {
namespace {

using namespace std::chrono_literals;

TEST_F(RecoveryTest, LostSegmentIsSentAgainWhenThreeHaveOvertakenIt) {
  send_flight(10);
  wait(20ms);
  arrive(ack(1, {{2, 2}}));
  arrive(ack(1, {{2, 3}}));
  EXPECT_EQ(sent_segments(), Numbers{});
  EXPECT_EQ(tcb.transfer->recovery, Recovery::disorder);
  arrive(ack(1, {{2, 4}}));
  EXPECT_EQ(sent_segments(), Numbers{1});
  EXPECT_EQ(tcb.transfer->recovery, Recovery::fast);
  EXPECT_EQ(tcb.ssthresh, 5000U);  // half of the flight (RFC 5681 equation 4)
  EXPECT_EQ(counters.fast_retransmits.value(), 1U);
}

TEST_F(RecoveryTest, LimitedTransmitKeepsTheClockGoing) {  // RFC 3042
  send_flight(3);
  queue(std::string(3000, 'y'));
  EXPECT_EQ(sent_segments(), Numbers{});
  wait(20ms);
  arrive(ack(1, {{2, 2}}));
  EXPECT_EQ(sent_segments(), Numbers{4});
  arrive(ack(1, {{2, 3}}));
  EXPECT_EQ(sent_segments(), Numbers{5});
}

// RFC 5681 section 3.2 step 2: ssthresh is half of FlightSize as it was when the ACK came that
// tells of the loss, also where that one covers something itself.
TEST_F(RecoveryTest, TheAckThatTellsOfALossTakesNothingFromTheFlight) {
  send_flight(10);
  wait(20ms);
  arrive(ack(5, {{6, 10}}));
  EXPECT_EQ(sent_segments(), Numbers{5});
  EXPECT_EQ(tcb.ssthresh, 5000U);
  EXPECT_EQ(tcb.transfer->prr_flight, 10'000U);  // RFC 9937 section 6.1: RecoverFS
}

// And without what RFC 3042 let go meanwhile ("MUST NOT be included in this calculation").
TEST_F(RecoveryTest, LimitedTransmitIsNoPartOfTheFlight) {
  config.sack = false;
  restart();
  open(tcb, key, Seq{iss}, context);
  output();
  wait(20ms);
  Segment syn_ack = make(kSyn | kAck, kPeerIss, iss + 1);
  syn_ack.options.present = TcpOptions::kMss;
  syn_ack.options.mss = 1000;
  arrive(syn_ack);
  output();
  queue(std::string(20'000, 'x'));
  tcb.cwnd = 10'000;
  ASSERT_EQ(output().size(), 10U);
  wait(20ms);
  for (int duplicate = 1; duplicate <= 2; ++duplicate) {
    arrive(ack(1));
    EXPECT_EQ(output().size(), 1U);
  }
  ASSERT_EQ(tcb.in_flight(), 12'000U);
  arrive(ack(1));
  EXPECT_EQ(tcb.transfer->recovery, Recovery::fast);
  EXPECT_EQ(tcb.ssthresh, 5000U);
}

TEST_F(RecoveryTest, TwoHolesAreFilledInOneRoundTrip) {
  send_flight(10);
  wait(20ms);
  // 1 and 5 are lost.
  for (std::uint32_t last = 2; last <= 4; ++last) arrive(ack(1, {{2, last}}));
  EXPECT_EQ(sent_segments(), Numbers{1});
  Numbers sent;
  for (std::uint32_t last = 6; last <= 10; ++last) {
    arrive(ack(1, {{6, last}, {2, 4}}));
    for (const std::uint32_t n : sent_segments()) sent.push_back(n);
  }
  EXPECT_EQ(sent, Numbers{5});
  wait(20ms);
  arrive(ack(5, {{6, 10}}));
  EXPECT_EQ(tcb.transfer->recovery, Recovery::fast);
  arrive(ack(11));
  EXPECT_EQ(tcb.transfer->recovery, Recovery::open);
  EXPECT_EQ(tcb.cwnd, tcb.ssthresh);
  EXPECT_EQ(counters.retransmission_timeouts.value(), 0U);
  EXPECT_TRUE(tcb.send_queue.is_empty());
}

// RFC 6937 section 4: by the end of the round trip the window has gone down to ssthresh, and
// sending never stopped.
TEST_F(RecoveryTest, WindowIsReducedInProportion) {
  send_flight(20);
  queue(std::string(20'000, 'y'));
  wait(20ms);
  std::size_t sent = 0;
  for (std::uint32_t last = 2; last <= 20; ++last) {
    arrive(ack(1, {{2, last}}));
    sent += sent_segments().size();
  }
  // 19 deliveries: the retransmission, and half as much new data as was delivered.
  EXPECT_GE(sent, 9U);
  EXPECT_LE(sent, 11U);
  EXPECT_EQ(pipe(tcb), tcb.ssthresh);
}

// RFC 6937 section 4, the first example: of twenty segments the first is lost. Limited transmit
// sends two, the third ACK the retransmission. Then the formula counts in bytes, with ssthresh at
// 10 segments (RFC 5681 section 3.2 leaves the two aside) and RecoverFS at 22 (which has them): a
// whole segment for each 2.2 ACKs, so with the 5th, 7th, 9th and 11th that recovery counts. With
// the 14th the pipe is at ssthresh, and stays there: a segment for each ACK.
TEST_F(RecoveryTest, Rfc6937ExampleOfASingleLoss) {
  config.congestion_control = CongestionControl::new_reno;
  restart();
  send_flight(20);
  queue(std::string(20'000, 'y'));
  wait(20ms);
  std::vector<std::size_t> sent;
  for (std::uint32_t last = 2; last <= 20; ++last) {
    arrive(ack(1, {{2, last}}));
    const Numbers now = sent_segments();
    sent.push_back(now.size());
    EXPECT_EQ(now == Numbers{1}, last == 4) << last;
  }
  EXPECT_EQ(sent,
            (std::vector<std::size_t>{1, 1, 1, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 1, 1, 1}));
  EXPECT_EQ(tcb.ssthresh, 10'000U);
  EXPECT_EQ(pipe(tcb), tcb.ssthresh);
}

// RFC 8985 section 3.4: of P0 to P3 (1 to 4 here) only the first arrives. The probe shows by its
// SACK that P1 and P2 are lost; what PRR lets go is one for each that is delivered.
TEST_F(RecoveryTest, Rfc8985ExampleOfFastRecovery) {
  send_flight(4);
  wait(20ms);
  arrive(ack(2));
  output();
  wait(60ms);  // two round trips
  EXPECT_EQ(numbers(sent_by_timer), Numbers{4});
  wait(20ms);
  arrive(ack(2, {{4, 4}}));
  EXPECT_EQ(sent_segments(), Numbers{2});
  wait(20ms);
  arrive(ack(3, {{4, 4}}));
  EXPECT_EQ(sent_segments(), Numbers{3});
  wait(20ms);
  arrive(ack(5));
  EXPECT_TRUE(tcb.send_queue.is_empty());
  EXPECT_EQ(counters.retransmission_timeouts.value(), 0U);
  EXPECT_EQ(counters.tail_loss_probes.value(), 1U);
}

// RFC 8985 section 3.5: the same, and the probe is lost as well. The time-out sends one segment,
// and its answer the others.
TEST_F(RecoveryTest, Rfc8985ExampleOfATimeOut) {
  send_flight(4);
  wait(20ms);
  arrive(ack(2));
  output();
  wait(300ms);
  EXPECT_EQ(numbers(sent_by_timer), (Numbers{4, 2}));
  EXPECT_EQ(counters.retransmission_timeouts.value(), 1U);
  arrive(ack(3));
  EXPECT_EQ(sent_segments(), (Numbers{3, 4}));
  arrive(ack(5));
  EXPECT_TRUE(tcb.send_queue.is_empty());
}

TEST_F(RecoveryTest, LostRetransmissionIsFoundByTime) {
  send_flight(10);
  queue(std::string(20'000, 'y'));
  wait(20ms);
  for (std::uint32_t last = 2; last <= 10; ++last) {
    arrive(ack(1, {{2, last}}));
    output();
  }
  EXPECT_EQ(counters.data_retransmitted.value(), 1U);
  // 11 to 14 left after the retransmission of 1 and arrive; it did not.
  wait(21ms);
  arrive(ack(1, {{2, 11}}));
  arrive(ack(1, {{2, 13}}));
  const Numbers sent = sent_segments();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent[0], 1U);
  EXPECT_EQ(counters.retransmission_timeouts.value(), 0U);
}

TEST_F(RecoveryTest, ReorderingIsLearntAndWaitedFor) {
  send_flight(10);
  wait(20ms);
  for (std::uint32_t last = 2; last <= 4; ++last) arrive(ack(1, {{2, last}}));
  EXPECT_EQ(sent_segments(), Numbers{1});  // nothing is known of reordering yet
  // The original comes, then its copy: a D-SACK.
  arrive(ack(5));
  Segment dsack = ack(5, {{1, 1}});
  arrive(dsack);
  arrive(ack(11));
  output();
  EXPECT_GT(tcb.transfer->reorder_windows, 1U);
  EXPECT_EQ(counters.recoveries_undone.value(), 1U);
  EXPECT_GE(tcb.cwnd, 10'000U);  // not below what it was
}

// What was never sent again was doubled on its way: the window for reordering stays as it is.
TEST_F(RecoveryTest, CopiesThatTheNetworkMadeWidenNothing) {
  send_flight(10);
  wait(20ms);
  arrive(ack(5));
  const auto before = tcb.transfer->reorder_windows;
  for (std::uint32_t copy = 1; copy <= 4; ++copy) arrive(ack(5, {{copy, copy}}));
  arrive(ack(11));
  EXPECT_EQ(tcb.transfer->dsack_dups, 4U);
  EXPECT_EQ(tcb.transfer->reorder_windows, before);
}

// Wherever the numbers begin.
TEST_F(RecoveryTest, NeedlessCopiesWidenTheReorderingWindow) {
  for (const std::uint32_t first : {kIss, 0x4000'0000U, 0x9000'0000U, 0xffff'f000U}) {
    iss = first;
    restart();
    send_flight(10);
    wait(20ms);
    EXPECT_EQ(tcb.transfer->reorder_windows, 1U);
    tcb.transfer->total_retrans = 2;  // as if 1 and 2 had been sent again
    arrive(ack(5, {{1, 1}}));
    EXPECT_EQ(tcb.transfer->reorder_windows, 2U) << first;
    arrive(ack(6, {{2, 2}}));  // of the same round trip
    EXPECT_EQ(tcb.transfer->reorder_windows, 2U) << first;
  }
}

TEST_F(RecoveryTest, ProbeOfTheTailRepairsALostTail) {
  send_flight(5);
  wait(20ms);
  arrive(ack(4));  // 4 and 5 are lost
  output();
  wait(60ms);  // two round trips, and no time-out (200 ms)
  EXPECT_EQ(numbers(sent_by_timer), Numbers{5});
  EXPECT_EQ(counters.tail_loss_probes.value(), 1U);
  sent_by_timer.clear();
  wait(20ms);
  arrive(ack(4, {{5, 5}}));
  // RACK: 4 was sent before 5's probe, long ago.
  EXPECT_EQ(sent_segments(), Numbers{4});
  wait(20ms);
  arrive(ack(6));
  EXPECT_EQ(counters.retransmission_timeouts.value(), 0U);
  EXPECT_EQ(tcb.transfer->recovery, Recovery::open);
}

TEST_F(RecoveryTest, ProbeThatRepairsALossReducesTheWindow) {  // RFC 8985 section 7.4.2
  send_flight(5);
  wait(20ms);
  arrive(ack(5));  // 5 is lost
  output();
  wait(110ms);  // alone in flight: the peer may delay its ACK
  EXPECT_EQ(numbers(sent_by_timer), Numbers{5});
  const std::uint32_t before = tcb.cwnd;
  wait(20ms);
  arrive(ack(6));
  EXPECT_GE(tcb.ssthresh, before);  // the original may only have been late
  queue(std::string(2000, 'y'));
  output();
  wait(20ms);
  arrive(ack(8));
  output();
  EXPECT_LT(tcb.ssthresh, before);
}

TEST_F(RecoveryTest, ProbeThatTheOriginalOvertookCostsNothing) {
  send_flight(5);
  wait(20ms);
  arrive(ack(5));
  output();
  wait(110ms);
  ASSERT_EQ(numbers(sent_by_timer), Numbers{5});
  const std::uint32_t before = tcb.cwnd;
  arrive(ack(6));            // the original's
  arrive(ack(6, {{5, 5}}));  // the copy's
  queue(std::string(2000, 'y'));
  output();
  wait(20ms);
  arrive(ack(8));
  output();
  EXPECT_GE(tcb.ssthresh, before);
  EXPECT_GE(tcb.cwnd, before);
}

TEST_F(RecoveryTest, TimeOutSendsTheFirstAndClosesTheWindow) {
  send_flight(10);
  wait(600ms);  // the probe's, then the retransmission's
  EXPECT_EQ(counters.retransmission_timeouts.value(), 1U);
  EXPECT_EQ(tcb.transfer->recovery, Recovery::loss);
  const Numbers sent = numbers(sent_by_timer);
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0], 10U);
  EXPECT_EQ(sent[1], 1U);
  EXPECT_EQ(tcb.cwnd, 1000U);
  // It arrives; slow start takes up the rest.
  wait(20ms);
  arrive(ack(2));
  EXPECT_EQ(sent_segments(), (Numbers{2, 3}));
}

TEST_F(RecoveryTest, SpuriousTimeOutIsUndoneWhenTheOriginalsArrive) {  // RFC 5682
  send_flight(10);
  wait(600ms);
  const std::uint32_t prior = tcb.transfer->prior_cwnd;
  // All that had been delayed: 1 and its copy cannot be told apart, 2 was sent only once.
  arrive(ack(3));
  EXPECT_EQ(counters.spurious_timeouts.value(), 1U);
  EXPECT_EQ(tcb.transfer->recovery, Recovery::open);
  EXPECT_GE(tcb.cwnd, prior);
  EXPECT_EQ(sent_segments(), Numbers{});  // nothing else is sent again
}

TEST_F(RecoveryTest, TimestampsTellThatTheOriginalArrived) {  // RFC 3522
  config.timestamps = true;
  restart();
  send_flight(10);
  echoed = context.timestamp;
  wait(25ms);
  for (std::uint32_t last = 2; last <= 4; ++last) arrive(ack(1, {{2, last}}));
  EXPECT_EQ(sent_segments(), Numbers{1});
  wait(1ms);
  arrive(ack(11));  // echoes the time of the first flight
  EXPECT_EQ(counters.recoveries_undone.value(), 1U);
  EXPECT_GE(tcb.cwnd, 10'000U);
}

// A reordered segment that was sent again cannot show itself that the path reorders (RFC 8985
// section 6.2 step 3 looks at those sent once), but the undoing does: the next is waited for.
TEST_F(RecoveryTest, UndoneRecoveryTeachesThatThePathReorders) {
  config.timestamps = true;
  restart();
  send_flight(20);
  echoed = context.timestamp;
  wait(25ms);
  for (std::uint32_t last = 2; last <= 4; ++last) arrive(ack(1, {{2, last}}));
  EXPECT_EQ(sent_segments(), Numbers{1});
  wait(1ms);
  arrive(ack(6));
  EXPECT_EQ(counters.recoveries_undone.value(), 1U);
  for (std::uint32_t last = 7; last <= 9; ++last) arrive(ack(6, {{7, last}}));
  EXPECT_EQ(sent_segments(), Numbers{});
  EXPECT_EQ(tcb.transfer->recovery, Recovery::disorder);
  wait(10ms);  // more than a quarter of the round trip is no reordering
  EXPECT_EQ(numbers(sent_by_timer), Numbers{6});
}

// Both ACKs come in one burst, so that nothing was sent again between them: no echo and no D-SACK
// will ever tell.
TEST_F(RecoveryTest, WhatArrivesBeforeItIsSentAgainWasNeverLost) {
  send_flight(10);
  wait(20ms);
  arrive(ack(1, {{2, 4}}));
  ASSERT_EQ(tcb.ssthresh, 5'000U);
  arrive(ack(5));
  EXPECT_EQ(counters.recoveries_undone.value(), 1U);
  EXPECT_GE(tcb.cwnd, 10'000U);
  EXPECT_EQ(tcb.ssthresh, kNeverLost);
  EXPECT_TRUE(tcb.transfer->was_reordered);
  EXPECT_TRUE(sent_segments().empty());  // nothing is left to send
  EXPECT_EQ(counters.data_retransmitted.value(), 0U);
}

TEST_F(RecoveryTest, UndoingWaitsForWhatElseWasThoughtLost) {
  config.timestamps = true;
  restart();
  send_flight(20);
  echoed = context.timestamp;
  wait(25ms);
  for (std::uint32_t last = 3; last <= 5; ++last) arrive(ack(1, {{3, last}}));
  EXPECT_EQ(sent_segments(), Numbers{1});  // 2 is lost as well, and waits for the window
  wait(1ms);
  arrive(ack(2, {{3, 5}}));
  EXPECT_EQ(counters.recoveries_undone.value(), 1U);
  EXPECT_EQ(sent_segments(), Numbers{});
  EXPECT_EQ(tcb.transfer->recovery, Recovery::disorder);
  EXPECT_EQ(tcb.transfer->lost_bytes, 0U);
  EXPECT_EQ(tcb.ssthresh, kNeverLost);
  wait(10ms);
  EXPECT_EQ(numbers(sent_by_timer), Numbers{2});
}

// What the first recovery sent again is older than the second's first retransmission, as an
// original would be. It says nothing of the second.
TEST_F(RecoveryTest, EarlierRetransmissionIsNotTakenForAnOriginal) {
  config.timestamps = true;
  restart();
  send_flight(20);
  echoed = context.timestamp;
  wait(25ms);
  const std::uint32_t again_at = context.timestamp;
  Numbers sent;
  for (std::uint32_t last = 2; last <= 5; ++last) arrive(ack(1, {{2, last}}));
  for (std::uint32_t last = 7; last <= 12; ++last) {
    arrive(ack(1, {{7, last}, {2, 5}}));
    for (const std::uint32_t n : sent_segments()) sent.push_back(n);
  }
  EXPECT_EQ(sent, (Numbers{1, 6}));
  wait(1ms);
  arrive(ack(6, {{7, 12}}));  // 1 was late, 6 is lost
  EXPECT_EQ(counters.recoveries_undone.value(), 1U);
  arrive(ack(6, {{14, 20}, {7, 12}}));
  EXPECT_EQ(sent_segments(), Numbers{});
  wait(10ms);
  EXPECT_EQ(numbers(sent_by_timer), Numbers{13});
  echoed = again_at;
  arrive(ack(13, {{14, 20}}));
  EXPECT_EQ(counters.recoveries_undone.value(), 1U);
  EXPECT_EQ(tcb.transfer->recovery, Recovery::fast);
}

// What came before the first copy was answered says nothing of what was sent since: nothing else is
// found lost by it (RFC 8985 section 6.2 step 2).
TEST_F(RecoveryTest, OriginalBehindATimeOutCondemnsNothing) {
  config.timestamps = true;
  restart();
  send_flight(10);
  echoed = context.timestamp;
  wait(600ms);
  EXPECT_EQ(counters.retransmission_timeouts.value(), 1U);
  wait(30ms);
  arrive(ack(2));
  EXPECT_EQ(counters.spurious_timeouts.value(), 1U);
  EXPECT_EQ(sent_segments(), Numbers{});
  wait(1ms);
  arrive(ack(3));
  EXPECT_EQ(sent_segments(), Numbers{});
}

TEST_F(RecoveryTest, SacksTakenBackAreSentAgain) {  // RFC 2018 section 8
  send_flight(4);
  wait(20ms);
  arrive(ack(1, {{2, 4}}));
  output();
  wait(20ms);
  arrive(ack(2));  // and says nothing of 2 to 4 any more
  output();
  wait(3s);
  Numbers sent = numbers(sent_by_timer);
  EXPECT_NE(std::ranges::find(sent, 2U), sent.end());
}

TEST_F(RecoveryTest, ImpossibleBlocksAreIgnored) {
  send_flight(4);
  wait(20ms);
  arrive(ack(1, {{9, 12}}));  // never sent
  arrive(ack(1, {{2, 9}}));   // nor this, in part
  arrive(ack(1, {{3, 2}}));   // empty
  Segment wild = ack(1);
  wild.options.sack_count = 1;
  wild.options.sack[0] = {Seq{kIss + 3'000'000}, Seq{kIss + 3'001'000}};
  arrive(wild);
  EXPECT_EQ(tcb.transfer->sacked_bytes, 0U);
  EXPECT_EQ(sent_segments(), Numbers{});
}

TEST_F(RecoveryTest, IdleConnectionGivesItsTransferBack) {
  send_flight(2);
  wait(20ms);
  arrive(ack(3));
  output();
  EXPECT_NE(tcb.transfer, nullptr);
  wait(5s);
  EXPECT_EQ(tcb.transfer, nullptr);
  EXPECT_EQ(transfers.in_use(), 0U);
  queue("more");  // and takes one again
  EXPECT_EQ(output().size(), 1U);
  EXPECT_LE(tcb.cwnd, 10'000U);  // RFC 5681 section 4.1
}

}  // namespace
}  // namespace handfast::tcp
