// What a stranger or a hostile peer may ask for, and the bound that it meets.

#include "forged_frame.hpp"

namespace handfast::stack {
namespace {

class HostilePeer : public testing::TestWithParam<Family> {};
INSTANTIATE_TEST_SUITE_P(Over, HostilePeer, testing::Values(Family::ipv4, Family::ipv6), name_of);

void open_one(TwoHosts& hosts) {
  hosts.connect(5000);
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.server.opened == 1; }, 1min));
}

Address nobody(Family family) {
  return *Address::parse(family == Family::ipv4 ? "198.18.0.77" : "2001:db8::77");
}

base::Segment syn() {
  base::Segment segment;
  segment.seq = base::Seq{1000};
  segment.flags = base::kSyn;
  segment.window = 1000;
  return segment;
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

// RFC 5961 section 7: or we would be a reflector, and an oracle for the numbers.
TEST_P(HostilePeer, ChallengeAcksHaveARate) {
  TwoHosts hosts({}, GetParam());
  open_one(hosts);
  base::Segment reset;  // in the window, but not its first number
  reset.flags = base::kRst;
  reset.seq = base::Seq{base::load_be32(&hosts.frames[0][tcp_at(hosts.frames[0]) + 4])} + 100;
  const Frame forged = frame_to_station_of(hosts.frames.front(), {hosts.client_end.address, 5000},
                                           hosts.server_end, reset);
  constexpr int kForged = 3000;
  for (int i = 0; i < kForged; ++i) {
    hosts.replay(forged);
    hosts.world.run_for(10us);
  }
  hosts.world.run_for(10ms);
  const Counters counters = hosts.server_counters();
  EXPECT_GT(counters.challenge_acks, 0U);
  EXPECT_GT(counters.challenge_acks_limited, 0U);
  EXPECT_LT(counters.challenge_acks, kForged / 2);
  // The connection has felt nothing.
  (void)hosts.client.last.send(bytes_of("still here"));
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.server.received == "still here"; }, 1min));
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

}  // namespace
}  // namespace handfast::stack
