// What an RFC asks of whole stacks and no other test happens to show: one case a requirement, named
// in docs/conformance.md.

#include "forged_frame.hpp"

namespace handfast::stack {
namespace {

class StackConformance : public testing::TestWithParam<Family> {};
INSTANTIATE_TEST_SUITE_P(Over, StackConformance, testing::Values(Family::ipv4, Family::ipv6),
                         name_of);

// The MSS option of a captured segment; 0 when it has none.
std::uint16_t mss_of(const Frame& frame) {
  constexpr std::byte kNop{1};
  constexpr std::byte kMss{2};
  const std::size_t tcp = tcp_at(frame);
  const std::size_t end = tcp + std::size_t{4} * (static_cast<std::uint8_t>(frame[tcp + 12]) >> 4);
  for (std::size_t at = tcp + 20; at < end;) {
    if (frame[at] == kMss) return base::load_be16(&frame[at + 2]);
    at += frame[at] == kNop ? 1 : static_cast<std::size_t>(frame[at + 1]);
  }
  return 0;
}

// RFC 9293 MUST-65, MUST-67, MAY-3, SHLD-5.
TEST_P(StackConformance, MssIsSaidInEverySynAndNowhereElse) {
  TwoHosts hosts({}, GetParam());
  hosts.client.at_open = [](Connection c) {
    (void)c.send(bytes_of("text"));
    (void)c.close();
  };
  hosts.connect();
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(); }, 1min));
  const std::uint16_t mss = GetParam() == Family::ipv4 ? 1460 : 1440;
  for (const Frame& frame : hosts.frames) {
    EXPECT_EQ(mss_of(frame), (flags_of(frame) & base::kSyn) != 0 ? mss : 0);
  }
}

// MUST-28.
TEST_P(StackConformance, KeepAliveWaitsTwoHoursWhereNothingElseIsSaid) {
  TwoHosts hosts({}, GetParam());
  hosts.client.at_open = [](Connection c) { (void)c.set_keep_alive(); };
  hosts.connect();
  hosts.world.run_for(119min);
  EXPECT_EQ(hosts.client_counters().keep_alive_probes, 0U);
  hosts.world.run_for(2min);
  EXPECT_EQ(hosts.client_counters().keep_alive_probes, 1U);
}

// RFC 4987 section 3.4: SYNs beyond the bound hold no memory, and what is open feels nothing.
TEST_P(StackConformance, HalfOpenConnectionsAreBounded) {
  TwoHosts hosts([](StackConfig& config) { config.max_half_open = 4; }, GetParam());
  hosts.connect(5000);
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.server.opened == 1; }, 1min));
  base::Segment syn;
  syn.flags = base::kSyn;
  syn.window = 1000;
  const Address nobody =
      *Address::parse(GetParam() == Family::ipv4 ? "198.18.0.77" : "2001:db8::77");
  for (std::uint16_t port = 1; port <= 20; ++port) {
    hosts.replay(frame_to_station_of(hosts.frames.front(), {nobody, port}, hosts.server_end, syn));
    hosts.world.run_for(10us);
  }
  EXPECT_LE(hosts.server_worker().half_open_count(), 4U);
  (void)hosts.client.last.send(bytes_of("still here"));
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.server.received == "still here"; }, 1s));
}

}  // namespace
}  // namespace handfast::stack
