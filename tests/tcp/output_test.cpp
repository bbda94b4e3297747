// Segmentation, windows, retransmission, persist and the timeouts.

#include "connection_fixture.hpp"
#include "tcp/congestion/congestion.hpp"
#include "tcp/icmp_error.hpp"
#include "tcp/rtt.hpp"

namespace handfast::tcp {
namespace {

using namespace std::chrono_literals;

using Output = ConnectionTest;

TEST_F(Output, DataIsCutAtTheEffectiveMss) {
  established();
  EXPECT_EQ(queue(std::string(1200, 'a')), 1200U);
  const auto sent = output();
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_EQ(sent[0].payload.size(), 536U);
  EXPECT_EQ(sent[1].payload.size(), 536U);
  EXPECT_EQ(sent[2].payload.size(), 128U);
  EXPECT_FALSE(sent[0].segment.has(kPsh));
  EXPECT_TRUE(sent[2].segment.has(kPsh));  // MUST-61
}

TEST_F(Output, FinRidesOnTheLastData) {
  established();
  queue("bye");
  close(tcb);
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.flags, kFin | kAck | kPsh);
  EXPECT_EQ(sent[0].payload, "bye");
}

TEST_F(Output, TextbookSendsAckAndFinOnTheirOwn) {
  config.textbook = true;
  restart();
  established();
  queue("bye");
  arrive(make(kFin | kAck, kPeerIss + 1, kIss + 1));
  close(tcb);
  const auto sent = output();
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_EQ(sent[0].segment.flags, kAck);
  EXPECT_EQ(sent[0].payload, "");
  EXPECT_EQ(sent[1].payload, "bye");
  EXPECT_FALSE(sent[1].segment.has(kFin));
  EXPECT_EQ(sent[2].segment.flags, kFin | kAck);
}

TEST_F(Output, SendAfterCloseIsRefused) {
  established();
  close(tcb);
  EXPECT_EQ(send(tcb, std::as_bytes(std::span{"x", 1}), context).error(), Error::wrong_state);
}

TEST_F(Output, SendAfterCloseInSynReceivedIsRefused) {
  syn_received();
  ASSERT_TRUE(close(tcb));
  const auto late = tcp::send(tcb, std::as_bytes(std::span{std::string_view{"late"}}), context);
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error(), Error::wrong_state);
}

TEST_F(Output, SendIsShortWhenTheBufferIsFull) {
  config.send_buffer = 1000;
  restart();
  established();
  EXPECT_EQ(queue(std::string(1500, 'a')), 1000U);
  EXPECT_EQ(queue("x"), 0U);
}

TEST_F(Output, SendBufferIsTwiceTheWindowWhereThatIsTheLimit) {
  config.send_buffer = 1000;
  config.send_buffer_max = 1 << 20;
  restart();
  established();
  ASSERT_NE(take_transfer(tcb, context), nullptr);
  tcb.transfer->flight_of_late = tcb.cwnd;
  EXPECT_EQ(queue(std::string(100'000, 'a')), 2 * tcb.cwnd);
}

TEST_F(Output, SendBufferIsALittleMoreThanTheFlightWhereTheWindowIsNoLimit) {
  config.send_buffer = 1000;
  config.send_buffer_max = 1 << 20;
  restart();
  established();
  ASSERT_NE(take_transfer(tcb, context), nullptr);
  tcb.transfer->flight_of_late = tcb.cwnd / 2;
  EXPECT_EQ(queue(std::string(100'000, 'a')), tcb.cwnd / 2 + 1000);
}

TEST_F(Output, FlightOfLateIsForgottenSlowlyAndNotInAPause) {
  established();
  queue(std::string(1072, 'a'));
  ASSERT_EQ(output().size(), 2U);
  tcb.transfer->flight_of_late = 2000;
  arrive(make(kAck, kPeerIss + 1, kIss + 1 + 536));
  EXPECT_EQ(tcb.transfer->flight_of_late, 2000U);  // nothing is waiting
  queue("more");
  arrive(make(kAck, kPeerIss + 1, kIss + 1 + 1072));
  const std::uint32_t later = tcb.transfer->flight_of_late;
  EXPECT_LT(later, 2000U);
  EXPECT_GT(later, 1900U);
  tcb.transfer->flight_of_late = 0;
  output();
  arrive(make(kAck, kPeerIss + 1, kIss + 1 + 1076));
  EXPECT_EQ(tcb.transfer->flight_of_late, 4U);
}

TEST_F(Output, PeersWindowIsHonoured) {
  established(700);
  queue(std::string(2000, 'a'));
  auto sent = output();
  ASSERT_EQ(sent.size(), 1U);  // 536, and 164 would be silly
  arrive(make(kAck, kPeerIss + 1, kIss + 1 + 536, 700));
  sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.seq, Seq{kIss + 1 + 536});
}

// RFC 3168 section 6.1.1.1: something on the way may drop what offers it.
TEST_F(Output, ARepeatedSynOffersNoEcn) {
  config.ecn = EcnMode::offer;
  restart();
  open(tcb, key, Seq{kIss}, context);
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_TRUE(sent[0].segment.has(base::kEce));
  wait(1500ms);
  ASSERT_EQ(sent_by_timer.size(), 1U);
  EXPECT_EQ(sent_by_timer[0].segment.flags, kSyn);
}

TEST_F(Output, LostSynIsRepeatedWithBackoffAndGivenUp) {
  syn_sent();
  const Timeouts timeouts = wait(std::chrono::minutes(10));
  EXPECT_TRUE(timeouts.gave_up);
  EXPECT_EQ(tcb.state, State::closed);
  // 1, 3, 7, 15, 31, 63, 123 seconds after the first; given up at three minutes (MUST-23).
  EXPECT_EQ(sent_by_timer.size(), 7U);
  for (const Sent& s : sent_by_timer) EXPECT_EQ(s.segment.flags, kSyn);
  EXPECT_EQ(counters.syn_retransmitted.value(), 7U);
}

TEST_F(Output, SynAckOfASimultaneousOpenIsRepeated) {
  syn_received();
  output();
  wait(1100ms);
  ASSERT_EQ(sent_by_timer.size(), 1U);
  EXPECT_EQ(sent_by_timer[0].segment.flags, kSyn | kAck);
}

TEST_F(Output, LostDataIsRepeatedWithBackoff) {
  established();
  queue("data");
  output();
  wait(199ms);  // RTO's minimum, the handshake having measured nothing
  EXPECT_TRUE(sent_by_timer.empty());
  wait(2ms);
  ASSERT_EQ(sent_by_timer.size(), 1U);
  EXPECT_EQ(sent_by_timer[0].payload, "data");
  EXPECT_EQ(sent_by_timer[0].segment.seq, Seq{kIss + 1});
  wait(405ms);
  EXPECT_EQ(sent_by_timer.size(), 2U);
  wait(805ms);
  EXPECT_EQ(sent_by_timer.size(), 3U);
  EXPECT_EQ(counters.data_retransmitted.value(), 3U);
}

TEST_F(Output, LostFinIsRepeated) {
  fin_wait_1();
  wait(250ms);
  ASSERT_EQ(sent_by_timer.size(), 1U);
  EXPECT_EQ(sent_by_timer[0].segment.flags, kFin | kAck);
  EXPECT_EQ(counters.fin_retransmitted.value(), 1U);
}

TEST_F(Output, AcknowledgedDataIsNotRepeated) {
  established();
  queue("data");
  output();
  arrive(make(kAck, kPeerIss + 1, kIss + 5));
  output();
  wait(std::chrono::minutes(1));
  EXPECT_TRUE(sent_by_timer.empty());
}

TEST_F(Output, UserTimeoutEndsTheConnectionToTheTick) {
  config.user_timeout = 10s;
  restart();
  established();
  queue("data");
  output();
  EXPECT_FALSE(wait(9990ms).gave_up);
  EXPECT_TRUE(wait(20ms).gave_up);
  EXPECT_EQ(tcb.state, State::closed);
}

// RFC 5681 section 2: the peer's own data repeats its acknowledgement and tells of no loss.
TEST_F(Output, TextIsNoDuplicateAck) {
  established();
  queue(std::string(5 * 536, 'a'));
  ASSERT_EQ(output().size(), 5U);
  for (std::uint32_t i = 0; i < 4; ++i) arrive(make(kAck, kPeerIss + 1 + i, kIss + 1), "x");
  for (const Sent& s : output()) EXPECT_TRUE(s.payload.empty());
  EXPECT_EQ(counters.fast_retransmits.value(), 0U);
}

TEST_F(Output, ThirdDuplicateAckSendsAgain) {
  established();
  queue(std::string(5 * 536, 'a'));
  ASSERT_EQ(output().size(), 5U);
  for (int i = 0; i < 2; ++i) arrive(make(kAck, kPeerIss + 1, kIss + 1));
  EXPECT_TRUE(output().empty());
  arrive(make(kAck, kPeerIss + 1, kIss + 1));
  const auto sent = output();
  ASSERT_GE(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.seq, Seq{kIss + 1});
  EXPECT_EQ(counters.fast_retransmits.value(), 1U);
  EXPECT_EQ(tcb.transfer->recovery, Recovery::fast);
  // A partial acknowledgement: the next gap is filled at once (RFC 6582).
  arrive(make(kAck, kPeerIss + 1, kIss + 1 + 536));
  const auto next = output();
  ASSERT_GE(next.size(), 1U);
  EXPECT_EQ(next[0].segment.seq, Seq{kIss + 1 + 536});
  arrive(make(kAck, kPeerIss + 1, kIss + 1 + 5 * 536));
  EXPECT_EQ(tcb.transfer->recovery, Recovery::open);
}

TEST_F(Output, CongestionWindowGrowsAndCollapses) {
  established();
  const std::uint32_t mss = tcb.snd_mss;
  EXPECT_EQ(tcb.cwnd, 10 * mss);  // RFC 6928
  queue(std::string(20 * 536, 'a'));
  EXPECT_EQ(output().size(), 10U);
  arrive(make(kAck, kPeerIss + 1, kIss + 1 + 2 * mss));
  EXPECT_EQ(tcb.cwnd, 12 * mss);  // by what is acknowledged (RFC 3465)
  EXPECT_EQ(output().size(), 4U);
  wait(300ms);
  EXPECT_EQ(tcb.cwnd, mss);
  EXPECT_EQ(tcb.ssthresh, 12 * mss / 2);
}

TEST_F(Output, LostSynMakesTheFirstWindowOneSegment) {
  syn_sent();
  wait(1100ms);
  arrive(make(kSyn | kAck, kPeerIss, kIss + 1));
  EXPECT_EQ(tcb.cwnd, tcb.snd_mss);
  EXPECT_EQ(tcb.rto_us, 3'000'000U);  // RFC 6298 section 5.7
}

// --- RFC 6298

TEST_F(Output, RtoFollowsTheFormulas) {
  update_rto(tcb, 100'000, parameters);
  EXPECT_EQ(tcb.srtt_us, 100'000U);
  EXPECT_EQ(tcb.rttvar_us, 50'000U);
  EXPECT_EQ(tcb.rto_us, 300'000U);
  update_rto(tcb, 200'000, parameters);
  EXPECT_EQ(tcb.rttvar_us, 62'500U);
  EXPECT_EQ(tcb.srtt_us, 112'500U);
  EXPECT_EQ(tcb.rto_us, 362'500U);
  update_rto(tcb, 1, parameters);
  EXPECT_GE(tcb.rto_us, parameters.rto_min_us);
}

TEST_F(Output, KarnTakesNoSampleOfARetransmission) {
  established();
  queue("data");
  output();
  const std::uint32_t before = tcb.srtt_us;
  wait(250ms);
  arrive(make(kAck, kPeerIss + 1, kIss + 5));
  EXPECT_EQ(tcb.srtt_us, before);
  EXPECT_EQ(tcb.rto_us, 400'000U);  // the backed-off value stays until a sample is taken
}

// --- persist (MUST-35 to MUST-37)

TEST_F(Output, ClosedWindowIsProbedWithBackoffForEver) {
  established(0);
  queue("data");
  EXPECT_TRUE(output().empty());
  wait(250ms);
  ASSERT_EQ(sent_by_timer.size(), 1U);
  EXPECT_EQ(sent_by_timer[0].payload, "d");
  for (int minute = 0; minute < 20; ++minute) {  // far past the user timeout
    EXPECT_FALSE(wait(1min).gave_up);
    arrive(make(kAck, kPeerIss + 1, kIss + 1, 0));
    output();
  }
  EXPECT_EQ(tcb.state, State::established);
  arrive(make(kAck, kPeerIss + 1, kIss + 1, 5000));
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].payload, "data");
}

// SHLD-30.
TEST_F(Output, ProbesOfAClosedWindowBackOff) {
  established(0);
  queue("data");
  output();
  wait(10s);  // after 0.2, 0.6, 1.4, 3.0 and 6.2 s
  EXPECT_EQ(sent_by_timer.size(), 5U);
}

// A window too small to be worth a segment is a new beginning for the probes.
TEST_F(Output, AWindowThatOpensALittleIsProbedSoon) {
  established(5000);
  arrive(make(kAck, kPeerIss + 1, kIss + 1, 0));
  queue("data");
  output();
  wait(10s);
  arrive(make(kAck, kPeerIss + 1, kIss + 1, 1));
  EXPECT_TRUE(output().empty());
  sent_by_timer.clear();
  wait(250ms);
  EXPECT_EQ(sent_by_timer.size(), 1U);
}

// What a probe took of a packet's text leaves no room in the packet: what is queued next goes on in
// another one.
TEST_F(Output, NothingIsWrittenBehindThePacketOfAProbedText) {
  established(0);
  tcb.nagle = false;
  const std::string first(tcb.snd_mss - 1U, 'a');
  queue(first);
  output();
  wait(250ms);
  ASSERT_EQ(sent_by_timer.size(), 1U);
  arrive(make(kAck, kPeerIss + 1,
              kIss + 1 + static_cast<std::uint32_t>(sent_by_timer[0].payload.size()), 0));
  queue("bb");
  const SendNode* const node = tcb.send_queue.front();
  const std::byte* const end = node->packet.data + kHeaderRoom + tcb.snd_mss;
  EXPECT_LE(node->text + node->length, end);
  arrive(make(kAck, kPeerIss + 1, kIss + 2, 65'000));
  std::string text;
  for (const auto& segment : output()) text += segment.payload;
  EXPECT_EQ(text, first.substr(1) + "bb");
}

TEST_F(Output, UnansweredProbesEndWithTheUserTimeout) {
  established(0);
  queue("data");
  output();
  EXPECT_TRUE(wait(std::chrono::minutes(6)).gave_up);
}

TEST_F(Output, FinBehindAClosedWindowIsProbed) {
  established(0);
  close(tcb);
  EXPECT_TRUE(output().empty());
  wait(250ms);
  ASSERT_EQ(sent_by_timer.size(), 1U);
  EXPECT_EQ(sent_by_timer[0].segment.flags, kFin | kAck);
}

// MUST-34: what was in flight when the window shrank is probed, not forgotten.
TEST_F(Output, ShrunkWindowIsSurvived) {
  established();
  queue(std::string(536, 'a'));
  output();
  arrive(make(kAck, kPeerIss + 1, kIss + 1, 0));
  for (int minute = 0; minute < 8; ++minute) {
    EXPECT_FALSE(wait(1min).gave_up);
    arrive(make(kAck, kPeerIss + 1, kIss + 1, 0));
    output();
  }
  arrive(make(kAck, kPeerIss + 1, kIss + 1, 5000));
  output();
  sent_by_timer.clear();
  wait(1min);
  ASSERT_GE(sent_by_timer.size(), 1U);
  EXPECT_EQ(sent_by_timer[0].segment.seq, Seq{kIss + 1});
  EXPECT_EQ(sent_by_timer[0].payload.size(), 536U);
}

// --- our own window

TEST_F(Output, WindowClosesWithWhatIsNotTaken) {
  config.receive_buffer = 4000;
  restart();
  established();
  takes_data = false;
  base::Packet packet;
  ASSERT_TRUE(cache.allocate(packet));
  tcb.rcv_nxt += 1460;
  hold_text(tcb, packet, {packet.data, 1460});
  tcb.ack_pending = true;
  auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.window, 2540);
  // Taken: the window opens by a full segment, and that is told (MUST-39).
  take_queued();
  tcb.ack_pending = true;
  sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.window, 4000);
}

// --- ICMP

TEST_F(Output, IcmpIsBelievedOnlyInFlight) {
  constexpr NetworkError kSaid = NetworkError::host_unreachable;
  syn_sent();
  EXPECT_EQ(icmp_error(tcb, Seq{kIss + 1}, kSaid, true), IcmpVerdict::disbelieve);
  EXPECT_EQ(icmp_error(tcb, Seq{kIss}, kSaid, false), IcmpVerdict::note);
  EXPECT_EQ(icmp_error(tcb, Seq{kIss}, kSaid, true), IcmpVerdict::abort);
  restart();
  established();
  EXPECT_EQ(icmp_error(tcb, Seq{kIss + 1}, kSaid, true), IcmpVerdict::disbelieve);
  queue("data");
  output();
  EXPECT_EQ(icmp_error(tcb, Seq{kIss + 1}, kSaid, true),
            IcmpVerdict::note);  // RFC 5927 section 5.2
}

// RFC 5681 section 4.1: the restart window, and nothing of what the path once took.
TEST_F(Output, AfterIdlenessTheWindowIsTheInitialOneAtMost) {
  established();
  ASSERT_EQ(tcb.transfer, nullptr);
  tcb.cwnd = 1'000'000;
  queue("x");
  EXPECT_EQ(tcb.cwnd, initial_window(tcb.snd_mss));
}

// The same while the Transfer is still there: after more than one RTO.
TEST_F(Output, AfterAnRtoOfIdlenessTheWindowIsTheInitialOneAtMost) {
  established();
  queue("a");
  ASSERT_EQ(output().size(), 1U);
  arrive(make(kAck, kPeerIss + 1, kIss + 2));
  tcb.cwnd = 1'000'000;
  context.set_time(context.now + std::chrono::microseconds(tcb.rto_us));
  queue("b");
  EXPECT_EQ(tcb.cwnd, 1'000'000U);
  ASSERT_EQ(output().size(), 1U);
  arrive(make(kAck, kPeerIss + 1, kIss + 3));
  ASSERT_NE(tcb.transfer, nullptr);
  tcb.cwnd = 1'000'000;
  context.set_time(context.now + std::chrono::microseconds(tcb.rto_us + 1));
  queue("c");
  EXPECT_EQ(tcb.cwnd, initial_window(tcb.snd_mss));
}

// Something waited for its time to leave, and was acknowledged before it came: the deadline passes,
// and does not stand for ever.
TEST_F(Output, NothingToSendIsNotPaced) {
  established();
  queue("text");
  ASSERT_EQ(output().size(), 1U);
  tcb.transfer->is_paced = true;
  tcb.transfer->pace_next = context.now + std::chrono::milliseconds(1);
  arrive(make(kAck, kPeerIss + 1, kIss + 5));
  EXPECT_TRUE(output().empty());
  context.set_time(context.now + std::chrono::milliseconds(2));
  timer_expired(tcb, context);
  EXPECT_TRUE(output().empty());
  EXPECT_FALSE(base::is_due(next_deadline(tcb), context.tick));
}

// The path has become narrower than what is queued: each segment now takes a packet more. Without
// any left, no acknowledgement could arrive that gives them back.
TEST_F(Output, CuttingUpLeavesPacketsForWhatArrives) {
  established();
  queue(std::string(58'000, 'x'));
  tcb.cwnd = 1 << 20;
  std::vector<base::Packet> taken(600);
  ASSERT_EQ(pool.allocate(taken), taken.size());
  tcb.snd_mss = 100;
  EXPECT_GT(output().size(), 50U);
  EXPECT_GE(pool.free_sixteenths(), 3U);
  pool.free(taken);
}

}  // namespace
}  // namespace handfast::tcp
