// LISTEN and SYN-RECEIVED of a passive open, and TIME-WAIT: the small records' decisions.

#include "connection_fixture.hpp"
#include "tcp/reset.hpp"
#include "tcp/time_wait.hpp"

namespace handfast::tcp {
namespace {

class HalfOpenTest : public ConnectionTest {
 public:
  HalfOpenTest() { open_half(half, key, make(kSyn, kPeerIss), Seq{kIss}, context); }
  HalfOpenVerdict verdict(const Segment& segment) {
    return half_open_segment_arrives(half, segment, context);
  }
  HalfOpen half{};
};

TEST_F(HalfOpenTest, ListenTakesOnlyASyn) {
  EXPECT_EQ(listen_segment_arrives(make(kSyn, 1)), ListenVerdict::open);
  EXPECT_EQ(listen_segment_arrives(make(kRst, 1)), ListenVerdict::ignore);
  EXPECT_EQ(listen_segment_arrives(make(kAck, 1, 5)), ListenVerdict::reset);
  EXPECT_EQ(listen_segment_arrives(make(kSyn | kAck, 1, 5)), ListenVerdict::reset);
  EXPECT_EQ(listen_segment_arrives(make(kPsh, 1)), ListenVerdict::ignore);
}

TEST_F(HalfOpenTest, AnswersWithSynAck) {
  const Segment answer = syn_ack_of(half, context);
  EXPECT_EQ(answer.flags, kSyn | kAck);
  EXPECT_EQ(answer.seq, Seq{kIss});
  EXPECT_EQ(answer.ack, Seq{kPeerIss + 1});
  EXPECT_EQ(answer.options.mss, 1460);
  EXPECT_FALSE(answer.options.has(TcpOptions::kWindowScale));
}

// 65,535 is no multiple of the scale's unit: rounded down, the ACK would take some of it back.
TEST_F(HalfOpenTest, AnAckKeepsToTheWindowOfTheSynAck) {
  config.window_scaling = true;
  config.receive_buffer = config.receive_buffer_max = 1 << 20;
  restart();
  Segment syn = make(kSyn, kPeerIss);
  syn.options.present = TcpOptions::kWindowScale;
  open_half(half, key, syn, Seq{kIss}, context);
  const std::uint32_t promised = syn_ack_of(half, context).window;
  const std::uint32_t field = ack_of(half, context).window;
  ASSERT_GT(parameters.receive_shift, 0);
  EXPECT_GE(field << parameters.receive_shift, promised);
}

TEST_F(HalfOpenTest, IsGivenUpHoweverOftenItMayBeSentAgain) {
  config.rto_max = std::chrono::seconds(1);
  config.syn_timeout = std::chrono::hours(1);
  restart();
  int times = 0;
  while (times < 1000 && half_open_timed_out(half, context)) ++times;
  EXPECT_LT(times, 1000);
}

TEST_F(HalfOpenTest, ThirdSegmentEstablishes) {
  EXPECT_EQ(verdict(make(kAck, kPeerIss + 1, kIss + 1)), HalfOpenVerdict::establish);
  promote(tcb, half, context);
  EXPECT_EQ(tcb.state, State::syn_received);
  EXPECT_TRUE(arrive(make(kAck, kPeerIss + 1, kIss + 1)).established);
  EXPECT_EQ(tcb.state, State::established);
  EXPECT_EQ(tcb.snd_una, Seq{kIss + 1});
  EXPECT_EQ(tcb.rcv_nxt, Seq{kPeerIss + 1});
}

// --- the round trip of a handshake (RFC 6298 sections 2.2 and 3)

class HandshakeTime : public HalfOpenTest {
 public:
  // The SYN-ACK leaves now.
  void answer(bool timestamps = false) {
    config.timestamps = timestamps;
    restart();
    Segment syn = make(kSyn, kPeerIss);
    if (timestamps) syn.options.present |= TcpOptions::kTimestamps;
    open_half(half, key, syn, Seq{kIss}, context);
    sent_at = context.timestamp;
    half.timer.deadline = first_half_open_deadline(context);
  }
  void third_segment_arrives(std::uint32_t ts_echo = 0) {
    Segment third = make(kAck, kPeerIss + 1, kIss + 1);
    if (half.timestamps) third.options.present |= TcpOptions::kTimestamps;
    third.options.ts_echo = ts_echo;
    ASSERT_EQ(verdict(third), HalfOpenVerdict::establish);
    promote(tcb, half, context);
    ASSERT_TRUE(arrive(third).established);
  }
  // It is known to a tick.
  void expect_round_trip(std::uint32_t us) const {
    EXPECT_GE(tcb.srtt_us, us);
    EXPECT_LE(tcb.srtt_us, us + 2 * 66);
    EXPECT_GE(tcb.rto_us, 3 * us);
    EXPECT_LE(tcb.rto_us, std::max(3 * (us + 2 * 66), parameters.rto_min_us));
  }
  std::uint32_t sent_at = 0;
};

TEST_F(HandshakeTime, IsMeasuredByTheServer) {
  for (const std::uint32_t us : {30U, 1000U, 20'000U, 300'000U, 999'000U}) {
    answer();
    wait(std::chrono::microseconds(us));
    third_segment_arrives();
    expect_round_trip(us);
  }
}

TEST_F(HandshakeTime, IsNotKnownWhenTheSynAckLeftTwice) {
  answer();
  wait(std::chrono::milliseconds(20));
  ASSERT_EQ(verdict(make(kSyn, kPeerIss)), HalfOpenVerdict::answer_again);
  wait(std::chrono::milliseconds(20));
  third_segment_arrives();
  EXPECT_EQ(tcb.srtt_us, 0U);
  EXPECT_EQ(tcb.rto_us, parameters.rto_initial_us);
}

TEST_F(HandshakeTime, IsNotKnownBehindATimeOut) {
  answer();
  wait(std::chrono::seconds(1));
  half.timer.deadline = half_open_timed_out(half, context).value_or(base::kNoTick);
  wait(std::chrono::milliseconds(20));
  third_segment_arrives();
  EXPECT_EQ(tcb.srtt_us, 0U);
  EXPECT_EQ(tcb.rto_us, 3'000'000U);  // RFC 6298 section 5.7
}

TEST_F(HandshakeTime, IsToldByTimestampsWhichSynAckItWas) {
  answer(true);
  wait(std::chrono::seconds(1));
  half.timer.deadline = half_open_timed_out(half, context).value_or(base::kNoTick);
  const std::uint32_t second_at = context.timestamp;
  wait(std::chrono::milliseconds(20));
  third_segment_arrives(second_at);
  EXPECT_NEAR(tcb.srtt_us, 20'000, 1000);
  EXPECT_EQ(tcb.rto_us, 3'000'000U);  // until there is data, whatever is known
  answer(true);
  wait(std::chrono::milliseconds(20));
  ASSERT_EQ(verdict([&] {
              Segment syn = make(kSyn, kPeerIss);
              syn.options.present |= TcpOptions::kTimestamps;
              return syn;
            }()),
            HalfOpenVerdict::answer_again);
  wait(std::chrono::milliseconds(20));
  third_segment_arrives(sent_at);
  EXPECT_NEAR(tcb.srtt_us, 40'000, 1000);
}

TEST_F(HalfOpenTest, WrongAcknowledgementIsAnsweredByReset) {
  EXPECT_EQ(verdict(make(kAck, kPeerIss + 1, kIss)), HalfOpenVerdict::reset);
  EXPECT_EQ(verdict(make(kAck, kPeerIss + 1, kIss + 2)), HalfOpenVerdict::reset);
  const auto rst = reset_for(make(kAck, kPeerIss + 1, kIss + 2));
  ASSERT_TRUE(rst);
  EXPECT_EQ(rst->seq, Seq{kIss + 2});
  EXPECT_EQ(rst->flags, kRst);
}

TEST_F(HalfOpenTest, SameSynAgainIsAnsweredAgain) {
  EXPECT_EQ(verdict(make(kSyn, kPeerIss)), HalfOpenVerdict::answer_again);
}

TEST_F(HalfOpenTest, AnotherSynInTheWindowReturnsToListen) {
  EXPECT_EQ(verdict(make(kSyn, kPeerIss + 500)), HalfOpenVerdict::back_to_listen);
}

TEST_F(HalfOpenTest, OldSynIsAnsweredByAck) {
  EXPECT_EQ(verdict(make(kSyn, kPeerIss - 500)), HalfOpenVerdict::acknowledge);
  const Segment ack = ack_of(half, context);
  EXPECT_EQ(ack.seq, Seq{kIss + 1});
  EXPECT_EQ(ack.ack, Seq{kPeerIss + 1});
}

TEST_F(HalfOpenTest, ResetOnlyAtTheExactNumber) {
  EXPECT_EQ(verdict(make(kRst, kPeerIss + 1)), HalfOpenVerdict::back_to_listen);
  EXPECT_EQ(verdict(make(kRst, kPeerIss + 2)), HalfOpenVerdict::acknowledge);
  EXPECT_EQ(verdict(make(kRst, kPeerIss + 100'000)), HalfOpenVerdict::ignore);
}

TEST_F(HalfOpenTest, SegmentWithoutAckIsIgnored) {
  EXPECT_EQ(verdict(make(kPsh, kPeerIss + 1)), HalfOpenVerdict::ignore);
}

// MUST-22, MUST-23: the SYN-ACK is repeated with backoff for three minutes, then given up.
TEST_F(HalfOpenTest, SynAckIsRepeatedForThreeMinutes) {
  const Instant start = context.now;
  Tick deadline = first_half_open_deadline(context);
  std::vector<std::int64_t> seconds;
  for (;;) {
    const auto ahead = static_cast<std::int32_t>(deadline - context.tick);
    context.set_time(context.now + Duration{std::int64_t{ahead} << 16});
    seconds.push_back((context.now - start) / std::chrono::seconds(1));
    const auto next = half_open_timed_out(half, context);
    if (!next) break;
    deadline = *next;
  }
  EXPECT_EQ(seconds, (std::vector<std::int64_t>{1, 3, 7, 15, 31, 63, 123, 183}));
}

TEST_F(HalfOpenTest, OptionsAreUsedOnlyWhenOffered) {
  config.timestamps = config.window_scaling = true;
  restart();
  open_half(half, key, make(kSyn, kPeerIss), Seq{kIss}, context);
  EXPECT_EQ(syn_ack_of(half, context).options.present, TcpOptions::kMss);

  Segment syn = make(kSyn, kPeerIss);
  syn.options.present = TcpOptions::kMss | TcpOptions::kWindowScale | TcpOptions::kTimestamps;
  syn.options.mss = 1200;
  syn.options.window_scale = 15;  // RFC 7323 section 2.3: taken as 14
  syn.options.ts_value = 77;
  open_half(half, key, syn, Seq{kIss}, context);
  const Segment answer = syn_ack_of(half, context);
  EXPECT_TRUE(answer.options.has(TcpOptions::kWindowScale));
  ASSERT_TRUE(answer.options.has(TcpOptions::kTimestamps));
  EXPECT_EQ(answer.options.ts_echo, 77U);
  promote(tcb, half, context);
  EXPECT_EQ(tcb.snd_shift, 14);
  EXPECT_EQ(tcb.snd_mss, 1200 - 12);
}

TEST_F(HalfOpenTest, ThirdSegmentNeedsTheTimestampsThatWereNegotiated) {
  config.timestamps = true;
  restart();
  Segment syn = make(kSyn, kPeerIss);
  syn.options.present = TcpOptions::kTimestamps;
  syn.options.ts_value = 77;
  open_half(half, key, syn, Seq{kIss}, context);
  Segment third = make(kAck, kPeerIss + 1, kIss + 1);
  EXPECT_EQ(verdict(third), HalfOpenVerdict::ignore);
  third.options = syn.options;
  EXPECT_EQ(verdict(third), HalfOpenVerdict::establish);
  third.options.ts_value = 76;
  EXPECT_EQ(verdict(third), HalfOpenVerdict::acknowledge);
}

TEST_F(HalfOpenTest, WithoutMssOptionSegmentsStayAtTheDefault) {
  promote(tcb, half, context);
  EXPECT_EQ(tcb.snd_mss, 536);  // MUST-15
}

// Tiny segments are an attack: the headers cost more than they carry.
TEST_F(HalfOpenTest, ATinyMssIsTakenAsTheLeast) {
  Segment syn = make(kSyn, kPeerIss);
  syn.options.present = TcpOptions::kMss;
  syn.options.mss = 1;
  open_half(half, key, syn, Seq{kIss}, context);
  promote(tcb, half, context);
  EXPECT_EQ(tcb.snd_mss, kMinSendMss);
}

class TimeWaitTest : public ConnectionTest {
 public:
  TimeWaitVerdict verdict(const Segment& segment) {
    return time_wait_segment_arrives(record, segment, parameters);
  }
  void with_timestamps(std::uint32_t recent) {
    config.timestamps = true;
    restart();
    record.timestamps = true;
    record.ts_recent = recent;
  }
  static Segment syn_with_timestamp(std::uint32_t seq, std::uint32_t value) {
    Segment syn = make(kSyn, seq);
    syn.options.present = TcpOptions::kTimestamps;
    syn.options.ts_value = value;
    return syn;
  }
  TimeWait record{.snd_nxt = Seq{5000}, .rcv_nxt = Seq{9000}};
};

TEST_F(TimeWaitTest, RepeatedFinIsAcknowledgedAndRestarts) {
  EXPECT_EQ(verdict(make(kFin | kAck, 8999, 5000)), TimeWaitVerdict::acknowledge_and_restart);
  const Segment ack = ack_of(record, context);
  EXPECT_EQ(ack.seq, Seq{5000});
  EXPECT_EQ(ack.ack, Seq{9000});
}

TEST_F(TimeWaitTest, OldDataIsAcknowledgedAndDoesNotRestart) {
  Segment old = make(kAck, 8000, 5000);
  const std::byte text[4]{};
  old.payload = text;
  EXPECT_EQ(verdict(old), TimeWaitVerdict::acknowledge);
}

// Only the last number of the connection is its FIN's.
TEST_F(TimeWaitTest, AnotherFinDoesNotRestart) {
  EXPECT_EQ(verdict(make(kFin | kAck, 8000, 5000)), TimeWaitVerdict::acknowledge);
}

TEST_F(TimeWaitTest, PlainAckIsIgnored) {
  EXPECT_EQ(verdict(make(kAck, 9000, 5000)), TimeWaitVerdict::ignore);
}

// RFC 1337: or an old one could end it early.
TEST_F(TimeWaitTest, ResetIsIgnored) {
  EXPECT_EQ(verdict(make(kRst, 9000)), TimeWaitVerdict::ignore);
  Segment with_text = make(kRst | kAck, 9000, 5000);
  const std::byte text[4]{};
  with_text.payload = text;
  EXPECT_EQ(verdict(with_text), TimeWaitVerdict::ignore);
  EXPECT_EQ(verdict(make(kRst, 8000)), TimeWaitVerdict::ignore);
}

TEST_F(TimeWaitTest, SynBeyondTheOldNumbersReopens) {
  EXPECT_EQ(verdict(make(kSyn, 9001)), TimeWaitVerdict::reopen);
  EXPECT_EQ(verdict(make(kSyn, 9000)), TimeWaitVerdict::acknowledge);
  EXPECT_EQ(verdict(make(kSyn, 4000)), TimeWaitVerdict::acknowledge);
}

// RFC 6191 section 2, case by case.
TEST_F(TimeWaitTest, TimestampsDecideOverNumbers) {
  with_timestamps(100);
  EXPECT_EQ(verdict(syn_with_timestamp(4000, 101)), TimeWaitVerdict::reopen);
  EXPECT_EQ(verdict(syn_with_timestamp(4000, 100)), TimeWaitVerdict::acknowledge);
  EXPECT_EQ(verdict(syn_with_timestamp(9001, 100)), TimeWaitVerdict::reopen);
  EXPECT_EQ(verdict(syn_with_timestamp(9001, 99)), TimeWaitVerdict::acknowledge);
  EXPECT_EQ(verdict(make(kSyn, 9001)), TimeWaitVerdict::reopen);
  EXPECT_EQ(verdict(make(kSyn, 4000)), TimeWaitVerdict::acknowledge);
  record.timestamps = false;
  EXPECT_EQ(verdict(syn_with_timestamp(4000, 1)), TimeWaitVerdict::reopen);
}

TEST(Reset, FollowsTheTwoForms) {
  const Segment syn = ConnectionTest::make(kSyn, 300);
  const auto rst = reset_for(syn);
  ASSERT_TRUE(rst);
  EXPECT_EQ(rst->seq, Seq{0});
  EXPECT_EQ(rst->ack, Seq{301});
  EXPECT_EQ(rst->flags, kRst | kAck);
  EXPECT_FALSE(reset_for(ConnectionTest::make(kRst, 300)));
}

}  // namespace
}  // namespace handfast::tcp
