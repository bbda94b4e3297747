// What a stranger or a hostile peer may ask for, and the bound that it meets.

#include "forged_frame.hpp"
#include "wire/checksum.hpp"

namespace handfast::stack {
namespace {

class HostilePeer : public testing::TestWithParam<Family> {};
INSTANTIATE_TEST_SUITE_P(Over, HostilePeer, testing::Values(Family::ipv4, Family::ipv6), name_of);

// A connection that has nothing to do with it all, and must feel nothing.
class Neighbour {
 public:
  explicit Neighbour(TwoHosts& hosts) : hosts_(hosts) {
    const Endpoint at{hosts.server_end.address, 81};
    EXPECT_TRUE(hosts.server_worker().listen(at, server_).has_value());
    const auto connection = hosts.client_worker().connect(at, client_);
    EXPECT_TRUE(connection.has_value());
    expect_fed();
  }
  // What it sends now is there after a round trip, ARP's included, and nothing was sent again.
  void expect_fed() {
    constexpr std::size_t kBytes = 5000;
    EXPECT_TRUE(hosts_.world.run_until([&] { return client_.opened == 1; }, 1s));
    EXPECT_EQ(client_.last.send(bytes_of(std::string(kBytes, 'n'))).value_or(0), kBytes);
    sent_ += kBytes;
    EXPECT_TRUE(hosts_.world.run_until([&] { return server_.received.size() == sent_; }, 10ms));
    EXPECT_TRUE(client_.closed.empty());
    const auto info = client_.last.info();
    EXPECT_TRUE(info.has_value() && info->total_retrans == 0);
  }

 private:
  TwoHosts& hosts_;
  Party server_;
  Party client_;
  std::size_t sent_ = 0;
};

// The numbers of the connection from port 5000, as its server sees them.
struct Numbers {
  base::Seq rcv_nxt;
  base::Seq snd_nxt;
};

Numbers numbers_of(const TwoHosts& hosts) {
  const auto field = [](const Frame& frame, std::size_t at) {
    return base::Seq{base::load_be32(&frame[tcp_at(frame) + at])};
  };
  return {.rcv_nxt = field(hosts.frames[0], 4) + 1, .snd_nxt = field(hosts.frames[1], 4) + 1};
}

base::Segment segment_of(std::uint8_t flags, base::Seq seq, base::Seq ack, Bytes text = {}) {
  base::Segment segment;
  segment.flags = flags;
  segment.seq = seq;
  segment.ack = ack;
  segment.window = 5000;
  segment.payload = text;
  return segment;
}

// To the server, as if from the client's port 5000.
void forge(TwoHosts& hosts, const base::Segment& segment) {
  hosts.replay(frame_to_station_of(hosts.frames.front(), {hosts.client_end.address, 5000},
                                   hosts.server_end, segment));
  hosts.world.run_for(10us);
}

void without_timestamps(StackConfig& config) {
  config.timestamps = false;
}

void open_one(TwoHosts& hosts) {
  hosts.connect(5000);
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.server.opened == 1; }, 1min));
}

Address nobody(Family family) {
  return *Address::parse(family == Family::ipv4 ? "198.18.0.77" : "2001:db8::77");
}

// MUST-22, MUST-23: repeated with longer and longer waits, and forgotten after three minutes.
TEST_P(HostilePeer, ASynFromNobodyIsAnsweredForThreeMinutes) {
  TwoHosts hosts({}, GetParam());
  open_one(hosts);
  hosts.replay(frame_to_station_of(hosts.frames.front(), {nobody(GetParam()), 4000},
                                   hosts.server_end, syn()));
  hosts.world.run_for(16s);  // after 1, 3, 7 and 15 s
  EXPECT_EQ(hosts.server_counters().syn_ack_retransmitted, 4U);
  EXPECT_EQ(hosts.server_worker().half_open_count(), 1U);
  hosts.world.run_for(5min);
  EXPECT_EQ(hosts.server_worker().half_open_count(), 0U);
  EXPECT_EQ(hosts.server_counters().half_open_expired, 1U);
}

// RFC 5961 section 7: or we would be a reflector.
TEST_P(HostilePeer, ChallengeAcksHaveARate) {
  TwoHosts hosts({}, GetParam());
  open_one(hosts);
  base::Segment reset;  // in the window, but not its first number
  reset.flags = base::kRst;
  reset.seq = base::Seq{base::load_be32(&hosts.frames[0][tcp_at(hosts.frames[0]) + 4])} + 100;
  Neighbour neighbour(hosts);
  const Frame forged = frame_to_station_of(hosts.frames.front(), {hosts.client_end.address, 5000},
                                           hosts.server_end, reset);
  constexpr int kForged = 3000;
  for (int i = 0; i < kForged; ++i) {
    hosts.replay(forged);
    hosts.world.run_for(10us);
  }
  hosts.world.run_for(10ms);
  const Counters counters = hosts.server_counters();
  EXPECT_EQ(counters.challenge_acks, 1U);
  EXPECT_EQ(counters.challenge_acks_limited, kForged - 1U);
  hosts.world.run_for(500ms);
  hosts.replay(forged);
  hosts.world.run_for(10ms);
  EXPECT_EQ(hosts.server_counters().challenge_acks, 2U);
  neighbour.expect_fed();
  // The connection has felt nothing.
  (void)hosts.client.last.send(bytes_of("still here"));
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.server.received == "still here"; }, 1min));
}

// CVE-2016-5696: somebody forges a RST in the name of the connection from port 5000, then draws
// challenge ACKs on one of his own from port 6000, as many as he can, and counts them. Returns
// them.
std::size_t challenges_left_for_a_stranger(Family family, bool hits_the_window) {
  TwoHosts hosts({}, family);
  open_one(hosts);
  const base::Seq theirs = numbers_of(hosts).rcv_nxt;
  const std::size_t before = hosts.frames.size();
  hosts.connect(6000);
  EXPECT_TRUE(hosts.world.run_until([&] { return hosts.server.opened == 2; }, 1min));
  const Frame& syn = hosts.frames[before];
  const base::Seq own = base::Seq{base::load_be32(&syn[tcp_at(syn) + 4])} + 1;
  hosts.world.run_for(5s);
  forge(hosts, segment_of(base::kRst, hits_the_window ? theirs + 100 : theirs - 100, {}));
  const auto answered = [&hosts] {
    return std::ranges::count_if(hosts.frames, [](const Frame& frame) {
      return base::load_be16(&frame[tcp_at(frame) + 2]) == 6000;
    });
  };
  const auto answered_before = answered();
  const Frame drawing =
      frame_to_station_of(hosts.frames.front(), {hosts.client_end.address, 6000}, hosts.server_end,
                          segment_of(base::kRst, own + 100, {}));
  for (int i = 0; i < 2000; ++i) {
    hosts.replay(drawing);
    hosts.world.run_for(10us);
  }
  hosts.world.run_for(10ms);
  return static_cast<std::size_t>(answered() - answered_before);
}

TEST_P(HostilePeer, ChallengeAcksDoNotTellOfOthers) {
  const std::size_t left = challenges_left_for_a_stranger(GetParam(), false);
  EXPECT_GT(left, 0U);
  EXPECT_EQ(challenges_left_for_a_stranger(GetParam(), true), left);
}

// The segment that ends the connection orderly is also the one at which the handler gives it up.
TEST_P(HostilePeer, AnAbortInTheLastEventIsTheReason) {
  TwoHosts hosts({}, GetParam());
  hosts.server.at_open = [](Connection c) { (void)c.close(); };
  hosts.server.at_data = [](Connection c, Bytes data) {
    (void)c.abort();
    return data.size();
  };
  hosts.client.at_peer_finished = [](Connection c) {
    (void)c.send(bytes_of("x"));
    (void)c.close();
  };
  hosts.connect();
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(); }, 1min));
  EXPECT_EQ(hosts.server.closed, std::vector{CloseReason::aborted});
}

// Each next hop that nobody uses any more can make room for another.
TEST_P(HostilePeer, NeighboursOfThePastLeaveTheTable) {
  const Family family = GetParam();
  TwoHosts hosts(
      [family](StackConfig& config) {
        config.interface.addresses.front().length = family == Family::ipv4 ? 16 : 64;
      },
      family);
  constexpr std::uint32_t kPeers = 5000;  // more than the table holds
  for (std::uint32_t i = 0; i < kPeers; ++i) {
    const Address peer = family == Family::ipv4
                             ? Address::v4(0xc6121000 + i)
                             : Address::from_bytes({0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 1, 0,
                                                    0, static_cast<std::uint8_t>(i >> 8),
                                                    static_cast<std::uint8_t>(i)});
    const auto connection = hosts.client_worker().connect({peer, 80}, hosts.client);
    ASSERT_TRUE(connection.has_value()) << i;
    (void)Connection{*connection}.abort();
    hosts.world.run_for(100us);
  }
  EXPECT_EQ(hosts.client.closed.size(), kPeers);
}

// LAND: answered, it would talk to itself for ever.
TEST_P(HostilePeer, ASynFromOurselvesIsDropped) {
  TwoHosts hosts({}, GetParam());
  open_one(hosts);
  Neighbour neighbour(hosts);
  const Counters before = hosts.server_counters();
  const Endpoint other_port{hosts.server_end.address, 4000};
  for (const Endpoint& source : {hosts.server_end, other_port}) {
    for (const std::uint8_t flags : {base::kSyn, base::kAck, base::kRst}) {
      base::Segment segment = syn();
      segment.flags = flags;
      hosts.replay(frame_to_station_of(hosts.frames.front(), source, hosts.server_end, segment));
    }
  }
  hosts.world.run_for(10s);
  EXPECT_EQ(hosts.server_worker().half_open_count(), 0U);
  EXPECT_EQ(hosts.server_counters().drop_ip_source - before.drop_ip_source, 6U);
  EXPECT_EQ(hosts.server_counters().rst_sent, before.rst_sent);
  neighbour.expect_fed();
}

// RFC 5961 sections 3 to 5, without a look at the wire: 2^32 numbers, and one in a window's length
// meets the window; none of these is the exact one.
TEST_P(HostilePeer, BlindSegmentsDoNothing) {
  TwoHosts hosts(without_timestamps, GetParam());
  open_one(hosts);
  Neighbour neighbour(hosts);
  const Numbers numbers = numbers_of(hosts);
  const std::string text = "forged";
  constexpr std::uint32_t kStep = 0x0101'0101;
  for (std::uint32_t i = 1; i <= 250; ++i) {
    const base::Seq seq = numbers.rcv_nxt + i * kStep;
    const base::Seq near_by = numbers.rcv_nxt + i * 200;
    const base::Seq ack = numbers.snd_nxt + (1U << 31) + i;
    forge(hosts, segment_of(base::kRst, seq, {}));
    forge(hosts, segment_of(base::kRst, near_by, {}));
    forge(hosts, segment_of(base::kSyn, near_by, {}));
    forge(hosts, segment_of(base::kAck, numbers.rcv_nxt, ack, bytes_of(text)));
    forge(hosts, segment_of(base::kFin | base::kAck, numbers.rcv_nxt, ack));
  }
  neighbour.expect_fed();
  (void)hosts.client.last.send(bytes_of("genuine"));
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.server.received == "genuine"; }, 1min));
  EXPECT_TRUE(hosts.server.closed.empty());
  EXPECT_EQ(hosts.server.peer_finished, 0);
  neighbour.expect_fed();
}

// Sequence guessing: the third segment must know the number that only the second told.
TEST_P(HostilePeer, GuessedThirdSegmentsOpenNothing) {
  TwoHosts hosts(without_timestamps, GetParam());
  open_one(hosts);
  Neighbour neighbour(hosts);
  const int opened = hosts.server.opened;
  const Endpoint source{nobody(GetParam()), 4000};
  const auto send = [&](const base::Segment& segment) {
    hosts.replay(frame_to_station_of(hosts.frames.front(), source, hosts.server_end, segment));
    hosts.world.run_for(10us);
  };
  send(syn());
  hosts.world.run_for(5ms);
  ASSERT_EQ(hosts.server_worker().half_open_count(), 1U);
  // Also those that a generator without a secret would have given: near the last one's.
  for (std::uint32_t i = 0; i < 500; ++i) {
    send(segment_of(base::kAck, syn().seq + 1, numbers_of(hosts).snd_nxt + i));
    send(segment_of(base::kAck, syn().seq + 1, base::Seq{i * 0x0080'0000}));
  }
  hosts.world.run_for(5ms);
  EXPECT_EQ(hosts.server.opened, opened);
  EXPECT_EQ(hosts.server_worker().half_open_count(), 1U);
  neighbour.expect_fed();
}

// Every second byte of a window, so that each is a range of its own: the record and the pool have
// bounds, and what is open beside it has its packets.
TEST_P(HostilePeer, RangesWithoutEndLeaveTheNeighbourItsPackets) {
  TwoHosts hosts(without_timestamps, GetParam());
  open_one(hosts);
  Neighbour neighbour(hosts);
  const Numbers numbers = numbers_of(hosts);
  const std::string byte = "x";
  for (std::uint32_t i = 0; i < 4000; ++i) {
    forge(hosts,
          segment_of(base::kAck, numbers.rcv_nxt + 1 + 2 * i, numbers.snd_nxt, bytes_of(byte)));
  }
  EXPECT_GT(hosts.server_counters().out_of_order_dropped, 0U);
  neighbour.expect_fed();
}

// MUST-37 has it open for as long as its probes are answered. How long is too long only the
// application knows: its timer tells it, and close_within() needs no timer.
TEST_P(HostilePeer, AWindowClosedForEverEndsWhenTheApplicationSaysSo) {
  TwoHosts hosts(
      [](StackConfig& config) { config.receive_buffer = config.receive_buffer_max = 8192; },
      GetParam());
  hosts.client.at_data = [](Connection, Bytes) -> std::size_t { return 0; };
  hosts.server.at_open = [](Connection c) {
    (void)c.send(bytes_of(std::string(100'000, 'x')));
    (void)c.set_timer(30min);
  };
  hosts.server.at_timer = [](Connection c) {
    const auto info = c.info();
    EXPECT_TRUE(info.has_value() && info->snd_wnd == 0 && info->notsent > 0);
    (void)c.abort();
  };
  open_one(hosts);
  Neighbour neighbour(hosts);
  hosts.world.run_for(29min);
  EXPECT_TRUE(hosts.server.closed.empty());
  EXPECT_GT(hosts.server_counters().zero_window_probes, 20U);
  neighbour.expect_fed();
  hosts.world.run_for(2min);
  EXPECT_EQ(hosts.server.closed, std::vector{CloseReason::aborted});
  EXPECT_EQ(hosts.client.closed, std::vector{CloseReason::reset});
  neighbour.expect_fed();
}

// RFC 1858: refused whole, so that no overlap of theirs can rewrite a header.
TEST(HostileFragment, IsRefusedAndCounted) {
  TwoHosts hosts(without_timestamps);
  open_one(hosts);
  Neighbour neighbour(hosts);
  const Numbers numbers = numbers_of(hosts);
  constexpr std::size_t kFlagsAt = 14 + 6;
  constexpr std::size_t kChecksumAt = 14 + 10;
  constexpr std::size_t kIpv4Header = 20;
  const std::string text = "fragment";
  constexpr std::uint16_t kMoreFragments = 0x2000;
  for (const std::uint16_t flags : {kMoreFragments, std::uint16_t{1}, std::uint16_t{185}}) {
    Frame frame = frame_to_station_of(
        hosts.frames.front(), {hosts.client_end.address, 5000}, hosts.server_end,
        segment_of(base::kAck, numbers.rcv_nxt, numbers.snd_nxt, bytes_of(text)));
    base::store_be16(&frame[kFlagsAt], flags);
    base::store_be16(&frame[kChecksumAt], 0);
    wire::store_checksum(&frame[kChecksumAt],
                         wire::fold(wire::sum(Bytes{frame}.subspan(14, kIpv4Header))));
    hosts.replay(frame);
    hosts.world.run_for(1ms);
  }
  EXPECT_EQ(hosts.server_counters().drop_ip_fragment, 3U);
  EXPECT_EQ(hosts.server.received, "");
  neighbour.expect_fed();
}

}  // namespace
}  // namespace handfast::stack
