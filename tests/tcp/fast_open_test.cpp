// TCP Fast Open (RFC 7413): cookies, and what each role does with one segment.

#include "tcp/fast_open.hpp"

#include "connection_fixture.hpp"

namespace handfast::tcp {
namespace {

using namespace std::chrono_literals;

constexpr base::SipKey kSecret = {1, 2};
const base::FlowKey kFlow{.local = Address::v4(0xc6120001),
                          .remote = Address::v4(0xc6120002),
                          .local_port = 80,
                          .remote_port = 40'000};

// A SYN that shows the cookie we would give to `flow` now.
Segment syn_with_cookie(const base::FlowKey& flow, Instant now,
                        const base::SipKey& secret = kSecret) {
  Segment syn;
  syn.flags = kSyn;
  syn.seq = Seq{kPeerIss};
  syn.window = 60'000;
  add_cookie(syn, flow, secret, now);
  return syn;
}

TEST(Cookies, AreGoodForTheAddressTheyWereGivenTo) {
  const Instant now = Instant::from_ns(1'000'000'000);
  const Segment syn = syn_with_cookie(kFlow, now);
  EXPECT_TRUE(has_good_cookie(syn, kFlow, kSecret, now));
  base::FlowKey other_port = kFlow;
  other_port.remote_port = 40'001;
  EXPECT_TRUE(has_good_cookie(syn, other_port, kSecret, now));
  base::FlowKey other_client = kFlow;
  other_client.remote = Address::v4(0xc6120003);
  EXPECT_FALSE(has_good_cookie(syn, other_client, kSecret, now));
  EXPECT_FALSE(has_good_cookie(syn, kFlow, {1, 3}, now));
}

TEST(Cookies, MustBeWholeAndPresent) {
  const Instant now;
  Segment syn = syn_with_cookie(kFlow, now);
  syn.options.cookie_length = 6;
  EXPECT_FALSE(has_good_cookie(syn, kFlow, kSecret, now));
  syn.options.cookie_length = 0;
  EXPECT_FALSE(has_good_cookie(syn, kFlow, kSecret, now));
  syn = syn_with_cookie(kFlow, now);
  syn.options.cookie[7] ^= 1;
  EXPECT_FALSE(has_good_cookie(syn, kFlow, kSecret, now));
  syn = syn_with_cookie(kFlow, now);
  syn.options.present = 0;
  EXPECT_FALSE(has_good_cookie(syn, kFlow, kSecret, now));
}

TEST(Cookies, GoOutOfDate) {
  const Instant given = Instant{} + 5h + 59min;
  const Segment syn = syn_with_cookie(kFlow, given);
  EXPECT_TRUE(has_good_cookie(syn, kFlow, kSecret, given + 2min));
  EXPECT_TRUE(has_good_cookie(syn, kFlow, kSecret, given + 6h));
  EXPECT_FALSE(has_good_cookie(syn, kFlow, kSecret, given + 6h + 2min));
  EXPECT_FALSE(has_good_cookie(syn, kFlow, kSecret, given + 1000h));
}

TEST(KnownCookies, AreFoundReplacedAndForgotten) {
  FastOpenCookies cookies;
  const Address server = Address::v4(0xc6120001);
  EXPECT_EQ(cookies.find(server), nullptr);
  TcpOptions options;
  options.present = TcpOptions::kFastOpen;
  options.cookie_length = 4;
  options.cookie[0] = 7;
  cookies.remember(server, options);
  ASSERT_NE(cookies.find(server), nullptr);
  EXPECT_EQ(cookies.find(server)->mss, kDefaultSendMss);
  EXPECT_EQ(cookies.find(server)->cookie[0], 7);
  EXPECT_EQ(cookies.find(Address::v4(0xc6120009)), nullptr);
  options.present |= TcpOptions::kMss;
  options.mss = 1460;
  cookies.remember(server, options);
  EXPECT_EQ(cookies.find(server)->mss, 1460);
  cookies.forget(server);
  EXPECT_EQ(cookies.find(server), nullptr);
}

// Of many servers the places are few: the last one is always known.
TEST(KnownCookies, AreBounded) {
  FastOpenCookies cookies;
  TcpOptions options;
  options.cookie_length = 8;
  std::size_t known = 0;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    cookies.remember(Address::v4(0x0a000000 + i), options);
    ASSERT_NE(cookies.find(Address::v4(0x0a000000 + i)), nullptr);
  }
  for (std::uint32_t i = 0; i < 1000; ++i) {
    if (cookies.find(Address::v4(0x0a000000 + i)) != nullptr) ++known;
  }
  EXPECT_LE(known, 256U);
  EXPECT_GT(known, 200U);
}

// --- client

class FastOpenClient : public ConnectionTest {
 public:
  FastOpenClient() {
    known.length = 8;
    known.mss = 1460;
  }
  // SYN-SENT with `text` queued; the SYN that leaves.
  Segment sends_syn(std::string_view text, const FastOpenCookies::Known* cookie) {
    open(tcb, key, Seq{kIss}, context);
    tcb.fast_open = true;
    queue(text);
    Outgoing out;
    EXPECT_TRUE(next_segment(tcb, context, out));
    add_fast_open(tcb, cookie, out.segment, context);
    sent_text.assign(reinterpret_cast<const char*>(out.segment.payload.data()),
                     out.segment.payload.size());
    finish_output(tcb, context);
    return out.segment;
  }
  FastOpenCookies::Known known;
  std::string sent_text;
};

TEST_F(FastOpenClient, AsksWithoutTextWhenItHasNoCookie) {
  const Segment syn = sends_syn("request", nullptr);
  EXPECT_TRUE(syn.options.has(TcpOptions::kFastOpen));
  EXPECT_EQ(syn.options.cookie_length, 0);
  EXPECT_EQ(sent_text, "");
  EXPECT_EQ(tcb.snd_max, Seq{kIss + 1});
}

TEST_F(FastOpenClient, TextThatTheSynAckAcknowledgesIsDone) {
  sends_syn("request", &known);
  EXPECT_EQ(sent_text, "request");
  EXPECT_EQ(tcb.snd_nxt, Seq{kIss + 1});
  const Arrival arrival = arrive(make(kSyn | kAck, kPeerIss, kIss + 8));
  EXPECT_TRUE(arrival.established);
  EXPECT_TRUE(arrival.space_freed);
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].payload, "");
  EXPECT_EQ(sent[0].segment.seq, Seq{kIss + 8});
  EXPECT_EQ(tcb.in_flight(), 0U);
}

TEST_F(FastOpenClient, TextThatItDoesNotIsSentAfterTheHandshake) {
  sends_syn("request", &known);
  EXPECT_TRUE(arrive(make(kSyn | kAck, kPeerIss, kIss + 1)).established);
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.seq, Seq{kIss + 1});
  EXPECT_EQ(sent[0].payload, "request");
}

TEST_F(FastOpenClient, APartMayBeAcknowledged) {
  sends_syn("request", &known);
  EXPECT_TRUE(arrive(make(kSyn | kAck, kPeerIss, kIss + 4)).established);
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.seq, Seq{kIss + 4});
  EXPECT_EQ(sent[0].payload, "uest");
}

TEST_F(FastOpenClient, MoreThanWasSentIsNotAcknowledged) {
  sends_syn("request", &known);
  const Arrival arrival = arrive(make(kSyn | kAck, kPeerIss, kIss + 9));
  EXPECT_TRUE(arrival.reset);
  EXPECT_EQ(tcb.state, State::syn_sent);
}

// RFC 7413 section 4.1.3: what drops SYNs with text lets this one through.
TEST_F(FastOpenClient, TheSynIsSentAgainWithoutText) {
  sends_syn("request", &known);
  wait(1100ms);
  ASSERT_EQ(sent_by_timer.size(), 1U);
  EXPECT_EQ(sent_by_timer[0].segment.flags, kSyn);
  EXPECT_EQ(sent_by_timer[0].payload, "");
  // The first may have arrived all the same.
  EXPECT_TRUE(arrive(make(kSyn | kAck, kPeerIss, kIss + 8)).established);
  EXPECT_EQ(tcb.in_flight(), 0U);
}

TEST_F(FastOpenClient, TextFitsBesideTheOptions) {
  known.mss = 200;
  tcb.nagle = false;
  const std::string text(1000, 'x');
  sends_syn(text, &known);
  EXPECT_EQ(sent_text.size(), 160U);
  arrive(make(kSyn | kAck, kPeerIss, kIss + 161));
  std::size_t rest = 0;
  for (const Sent& sent : output()) rest += sent.payload.size();
  EXPECT_EQ(rest, 840U);
}

// --- server

class FastOpenServer : public ConnectionTest {
 public:
  Arrival syn_arrives(std::string_view text) {
    Segment syn = make(kSyn, kPeerIss);
    syn.payload = std::as_bytes(std::span{text});
    const Arrival arrival = open_with_text(tcb, key, syn, Seq{kIss}, context);
    delivered.append(reinterpret_cast<const char*>(arrival.text.data()), arrival.text.size());
    return arrival;
  }
};

TEST_F(FastOpenServer, AcknowledgesSynAndTextAndAnswersAtOnce) {
  syn_arrives("request");
  EXPECT_EQ(delivered, "request");
  EXPECT_EQ(tcb.state, State::syn_received);
  queue("response");
  const auto sent = output();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].segment.flags, kSyn | kAck);
  EXPECT_EQ(sent[0].segment.seq, Seq{kIss});
  EXPECT_EQ(sent[0].segment.ack, Seq{kPeerIss + 8});
  EXPECT_EQ(sent[1].segment.seq, Seq{kIss + 1});
  EXPECT_EQ(sent[1].payload, "response");
  EXPECT_TRUE(arrive(make(kAck, kPeerIss + 8, kIss + 9)).established);
  EXPECT_EQ(tcb.state, State::established);
  EXPECT_EQ(tcb.in_flight(), 0U);
  EXPECT_GT(tcb.srtt_us, 0U);
}

TEST_F(FastOpenServer, TextBeyondTheWindowIsNotTaken) {
  config.receive_buffer = config.receive_buffer_max = 512;
  restart();
  syn_arrives(std::string(1000, 'x'));
  EXPECT_EQ(delivered.size(), 512U);
  EXPECT_EQ(tcb.rcv_nxt, Seq{kPeerIss + 1 + 512});
}

// The text of the SYN takes room in the buffer as any other does, as long as nobody takes it.
TEST_F(FastOpenServer, OffersNoMoreThanTheTextLeavesOfTheBuffer) {
  config.receive_buffer = config.receive_buffer_max = 1000;
  restart();
  syn_arrives("hello");
  base::Packet packet;
  ASSERT_TRUE(cache.allocate(packet));
  hold_text(tcb, packet, {packet.data, 5});
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.window, 995U);
  EXPECT_EQ(tcb.rcv_adv, Seq{kPeerIss + 1 + 1000});
  take_queued();
}

TEST_F(FastOpenServer, TheSynAgainMeansThatTheSynAckWasLost) {
  syn_arrives("request");
  output();
  arrive(make(kSyn, kPeerIss));
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.flags, kSyn | kAck);
  EXPECT_EQ(sent[0].segment.ack, Seq{kPeerIss + 8});
  EXPECT_EQ(delivered, "request");
}

TEST_F(FastOpenServer, SendsTheSynAckAgainByItself) {
  syn_arrives("request");
  queue("response");
  output();
  wait(1100ms);
  ASSERT_EQ(sent_by_timer.size(), 1U);
  EXPECT_EQ(sent_by_timer[0].segment.flags, kSyn | kAck);
  arrive(make(kAck, kPeerIss + 8, kIss + 1));
  output();
  wait(4s);
  EXPECT_EQ(sent_by_timer.back().payload, "response");
}

TEST_F(FastOpenServer, MayCloseBeforeTheHandshakeIsDone) {
  syn_arrives("request");
  queue("response");
  EXPECT_TRUE(close(tcb));
  const auto sent = output();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_TRUE(sent[1].segment.has(kFin));
  arrive(make(kAck, kPeerIss + 8, kIss + 10));
  EXPECT_EQ(tcb.state, State::fin_wait_2);
}

TEST_F(FastOpenServer, ARstEndsIt) {
  syn_arrives("request");
  output();
  const Arrival arrival = arrive(make(kRst, kPeerIss + 8));
  EXPECT_TRUE(arrival.closed);
  EXPECT_EQ(arrival.reason, CloseReason::reset);
}

TEST_F(FastOpenServer, GivesUpAsLongAsAnyHandshakeWould) {
  syn_arrives("request");
  output();
  EXPECT_FALSE(wait(179s).gave_up);
  EXPECT_TRUE(wait(2s).gave_up);
}

}  // namespace
}  // namespace handfast::tcp
