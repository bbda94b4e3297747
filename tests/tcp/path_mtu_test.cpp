// Path MTU: what ICMP says (RFC 1191, RFC 8201), what of it is believed (RFC 5927), and what is
// found out when nobody says anything.

#include "tcp/path_mtu.hpp"

#include "connection_fixture.hpp"
#include "tcp/congestion/congestion.hpp"

namespace handfast::tcp {
namespace {

using namespace std::chrono_literals;

class PathMtu : public ConnectionTest {
 public:
  // With an MSS of 1460 and three full segments in flight.
  void sends_three_segments() {
    syn_sent();
    Segment syn_ack = make(kSyn | kAck, kPeerIss, kIss + 1, 60'000);
    syn_ack.options.present = TcpOptions::kMss;
    syn_ack.options.mss = 1460;
    arrive(syn_ack);
    output();
    queue(std::string(3U * tcb.snd_mss, 'x'));
    ASSERT_EQ(output().size(), 3U);
  }
  // With all else acknowledged, and the window less than a segment.
  void sends_a_probe_of(std::uint16_t window) {
    sends_three_segments();
    arrive(make(kAck, kPeerIss + 1, tcb.snd_nxt.raw(), window));
    queue(std::string(1460, 'p'));
    ASSERT_TRUE(output().empty());
    sent_by_timer.clear();
    while (sent_by_timer.empty()) wait(10ms);
    ASSERT_EQ(sent_by_timer[0].payload.size(), std::max<std::size_t>(window, 1));
    ASSERT_EQ(tcb.in_flight(), 0U);
  }
  IcmpVerdict too_big(std::uint32_t quoted, std::uint16_t mtu) {
    return packet_too_big(tcb, Seq{quoted}, mtu, context);
  }
  static std::size_t longest(const std::vector<Sent>& sent) {
    std::size_t bytes = 0;
    for (const Sent& s : sent) bytes = std::max(bytes, s.payload.size());
    return bytes;
  }
  void acknowledge_all() {
    arrive(make(kAck, kPeerIss + 1, tcb.snd_nxt.raw()));
    output();
  }

  static constexpr std::uint32_t kFirst = kIss + 1;
};

TEST_F(PathMtu, WhatWasTooBigIsSentAgainAtOnceAndSmaller) {
  sends_three_segments();
  const std::uint32_t cwnd = tcb.cwnd;
  EXPECT_EQ(too_big(kFirst, 1000), IcmpVerdict::note);
  EXPECT_EQ(tcb.snd_mss, 960);
  const auto sent = output();
  ASSERT_EQ(sent.size(), 6U);
  EXPECT_EQ(longest(sent), 960U);
  std::size_t bytes = 0;
  Seq next{kFirst};
  for (const Sent& s : sent) {
    EXPECT_EQ(s.segment.seq, next);
    next += static_cast<std::uint32_t>(s.payload.size());
    bytes += s.payload.size();
  }
  EXPECT_EQ(bytes, 3U * 1460U);
  // Nothing about congestion (RFC 1191 section 6.5), not even when the first ACK has come.
  EXPECT_EQ(tcb.cwnd, cwnd);
  arrive(make(kAck, kPeerIss + 1, kFirst + 960));
  output();
  EXPECT_GE(tcb.cwnd, cwnd);
  EXPECT_EQ(tcb.transfer->recovery, Recovery::open);
  acknowledge_all();
  EXPECT_GE(tcb.cwnd, cwnd);
  EXPECT_EQ(counters.snapshot().path_mtu_lowered, 1U);
  EXPECT_EQ(counters.snapshot().fast_retransmits, 0U);
}

TEST_F(PathMtu, WhatIsQueuedAlreadyIsCutToo) {
  sends_three_segments();
  queue(std::string(2 * 1460, 'y'));
  too_big(kFirst, 1000);
  EXPECT_EQ(longest(output()), 960U);
}

TEST_F(PathMtu, OnlyWhatIsInFlightAndTooBigIsBelieved) {
  sends_three_segments();
  EXPECT_EQ(too_big(kFirst - 1, 1000), IcmpVerdict::disbelieve);         // acknowledged
  EXPECT_EQ(too_big(kFirst + 3 * 1460, 1000), IcmpVerdict::disbelieve);  // never sent
  EXPECT_EQ(too_big(kFirst, 1500), IcmpVerdict::disbelieve);             // it was no larger
  EXPECT_EQ(too_big(kFirst, 67), IcmpVerdict::disbelieve);               // RFC 791's least
  EXPECT_EQ(tcb.snd_mss, 1460);
  EXPECT_TRUE(output().empty());
  EXPECT_EQ(too_big(kFirst + 2 * 1460 + 7, 1499), IcmpVerdict::note);
  EXPECT_EQ(tcb.snd_mss, 1459);
}

// A segment of one byte cannot have been too big (RFC 5927 section 7.2), nor can a FIN or a SYN.
TEST_F(PathMtu, ASmallSegmentWasNotTooBig) {
  established();
  queue("x");
  output();
  EXPECT_EQ(too_big(kFirst, 500), IcmpVerdict::disbelieve);
  acknowledge_all();
  close(tcb);
  output();
  EXPECT_EQ(too_big(kFirst + 1, 500), IcmpVerdict::disbelieve);
  restart();
  syn_sent();
  EXPECT_EQ(too_big(kIss, 500), IcmpVerdict::disbelieve);
}

// The same error twice: what it is about has been sent smaller meanwhile.
TEST_F(PathMtu, ARepeatedErrorDoesNothing) {
  sends_three_segments();
  too_big(kFirst, 1000);
  output();
  EXPECT_EQ(too_big(kFirst, 1000), IcmpVerdict::disbelieve);
  EXPECT_EQ(too_big(kFirst + 1460, 1000), IcmpVerdict::disbelieve);
  EXPECT_TRUE(output().empty());
}

// What fills a window of less than a segment leaves as a probe, and is not in flight.
TEST_F(PathMtu, AProbeThatWasTooBigIsSentAgainAtOnceAndSmaller) {
  sends_a_probe_of(748);
  EXPECT_EQ(too_big(tcb.snd_nxt.raw(), 788), IcmpVerdict::disbelieve);  // it was no larger
  EXPECT_EQ(too_big(tcb.snd_nxt.raw() - 1, 576), IcmpVerdict::disbelieve);
  EXPECT_EQ(too_big(tcb.snd_nxt.raw() + 1, 576), IcmpVerdict::disbelieve);
  EXPECT_EQ(too_big(tcb.snd_nxt.raw(), 576), IcmpVerdict::note);
  EXPECT_EQ(tcb.snd_mss, 536);
  const Seq next = tcb.snd_nxt;
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.seq, next);
  EXPECT_EQ(sent[0].payload.size(), 536U);
  EXPECT_EQ(counters.snapshot().path_mtu_lowered, 1U);
}

TEST_F(PathMtu, AProbeOfAClosedWindowWasNotTooBig) {
  sends_a_probe_of(0);
  EXPECT_EQ(too_big(tcb.snd_nxt.raw(), 68), IcmpVerdict::disbelieve);
  EXPECT_EQ(tcb.snd_mss, 1460);
}

// RFC 1191 section 5: an old router says 0, and the next plateau of section 7.1 is tried.
TEST_F(PathMtu, AnOldRouterIsAnsweredWithTheNextPlateau) {
  sends_three_segments();
  EXPECT_EQ(too_big(kFirst, 0), IcmpVerdict::note);
  EXPECT_EQ(tcb.snd_mss, 1492 - 40);
  output();
  EXPECT_EQ(too_big(kFirst, 0), IcmpVerdict::note);
  EXPECT_EQ(tcb.snd_mss, 1006 - 40);
  output();
  EXPECT_EQ(too_big(kFirst, 0), IcmpVerdict::note);
  EXPECT_EQ(tcb.snd_mss, 508 - 40);
}

TEST_F(PathMtu, OptionsCountAndTinySegmentsAreRefused) {
  sends_three_segments();
  tcb.timestamps = true;
  EXPECT_EQ(too_big(kFirst, 1000), IcmpVerdict::note);
  EXPECT_EQ(tcb.snd_mss, 1000 - 52);
  EXPECT_EQ(path_mtu(tcb, parameters), 1000U);
  EXPECT_EQ(too_big(kFirst, 68), IcmpVerdict::note);
  EXPECT_EQ(tcb.snd_mss, kMinSendMss - kTimestampOption);
}

TEST_F(PathMtu, Ipv6HasAFloor) {
  key.local = *Address::parse("2001:db8::1");
  key.remote = *Address::parse("2001:db8::2");
  sends_three_segments();
  ASSERT_EQ(tcb.snd_mss, 1440);
  EXPECT_EQ(too_big(kFirst, 1279), IcmpVerdict::disbelieve);  // RFC 8201 section 4
  EXPECT_EQ(too_big(kFirst, 0), IcmpVerdict::disbelieve);
  EXPECT_EQ(too_big(kFirst, 1280), IcmpVerdict::note);
  EXPECT_EQ(tcb.snd_mss, 1220);
}

// RFC 1191 section 6.3: not before ten minutes have passed.
TEST_F(PathMtu, FullSizeIsTriedAgainAfterTenMinutes) {
  sends_three_segments();
  too_big(kFirst, 1000);
  output();
  acknowledge_all();
  wait(9min);
  EXPECT_NE(tcb.transfer, nullptr);  // keeps what it has learned while idle
  tcb.cwnd = 1'000'000;
  queue(std::string(2000, 'a'));
  EXPECT_EQ(tcb.cwnd, initial_window(tcb.snd_mss));  // but not its window (RFC 5681 section 4.1)
  EXPECT_EQ(longest(output()), 960U);
  acknowledge_all();
  wait(62s);
  queue(std::string(2000, 'b'));
  EXPECT_EQ(longest(output()), 1460U);
  EXPECT_EQ(counters.snapshot().path_mtu_raised, 1U);
  acknowledge_all();
  wait(2s);
  EXPECT_EQ(tcb.transfer, nullptr);
}

// --- black holes

TEST_F(PathMtu, SilenceAboutAFullSegmentMakesItSmaller) {
  sends_three_segments();
  sent_by_timer.clear();
  while (counters.snapshot().retransmission_timeouts < 2) wait(100ms);
  EXPECT_EQ(longest(sent_by_timer), 1460U);
  EXPECT_EQ(tcb.snd_mss, 1460);
  sent_by_timer.clear();
  while (counters.snapshot().retransmission_timeouts < 3) wait(100ms);
  EXPECT_EQ(tcb.snd_mss, 1024);
  EXPECT_EQ(longest(sent_by_timer), 1024U);
  EXPECT_EQ(counters.snapshot().path_mtu_black_holes, 1U);
  while (counters.snapshot().retransmission_timeouts < 4) wait(100ms);
  EXPECT_EQ(tcb.snd_mss, 536);
  while (counters.snapshot().retransmission_timeouts < 6) wait(100ms);
  EXPECT_EQ(tcb.snd_mss, 536);  // and no smaller
  EXPECT_EQ(counters.snapshot().path_mtu_black_holes, 2U);
  acknowledge_all();
  EXPECT_EQ(tcb.retransmits, 0U);
}

TEST_F(PathMtu, SilenceAboutAProbeMakesItAByte) {
  sends_a_probe_of(748);
  while (sent_by_timer.size() < 5) wait(100ms);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(sent_by_timer[i].payload.size(), i < 3 ? 748U : 1U) << i;
    EXPECT_EQ(sent_by_timer[i].segment.seq, tcb.snd_nxt) << i;
  }
  EXPECT_EQ(tcb.snd_mss, 1460);
  // The byte has arrived, and the window is worth a segment meanwhile.
  arrive(make(kAck, kPeerIss + 1, tcb.snd_nxt.raw() + 1, 2000));
  EXPECT_EQ(longest(output()), 1459U);
}

// The count is of silence, not of probes.
TEST_F(PathMtu, AnsweredProbesStayAsLargeAsTheWindow) {
  sends_a_probe_of(748);
  for (std::size_t i = 1; i < 6; ++i) {
    arrive(make(kAck, kPeerIss + 1, tcb.snd_nxt.raw(), 748));
    output();
    sent_by_timer.clear();
    while (sent_by_timer.empty()) wait(10ms);
    EXPECT_EQ(sent_by_timer[0].payload.size(), 748U);
  }
}

TEST_F(PathMtu, SilenceAboutASmallSegmentSaysNothing) {
  established();
  queue("small");
  output();
  wait(30s);
  EXPECT_GT(counters.snapshot().retransmission_timeouts, 3U);
  EXPECT_EQ(counters.snapshot().path_mtu_black_holes, 0U);
}

TEST_F(PathMtu, AnsweredTimeoutsAreNoSilence) {
  sends_three_segments();
  for (int i = 0; i < 3; ++i) {
    const auto before = counters.snapshot().retransmission_timeouts;
    while (counters.snapshot().retransmission_timeouts < before + 2) wait(100ms);
    arrive(make(kAck, kPeerIss + 1, tcb.snd_una.raw() + 1460));
    output();
  }
  EXPECT_EQ(tcb.snd_mss, 1460);
  EXPECT_EQ(counters.snapshot().path_mtu_black_holes, 0U);
}

TEST_F(PathMtu, ABlackHoleFoundAgainIsLeftAloneForTwiceAsLong) {
  sends_three_segments();
  const auto fall_silent = [this] {
    const auto before = counters.snapshot().path_mtu_black_holes;
    while (counters.snapshot().path_mtu_black_holes == before) wait(100ms);
    acknowledge_all();
  };
  const auto try_after = [this](Duration time) {
    wait(time);
    queue(std::string(1460, 'c'));
    return longest(output());
  };
  fall_silent();
  EXPECT_EQ(try_after(11min), 1460U);
  fall_silent();
  EXPECT_EQ(try_after(15min), 1024U);
  acknowledge_all();
  EXPECT_EQ(try_after(6min), 1460U);
}

TEST_F(PathMtu, Ipv6FallsBackToItsLeast) {
  key.local = *Address::parse("2001:db8::1");
  key.remote = *Address::parse("2001:db8::2");
  sends_three_segments();
  while (counters.snapshot().retransmission_timeouts < 5) wait(100ms);
  EXPECT_EQ(tcb.snd_mss, 1220);
  EXPECT_EQ(counters.snapshot().path_mtu_black_holes, 1U);
}

// RFC 1191 section 6.3: what one connection was told, the next one starts from.
TEST_F(PathMtu, WhatIsKnownOfAPathIsKeptForTenMinutes) {
  PathMtus known;
  const Address host = Address::v4(0xc6120002);
  EXPECT_FALSE(known.knows_any());
  EXPECT_EQ(known.find(host, context.now), nullptr);
  known.remember(host, 1400, context.now);
  EXPECT_TRUE(known.knows_any());
  ASSERT_NE(known.find(host, context.now + 599s), nullptr);
  EXPECT_EQ(known.find(host, context.now + 599s)->mtu, 1400);
  EXPECT_EQ(known.find(host, context.now + 600s), nullptr);
  EXPECT_EQ(known.find(Address::v4(0xc6120003), context.now), nullptr);
  EXPECT_EQ(known.find(Address{}, context.now), nullptr);
}

TEST_F(PathMtu, WhatIsKnownIsOfOneHost) {
  PathMtus known;
  known.remember(Address::v4(0xc6120002), 1400, context.now);
  for (std::uint32_t host = 0; host < 10'000; ++host) {
    ASSERT_EQ(known.find(Address::v4(0x0a000000 + host), context.now), nullptr) << host;
  }
}

TEST_F(PathMtu, AConnectionStartsFromWhatIsKnownAndTriesFullSizeWhenThatIsOld) {
  established();
  const std::uint16_t full = tcb.snd_mss;
  PathMtus known;
  known.remember(tcb.key.remote, 500, context.now - 8min);
  start_at(tcb, *known.find(tcb.key.remote, context.now), context);
  EXPECT_EQ(path_mtu(tcb, context.parameters), 500U);
  queue(std::string(full, 'a'));
  EXPECT_LE(longest(output()), 460U);
  acknowledge_all();
  wait(121s);
  queue(std::string(full, 'b'));
  EXPECT_EQ(tcb.snd_mss, full);
}

TEST_F(PathMtu, ALargerPathThanTheLinkIsNoNews) {
  established();
  const std::uint16_t full = tcb.snd_mss;
  PathMtus known;
  known.remember(tcb.key.remote, 9000, context.now);
  start_at(tcb, *known.find(tcb.key.remote, context.now), context);
  EXPECT_EQ(tcb.snd_mss, full);
  EXPECT_EQ(tcb.transfer, nullptr);
}

}  // namespace
}  // namespace handfast::tcp
