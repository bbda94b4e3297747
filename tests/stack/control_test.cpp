// What whole stacks say and hear without a segment: ICMP errors of ours, and what ICMP errors of
// others leave behind in a connection.

#include "forged_frame.hpp"
#include "icmp_frames.hpp"
#include "two_hosts.hpp"
#include "wire/discovery.hpp"

namespace handfast::stack {
namespace {

struct HeardIcmp {
  wire::Frame frame{};
  wire::Icmp icmp;
};

class Control : public testing::TestWithParam<Family> {
 protected:
  bool is_v4() const { return GetParam() == Family::ipv4; }

  // A frame of the client's to the server, of another protocol.
  Frame of_protocol(TwoHosts& hosts, std::uint8_t protocol) const {
    Frame frame = hosts.frames.front();
    if (is_v4()) {
      frame[kIpAt + 9] = std::byte{protocol};
      repair_ip_checksum(frame);
    } else {
      frame[kIpAt + 6] = std::byte{protocol};
    }
    return frame;
  }
  // The ICMP messages that `frame` causes.
  std::vector<HeardIcmp> heard_after(TwoHosts& hosts, const Frame& frame) {
    seen_.clear();
    hosts.world.link().set_tap(
        [this](Instant, Bytes bytes) { seen_.emplace_back(bytes.begin(), bytes.end()); });
    hosts.replay(frame);
    hosts.world.run_for(1s);
    hosts.world.link().set_tap({});
    std::vector<HeardIcmp> heard;
    for (Frame& each : seen_) {
      base::Packet packet;
      packet.data = each.data();
      packet.length = static_cast<std::uint32_t>(each.size());
      HeardIcmp message;
      if (wire::parse_frame(packet, {.mac = destination_of(each)}, message.frame) ==
              wire::Drop::none &&
          parse_message(message)) {
        heard.push_back(message);
      }
    }
    return heard;
  }
  static bool parse_message(HeardIcmp& message) {
    if (message.frame.kind == wire::FrameKind::icmp) {
      return wire::parse_icmp(message.frame.payload, message.icmp) == wire::Drop::none;
    }
    return message.frame.kind == wire::FrameKind::icmpv6 &&
           wire::parse_icmpv6(message.frame, message.icmp) == wire::Drop::none &&
           !wire::is_neighbour_discovery(message.icmp.type);
  }
  // The client hears of its own segment `about`.
  void client_hears(TwoHosts& hosts, const Frame& about, std::uint8_t type, std::uint8_t code) {
    Frame to_client = about;
    std::memcpy(to_client.data(), &about[6], 6);
    hosts.replay(icmp_to(to_client, hosts.server_end.address, hosts.client_end.address, type, code,
                         0, quote_of(about)));
    hosts.world.run_for(10ms);
  }
  void client_hears_host_unreachable(TwoHosts& hosts, const Frame& about) {
    client_hears(hosts, about, is_v4() ? 3 : 1, is_v4() ? 1 : 3);
  }

 private:
  std::vector<Frame> seen_;
};
INSTANTIATE_TEST_SUITE_P(Over, Control, testing::Values(Family::ipv4, Family::ipv6), name_of);

TEST_P(Control, AnUnknownProtocolIsAnsweredByAnIcmpError) {
  TwoHosts hosts({}, GetParam());
  hosts.connect();
  hosts.world.run_for(1s);
  const Frame asked = of_protocol(hosts, 132);
  const auto heard = heard_after(hosts, asked);
  ASSERT_EQ(heard.size(), 1U);
  EXPECT_EQ(heard[0].frame.source, hosts.server_end.address);
  EXPECT_EQ(heard[0].frame.destination, hosts.client_end.address);
  EXPECT_EQ(heard[0].icmp.type, is_v4() ? 3 : 4);
  EXPECT_EQ(heard[0].icmp.code, is_v4() ? 2 : 1);
  EXPECT_EQ(heard[0].icmp.rest, is_v4() ? 0U : 6U);
  EXPECT_TRUE(std::ranges::equal(heard[0].icmp.body, Bytes{asked}.subspan(kIpAt)));
  EXPECT_EQ(hosts.server_counters().icmp_errors_sent, 1U);
  EXPECT_EQ(hosts.server_counters().drop_ip_protocol, 1U);
}

TEST_P(Control, AUdpPortIsUnreachable) {
  TwoHosts hosts({}, GetParam());
  hosts.connect();
  hosts.world.run_for(1s);
  const auto heard = heard_after(hosts, of_protocol(hosts, wire::kProtocolUdp));
  ASSERT_EQ(heard.size(), 1U);
  EXPECT_EQ(heard[0].icmp.type, is_v4() ? 3 : 1);
  EXPECT_EQ(heard[0].icmp.code, is_v4() ? 3 : 4);
}

TEST_P(Control, WhatIsForAnotherIsNotRead) {
  TwoHosts hosts({}, GetParam());
  hosts.connect();
  hosts.world.run_for(1s);
  const Address another =
      is_v4() ? Address::v4(0xc61200c8) : Address::parse("2001:db8::c8").value();
  const std::uint64_t before = hosts.server_counters().drop_not_for_us_l3;
  hosts.replay(icmp_to(hosts.frames.front(), hosts.client_end.address, another, is_v4() ? 8 : 128,
                       0, 0, {}));
  hosts.world.run_for(10ms);
  EXPECT_EQ(hosts.server_counters().drop_not_for_us_l3, before + 1);
}

TEST_P(Control, ABroadcastGetsNoError) {
  TwoHosts hosts({}, GetParam());
  hosts.connect();
  hosts.world.run_for(1s);
  Frame frame = of_protocol(hosts, wire::kProtocolUdp);
  std::fill_n(frame.begin(), 6, std::byte{0xff});
  EXPECT_TRUE(heard_after(hosts, frame).empty());
  EXPECT_EQ(hosts.server_counters().icmp_errors_sent, 0U);
  EXPECT_EQ(hosts.server_counters().drop_ip_protocol, 1U);
}

// RFC 9293 section 3.9.2.2 (MUST-54, MUST-56).
TEST_P(Control, ATimeOutTellsWhatTheNetworkSaid) {
  TwoHosts hosts([](StackConfig& config) { config.syn_timeout = 5s; }, GetParam());
  for (std::size_t i = 0; i < 10; ++i) hosts.to_drop.push_back(i);
  NetworkError why = NetworkError::none;
  hosts.client.at_closed = [&](Connection c, CloseReason) { why = c.network_error(); };
  const Connection connection = hosts.connect();
  hosts.world.run_for(10ms);
  ASSERT_EQ(hosts.frames.size(), 1U);
  EXPECT_EQ(connection.network_error(), NetworkError::none);
  client_hears_host_unreachable(hosts, Frame(hosts.frames.front()));
  EXPECT_EQ(connection.network_error(), NetworkError::host_unreachable);
  EXPECT_EQ(connection.info()->network_error, NetworkError::host_unreachable);
  hosts.world.run_for(10s);
  EXPECT_EQ(hosts.client.closed, std::vector{CloseReason::timed_out});
  EXPECT_EQ(why, NetworkError::host_unreachable);
  EXPECT_EQ(connection.network_error(), NetworkError::none);  // stale
}

TEST_P(Control, AnAcknowledgementMakesItForgotten) {
  TwoHosts hosts({}, GetParam());
  hosts.connect();
  hosts.world.run_for(1s);
  hosts.to_drop.push_back(hosts.frames.size());
  (void)hosts.client.last.send(bytes_of("lost at first"));
  hosts.world.run_for(1ms);
  client_hears_host_unreachable(hosts, Frame(hosts.frames.back()));
  EXPECT_EQ(hosts.client.last.network_error(), NetworkError::host_unreachable);
  hosts.world.run_for(5s);
  EXPECT_EQ(hosts.server.received, "lost at first");
  EXPECT_EQ(hosts.client.last.network_error(), NetworkError::none);
}

TEST_P(Control, ASilentNextHopIsTheReasonOfATimeOut) {
  TwoHosts hosts([](StackConfig& config) { config.syn_timeout = 8s; }, GetParam());
  const Address nobody = is_v4() ? Address::v4(0xc61200c8) : Address::parse("2001:db8::c8").value();
  NetworkError why = NetworkError::none;
  hosts.client.at_closed = [&](Connection c, CloseReason) { why = c.network_error(); };
  const auto connection = hosts.client_worker().connect({nobody, 80}, hosts.client);
  ASSERT_TRUE(connection.has_value());
  hosts.world.run_for(1s);
  EXPECT_EQ(connection->network_error(), NetworkError::none);
  hosts.world.run_for(20s);
  EXPECT_EQ(hosts.client.closed, std::vector{CloseReason::timed_out});
  EXPECT_EQ(why, NetworkError::next_hop_silent);
}

// A router of the link: one address, and what it says.
struct RouterSays {
  std::uint16_t lifetime_s = 1800;
  std::uint32_t mtu = 1400;
};
const Address kRouter = Address::parse("fe80::fe").value();
const Address kFarAway = Address::parse("2001:db8:ffff::1").value();

Frame router_advertisement(const base::MacAddress& to, const RouterSays& says) {
  Frame body(24);
  body[8] = std::byte{1};  // its link address
  body[9] = std::byte{1};
  body[10] = std::byte{2};
  body[15] = std::byte{0x99};
  body[16] = std::byte{5};  // MTU
  body[17] = std::byte{1};
  base::store_be32(&body[20], says.mtu);
  Frame like(14);
  std::memcpy(like.data(), to.data(), to.size());
  Frame frame = icmp_to(like, kRouter, wire::kAllNodes, wire::kIcmpv6RouterAdvertisement, 0,
                        64U << 24 | says.lifetime_s, body);
  frame[kIpAt + 7] = std::byte{255};
  return frame;
}

TEST(RouterAdvertisements, LeadOutAndSetTheMtu) {
  TwoHosts hosts([](StackConfig& config) { config.interface.router_advertisements = true; },
                 Family::ipv6);
  hosts.world.run_for(20s);
  EXPECT_EQ(hosts.client_counters().router_solicitations_sent, 3U);
  EXPECT_FALSE(hosts.client_worker().connect({kFarAway, 80}, hosts.client).has_value());
  const base::MacAddress all = wire::multicast_mac(wire::kAllNodes);
  hosts.replay(router_advertisement(all, {}));
  hosts.world.run_for(10ms);
  EXPECT_EQ(hosts.client_counters().router_advertisements_received, 1U);
  EXPECT_EQ(hosts.server_counters().router_advertisements_received, 1U);
  std::size_t to_router = 0;
  hosts.world.link().set_tap([&](Instant, Bytes frame) {
    to_router += frame[5] == std::byte{0x99} && frame[kIpAt + 6] == std::byte{6} ? 1 : 0;
  });
  ASSERT_TRUE(hosts.client_worker().connect({kFarAway, 80}, hosts.client).has_value());
  hosts.world.run_for(10ms);
  EXPECT_EQ(to_router, 1U);  // the SYN
  hosts.connect();
  hosts.world.run_for(1s);
  EXPECT_EQ(hosts.client.last.info()->pmtu, 1400U);
  EXPECT_EQ(hosts.client.last.info()->snd_mss, 1400U - 72);
  hosts.replay(router_advertisement(all, {.lifetime_s = 0}));
  hosts.world.run_for(10ms);
  EXPECT_FALSE(hosts.client_worker().connect({kFarAway, 80}, hosts.client).has_value());
}

// What the router says of itself in an advertisement of its address; `rest` has the flags.
Frame no_router(std::uint32_t rest, std::uint8_t mac_end = 0x99) {
  Frame body(24);
  std::ranges::copy(std::as_bytes(std::span{kRouter.bytes()}), body.begin());
  body[16] = std::byte{2};  // its link address
  body[17] = std::byte{1};
  body[18] = std::byte{2};
  body[23] = std::byte{mac_end};
  Frame like(14);
  const base::MacAddress all = wire::multicast_mac(wire::kAllNodes);
  std::memcpy(like.data(), all.data(), all.size());
  Frame frame =
      icmp_to(like, kRouter, wire::kAllNodes, wire::kIcmpv6NeighbourAdvertisement, 0, rest, body);
  frame[kIpAt + 7] = std::byte{255};
  return frame;
}

// RFC 4861 section 7.2.5: by an advertisement without the router's flag.
TEST(RouterAdvertisements, ARouterMayCeaseToBeOne) {
  constexpr std::uint32_t kIsRouter = 1U << 31;
  constexpr std::uint32_t kOverride = 1U << 29;
  TwoHosts hosts([](StackConfig& config) { config.interface.router_advertisements = true; },
                 Family::ipv6);
  const auto leads_out = [&] {
    hosts.world.run_for(10ms);
    return hosts.client_worker().connect({kFarAway, 80}, hosts.client).has_value();
  };
  hosts.world.run_for(20s);
  hosts.replay(router_advertisement(wire::multicast_mac(wire::kAllNodes), {}));
  ASSERT_TRUE(leads_out());
  hosts.replay(no_router(kIsRouter | kOverride));
  EXPECT_TRUE(leads_out());
  hosts.replay(no_router(0, 0x55));  // from elsewhere, and not to replace what is known
  EXPECT_TRUE(leads_out());
  hosts.replay(no_router(kOverride));
  EXPECT_FALSE(leads_out());
}

TEST(RouterAdvertisements, AreIgnoredUnlessAskedFor) {
  TwoHosts hosts({}, Family::ipv6);
  hosts.replay(router_advertisement(wire::multicast_mac(wire::kAllNodes), {}));
  hosts.world.run_for(20s);
  EXPECT_EQ(hosts.client_counters().router_advertisements_received, 0U);
  EXPECT_EQ(hosts.client_counters().router_solicitations_sent, 0U);
  EXPECT_FALSE(hosts.client_worker().connect({kFarAway, 80}, hosts.client).has_value());
}

// A worker of a port that says what it passes on.
struct Lanes final : HandOver {
  bool hand_over(unsigned queue, const base::Packet& packet) override {
    EXPECT_EQ(queue, 1U);
    passed.push_back(packet);
    return true;
  }
  void share_neighbour(const Address&, const base::MacAddress&) override {}
  std::vector<base::Packet> passed;
};

StackConfig config_of_a_small_stack(const Prefix& address) {
  StackConfig config;
  config.interface.addresses = {address};
  config.max_connections = config.max_half_open = config.max_time_wait = 16;
  return config;
}

TEST(Start, TellsTheLinkOfItsAddresses) {
  drivers::SimPool pool(64);
  const auto stack = Stack::create(config_of_a_small_stack({TwoHosts::kClient.address, 24}), {},
                                   {.mac = {2, 0, 0, 0, 0, 1}}, pool, nullptr)
                         .value();
  ASSERT_EQ(stack->frames().size(), 1U);
  EXPECT_EQ(stack->counters().snapshot().arp_requests_sent, 1U);
}

// RSS may lead a flow astray, but not for ever.
TEST(Flows, OfAnotherWorkerAreHandedOverOnce) {
  constexpr base::MacAddress kMac{2, 0, 0, 0, 0, 1};
  constexpr std::uint16_t kFlows = 64;
  Lanes lanes;
  drivers::SimPool pool(256);
  const auto stack = Stack::create(config_of_a_small_stack({TwoHosts::kServer.address, 24}),
                                   {.queues = 2}, {.mac = kMac}, pool, &lanes)
                         .value();
  Frame like(14);
  std::memcpy(like.data(), kMac.data(), kMac.size());
  base::Segment syn;
  syn.flags = base::kSyn;
  for (std::uint16_t port = 1; port <= kFlows; ++port) {
    const Frame frame =
        frame_to_station_of(like, {TwoHosts::kClient.address, port}, TwoHosts::kServer, syn);
    base::Packet packet;
    ASSERT_EQ(pool.allocate({&packet, 1}), 1U);
    std::copy(frame.begin(), frame.end(), packet.data);
    packet.length = static_cast<std::uint32_t>(frame.size());
    stack->input({}, {&packet, 1});
  }
  const std::size_t passed = lanes.passed.size();
  EXPECT_GT(passed, 0U);
  EXPECT_LT(passed, kFlows);
  stack->input_handed_over({}, lanes.passed);
  EXPECT_EQ(lanes.passed.size(), passed);
}

// Only one worker of a port receives it; each has routes of its own.
TEST(RouterAdvertisements, AreHeardByAllWorkersOfAPort) {
  Lanes lanes;
  constexpr base::MacAddress kMac{2, 0, 0, 0, 0, 1};
  StackConfig config = config_of_a_small_stack({TwoHosts::kClient6.address, 64});
  config.interface.router_advertisements = true;
  drivers::SimPool pool(256);
  const auto worker = [&](unsigned queue) {
    return Stack::create(config, {.worker = queue, .queue = queue, .queues = 2}, {.mac = kMac},
                         pool, &lanes)
        .value();
  };
  const auto first = worker(0);
  const auto second = worker(1);
  const Frame frame = router_advertisement(kMac, {});
  base::Packet packet;
  ASSERT_EQ(pool.allocate({&packet, 1}), 1U);
  std::copy(frame.begin(), frame.end(), packet.data);
  packet.length = static_cast<std::uint32_t>(frame.size());
  const Instant now = Instant::from_ns(1'000'000);
  first->input(now, {&packet, 1});
  ASSERT_EQ(lanes.passed.size(), 1U);
  second->input_handed_over(now, lanes.passed);
  EXPECT_EQ(lanes.passed.size(), 1U);  // and not back again
  EXPECT_EQ(first->counters().snapshot().router_advertisements_received, 1U);
  EXPECT_EQ(second->counters().snapshot().router_advertisements_received, 1U);
}

// RFC 4862 section 5.4: the second host of an address loses it.
TEST(DuplicateAddresses, ThatOfALaterHostIsGivenUp) {
  TwoHosts hosts({}, Family::ipv6);
  sim::HostConfig twin{.seed = 3, .packets = 256};
  twin.stack.interface.addresses = {{hosts.server_end.address, 64}};
  twin.stack.interface.duplicate_detection = true;
  twin.stack.max_connections = twin.stack.max_half_open = twin.stack.max_time_wait = 16;
  const std::size_t host = hosts.world.add_host(twin);
  Worker& worker = hosts.world.worker(host);
  Party early;
  ASSERT_TRUE(worker.connect(hosts.client_end, early).has_value());
  hosts.world.run_for(3s);
  EXPECT_EQ(worker.counters().duplicate_addresses, 1U);
  EXPECT_EQ(worker.half_open_count(), 0U);
  ASSERT_EQ(worker.duplicate_addresses().size(), 1U);
  EXPECT_EQ(worker.duplicate_addresses()[0], hosts.server_end.address);
  EXPECT_EQ(early.closed.size(), 1U);
  Party late;
  const auto refused = worker.connect(hosts.client_end, late);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error(), Error::no_route);
  // Who had it first keeps it.
  EXPECT_EQ(hosts.server_counters().duplicate_addresses, 0U);
  hosts.connect();
  hosts.world.run_for(1s);
  EXPECT_EQ(hosts.client.opened, 1);
}

// Whoever was about to connect to it hears nothing more from this host.
TEST(DuplicateAddresses, HalfOpenConnectionsGoWithTheirs) {
  TwoHosts hosts({}, Family::ipv6);
  sim::HostConfig twin{.seed = 3, .packets = 256};
  twin.stack = config_of_a_small_stack({hosts.server_end.address, 64});
  twin.stack.interface.duplicate_detection = true;
  const std::size_t host = hosts.world.add_host(twin);
  Worker& worker = hosts.world.worker(host);
  Party nobody;
  ASSERT_TRUE(worker.listen(hosts.server_end, nobody).has_value());
  constexpr base::MacAddress kTwinMac{0x02, 0x48, 0x46, 0, 0, 2};
  Frame to_twin(14);
  std::memcpy(to_twin.data(), kTwinMac.data(), kTwinMac.size());
  base::Segment syn;
  syn.flags = base::kSyn;
  const Endpoint stranger{Address::parse("2001:db8::77").value(), 5000};
  hosts.replay(frame_to_station_of(to_twin, stranger, hosts.server_end, syn));
  hosts.world.run_for(1ms);
  ASSERT_EQ(worker.half_open_count(), 1U);
  ASSERT_TRUE(
      hosts.world.run_until([&] { return worker.counters().duplicate_addresses == 1; }, 10s));
  EXPECT_EQ(worker.half_open_count(), 0U);
}

TEST(DuplicateAddresses, NobodyElseHasThemAsARule) {
  TwoHosts hosts([](StackConfig& config) { config.interface.duplicate_detection = true; },
                 Family::ipv6);
  hosts.connect();
  hosts.world.run_for(5s);
  EXPECT_EQ(hosts.client.opened, 1);
  EXPECT_EQ(hosts.client_counters().duplicate_addresses, 0U);
  // What is sure then is announced: both addresses, beside the answers to solicitations.
  EXPECT_GE(hosts.client_counters().advertisements_sent, 2U);
}

TEST_P(Control, MulticastGroupsAreReportedOverIpv6) {
  TwoHosts hosts({}, GetParam());
  hosts.world.run_for(5s);
  EXPECT_EQ(hosts.client_counters().listener_reports_sent, is_v4() ? 0U : 2U);
  if (is_v4()) return;
  Frame like(14);
  const base::MacAddress all = wire::multicast_mac(wire::kAllNodes);
  std::memcpy(like.data(), all.data(), all.size());
  Frame query = icmp_to(like, kRouter, wire::kAllNodes, wire::kIcmpv6ListenerQuery, 0, 1000U << 16,
                        Frame(20));
  query[kIpAt + 7] = std::byte{1};
  hosts.replay(query);
  hosts.world.run_for(2s);
  EXPECT_EQ(hosts.client_counters().listener_queries_received, 1U);
  EXPECT_EQ(hosts.client_counters().listener_reports_sent, 3U);
}

}  // namespace
}  // namespace handfast::stack
