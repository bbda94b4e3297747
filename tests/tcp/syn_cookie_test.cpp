// SYN cookies: what they carry, whom they convince, and for how long.

#include "tcp/syn_cookie.hpp"

#include <random>

#include "connection_fixture.hpp"

namespace handfast::tcp {
namespace {

using namespace std::chrono_literals;

class SynCookieTest : public ConnectionTest {
 public:
  SynCookieTest() {
    config.timestamps = config.window_scaling = config.sack = true;
    config.ecn = EcnMode::accept;
    restart();
    pass(10h);
  }
  void pass(Duration time) { context.set_time(context.now + time); }

  static Segment syn_with(std::uint8_t options, std::uint16_t mss = 1460) {
    Segment syn = make(kSyn, kPeerIss);
    syn.options.present = options;
    syn.options.mss = mss;
    syn.options.window_scale = 7;
    syn.options.ts_value = 5000;
    return syn;
  }
  Segment answer_to(const Segment& syn) const {
    return syn_ack_with_syn_cookie(key, syn, cookie_key, context);
  }
  // The third segment of who was answered so.
  static Segment third_after(const Segment& syn_ack) {
    Segment third = make(kAck, kPeerIss + 1, syn_ack.seq.raw() + 1);
    if (syn_ack.options.has(TcpOptions::kTimestamps)) {
      third.options.present = TcpOptions::kTimestamps;
      third.options.ts_value = 5003;
      third.options.ts_echo = syn_ack.options.ts_value;
    }
    return third;
  }
  std::optional<HalfOpen> shown(const Segment& segment) const {
    return half_open_of_syn_cookie(key, segment, cookie_key, context);
  }

  static constexpr std::uint8_t kAll = TcpOptions::kMss | TcpOptions::kWindowScale |
                                       TcpOptions::kTimestamps | TcpOptions::kSackPermitted;
  base::SipKey cookie_key = syn_cookie_key({11, 12});
};

TEST_F(SynCookieTest, BringsTheOptionsBackInTheTimestamp) {
  Segment syn = syn_with(kAll);
  syn.flags |= base::kEce | base::kCwr;
  const Segment answer = answer_to(syn);
  EXPECT_EQ(answer.flags, kSyn | kAck | base::kEce);
  EXPECT_EQ(answer.options.present, kAll);
  EXPECT_EQ(answer.ack, Seq{kPeerIss + 1});
  const auto half = shown(third_after(answer));
  ASSERT_TRUE(half);
  EXPECT_EQ(half->key, key);
  EXPECT_EQ(half->irs, Seq{kPeerIss});
  EXPECT_EQ(half->iss, answer.seq);
  EXPECT_EQ(half->peer_mss, 1460);
  EXPECT_EQ(half->window_shift, 7);
  EXPECT_TRUE(half->window_scaling() && half->timestamps && half->sack && half->ecn);
  EXPECT_EQ(half->ts_recent, 5003U);
}

TEST_F(SynCookieTest, EveryMixOfOptionsComesBackAsTheSynAckSaidIt) {
  constexpr std::uint8_t kOptional =
      TcpOptions::kWindowScale | TcpOptions::kTimestamps | TcpOptions::kSackPermitted;
  for (int mix = 0; mix <= kAll; ++mix) {
    const auto present = static_cast<std::uint8_t>(mix & kOptional);
    for (const int shift : {0, 1, 14, 15}) {
      Segment syn = syn_with(present);
      syn.options.window_scale = static_cast<std::uint8_t>(shift);
      const Segment answer = answer_to(syn);
      const auto half = shown(third_after(answer));
      ASSERT_TRUE(half) << mix;
      EXPECT_EQ(half->sack, answer.options.has(TcpOptions::kSackPermitted));
      EXPECT_EQ(half->window_scaling(), answer.options.has(TcpOptions::kWindowScale));
      EXPECT_EQ(half->timestamps, answer.options.has(TcpOptions::kTimestamps));
      EXPECT_EQ(half->window_shift,
                half->window_scaling() ? std::min(shift, 14) : HalfOpen::kNoScaling);
    }
  }
}

TEST_F(SynCookieTest, WithoutTimestampsNothingButTheMssIsAgreedOn) {
  const Segment answer =
      answer_to(syn_with(TcpOptions::kMss | TcpOptions::kWindowScale | TcpOptions::kSackPermitted));
  EXPECT_EQ(answer.options.present, TcpOptions::kMss);
  const auto half = shown(third_after(answer));
  ASSERT_TRUE(half);
  EXPECT_EQ(half->peer_mss, 1460);
  EXPECT_FALSE(half->window_scaling() || half->timestamps || half->sack || half->ecn);
}

TEST_F(SynCookieTest, TheMssIsRoundedDownAndNeverUp) {
  std::uint16_t before = 0;
  for (std::uint32_t mss = 0; mss <= 65'535; mss += 13) {
    const auto offered = static_cast<std::uint16_t>(mss);
    const auto half = shown(third_after(answer_to(syn_with(kAll, offered))));
    ASSERT_TRUE(half);
    EXPECT_LE(half->peer_mss, std::max(offered, kMinSendMss));
    EXPECT_GE(half->peer_mss, before);
    before = half->peer_mss;
  }
  EXPECT_EQ(before, 8940);
  EXPECT_EQ(shown(third_after(answer_to(syn_with(kAll, 1460))))->peer_mss, 1460);
  EXPECT_EQ(shown(third_after(answer_to(syn_with(0))))->peer_mss, 536);  // MUST-15
}

TEST_F(SynCookieTest, NothingElseConvinces) {
  const Segment good = third_after(answer_to(syn_with(kAll)));
  ASSERT_TRUE(shown(good));
  const auto refuses = [&](auto&& spoil) {
    Segment bad = good;
    spoil(bad);
    return !shown(bad);
  };
  EXPECT_TRUE(refuses([](Segment& s) { s.ack += 1; }));
  EXPECT_TRUE(refuses([](Segment& s) { s.seq += 1; }));
  EXPECT_TRUE(refuses([](Segment& s) { s.options.present = 0; }));
  for (int bit = 0; bit < 6; ++bit) {
    EXPECT_TRUE(refuses([bit](Segment& s) { s.options.ts_echo ^= 1U << bit; })) << bit;
  }
  for (int bit = 0; bit < 32; ++bit) {
    EXPECT_TRUE(refuses([bit](Segment& s) { s.ack = Seq{((s.ack - 1).raw() ^ 1U << bit) + 1}; }))
        << bit;
  }
  EXPECT_TRUE(refuses([](Segment& s) { s.flags = kSyn | kAck; }));
  EXPECT_TRUE(refuses([](Segment& s) { s.flags = kRst | kAck; }));
  EXPECT_TRUE(refuses([](Segment& s) { s.flags = kPsh; }));
  cookie_key = syn_cookie_key({11, 13});
  EXPECT_FALSE(shown(good));
}

TEST_F(SynCookieTest, AnotherFlowsCookieIsNoGood) {
  const Segment good = third_after(answer_to(syn_with(kAll)));
  const base::FlowKey mine = key;
  key.remote_port ^= 1;
  EXPECT_FALSE(shown(good));
  key = mine;
  key.local_port ^= 1;
  EXPECT_FALSE(shown(good));
  key = mine;
  key.remote = Address::v4(mine.remote.v4_value() ^ 1);
  EXPECT_FALSE(shown(good));
  key = mine;
  std::swap(key.local, key.remote);
  EXPECT_FALSE(shown(good));
}

TEST_F(SynCookieTest, Ipv6HasItsOwn) {
  std::array<std::uint8_t, 16> bytes{0x20, 1, 0x0d, 0xb8};
  key.local = Address::from_bytes(bytes);
  bytes[15] = 1;
  key.remote = Address::from_bytes(bytes);
  const Segment good = third_after(answer_to(syn_with(kAll, 1440)));
  ASSERT_TRUE(shown(good));
  EXPECT_EQ(shown(good)->peer_mss, 1440);
  bytes[7] = 1;
  key.remote = Address::from_bytes(bytes);
  EXPECT_FALSE(shown(good));
}

TEST_F(SynCookieTest, LastsForOneToTwoMinutes) {
  for (const Duration into_minute : {0s, 30s, 59s}) {
    pass(into_minute);
    const Instant then = context.now;
    const Segment good = third_after(answer_to(syn_with(kAll)));
    pass(60s);
    EXPECT_TRUE(shown(good)) << into_minute.count();
    // Also when the two bits of the minute come round again.
    for (context.set_time(then + kSynCookieLifetimeMax); context.now < then + 30min; pass(10s)) {
      EXPECT_FALSE(shown(good));
    }
  }
}

// What we send next must not look older to the peer than the SYN-ACK (PAWS).
TEST_F(SynCookieTest, TimestampIsNeverAheadOfTheClock) {
  for (int ms = 0; ms < 130; ++ms) {
    pass(1ms);
    const Segment answer = answer_to(syn_with(kAll));
    const std::uint32_t behind = context.timestamp - answer.options.ts_value;
    EXPECT_LT(behind, 64U);
  }
}

// A guess has 27 bits to hit, in one of two minutes out of four.
TEST_F(SynCookieTest, GuessesFail) {
  std::mt19937 random{1};
  int hits = 0;
  for (int i = 0; i < 200'000; ++i) {
    Segment guess = make(kAck, kPeerIss + 1, static_cast<std::uint32_t>(random()));
    if (shown(guess)) ++hits;
  }
  EXPECT_EQ(hits, 0);
}

TEST_F(SynCookieTest, BecomesAConnection) {
  const Segment answer = answer_to(syn_with(kAll));
  const Segment third = third_after(answer);
  promote(tcb, *shown(third), context);
  EXPECT_TRUE(arrive(third, "first words").established);
  EXPECT_EQ(tcb.state, State::established);
  EXPECT_EQ(delivered, "first words");
  EXPECT_EQ(tcb.snd_mss, 1460 - 12);
  EXPECT_EQ(tcb.snd_shift, 7);
  EXPECT_EQ(tcb.snd_wnd, 60'000U << 7);
}

}  // namespace
}  // namespace handfast::tcp
