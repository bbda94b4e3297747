// Segments to and from addresses that are no single host's: silently discarded (RFC 9293 MUST-57,
// MUST-63), and never connected to (MUST-46).

#include "forged_frame.hpp"

namespace handfast::stack {
namespace {

// A SYN to the server's port.
Frame syn_to_station_of(const Frame& like, const Address& source, const Address& destination) {
  return frame_to_station_of(like, {source, 5000}, {destination, 80}, syn());
}

class GroupAddress : public testing::TestWithParam<Family> {};
INSTANTIATE_TEST_SUITE_P(Over, GroupAddress, testing::Values(Family::ipv4, Family::ipv6), name_of);

std::vector<Address> addresses(std::initializer_list<const char*> texts) {
  std::vector<Address> out;
  for (const char* text : texts) out.push_back(*Address::parse(text));
  return out;
}

std::vector<Address> groups_of(Family family) {
  return family == Family::ipv4 ? addresses({"198.18.0.255", "255.255.255.255", "224.0.0.1"})
                                : addresses({"ff02::1", "ff05::2"});
}

std::vector<Address> impossible_sources_of(Family family) {
  return family == Family::ipv4
             ? addresses({"198.18.0.255", "255.255.255.255", "224.0.0.1", "0.0.0.0", "127.0.0.1"})
             : addresses({"ff02::1", "::", "::1"});
}

// The control: the same SYN between hosts is answered.
TEST_P(GroupAddress, ASynBetweenHostsIsAnswered) {
  TwoHosts hosts({}, GetParam());
  hosts.connect();
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.server.opened == 1; }, 1min));
  const std::size_t before = hosts.frames.size();
  hosts.replay(
      syn_to_station_of(hosts.frames.front(), hosts.client_end.address, hosts.server_end.address));
  hosts.world.run_for(500ms);
  ASSERT_GT(hosts.frames.size(), before + 1);
  EXPECT_EQ(flags_of(hosts.frames[before + 1]), base::kSyn | base::kAck);
}

TEST_P(GroupAddress, ASynToOneIsDiscardedSilently) {
  TwoHosts hosts({}, GetParam());
  hosts.connect();
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.server.opened == 1; }, 1min));
  for (const Address& group : groups_of(GetParam())) {
    const std::size_t before = hosts.frames.size();
    hosts.replay(syn_to_station_of(hosts.frames.front(), hosts.client_end.address, group));
    hosts.world.run_for(500ms);
    EXPECT_EQ(hosts.frames.size(), before + 1) << group.to_string();
  }
  EXPECT_EQ(hosts.server_worker().half_open_count(), 0U);
}

TEST_P(GroupAddress, ASynFromOneIsDiscardedSilently) {
  TwoHosts hosts({}, GetParam());
  hosts.connect();
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.server.opened == 1; }, 1min));
  for (const Address& source : impossible_sources_of(GetParam())) {
    const std::size_t before = hosts.frames.size();
    hosts.replay(syn_to_station_of(hosts.frames.front(), source, hosts.server_end.address));
    hosts.world.run_for(500ms);
    EXPECT_EQ(hosts.frames.size(), before + 1) << source.to_string();
  }
  EXPECT_EQ(hosts.server_worker().half_open_count(), 0U);
}

// RFC 1122 section 4.2.3.10: whatever address is in the packet.
TEST_P(GroupAddress, ASynInABroadcastFrameIsDiscardedSilently) {
  TwoHosts hosts({}, GetParam());
  hosts.connect();
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.server.opened == 1; }, 1min));
  const std::size_t before = hosts.frames.size();
  const std::uint64_t dropped = hosts.server_counters().drop_not_for_us_l3;
  Frame frame =
      syn_to_station_of(hosts.frames.front(), hosts.client_end.address, hosts.server_end.address);
  std::fill_n(frame.begin(), 6, std::byte{0xff});
  hosts.replay(frame);
  hosts.world.run_for(500ms);
  EXPECT_EQ(hosts.frames.size(), before + 1);
  EXPECT_EQ(hosts.server_worker().half_open_count(), 0U);
  EXPECT_EQ(hosts.server_counters().drop_not_for_us_l3, dropped + 1);
}

// 198.18.0.255 is nobody's although the range around it is owned.
TEST(BroadcastAddress, InsideOfAnOwnedRangeIsNobodys) {
  TwoHosts hosts([](StackConfig& config) {
    config.interface.owned_ranges = {Prefix::parse("198.18.0.252/30").value()};
  });
  hosts.connect();
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.server.opened == 1; }, 1min));
  const std::size_t before = hosts.frames.size();
  hosts.replay(
      syn_to_station_of(hosts.frames.front(), hosts.client_end.address, Address::v4(0xc61200ff)));
  hosts.world.run_for(500ms);
  EXPECT_EQ(hosts.frames.size(), before + 1);
}

TEST_P(GroupAddress, NobodyConnectsToOne) {
  TwoHosts hosts({}, GetParam());
  for (const Address& group : groups_of(GetParam())) {
    const auto connection = hosts.client_worker().connect({group, 80}, hosts.client);
    ASSERT_FALSE(connection.has_value()) << group.to_string();
    EXPECT_EQ(connection.error(), Error::invalid_address);
  }
}

}  // namespace
}  // namespace handfast::stack
