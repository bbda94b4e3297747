// Whole stacks over IPv4 and IPv6 alike, and what only IPv6 has: Neighbour Discovery, flow labels,
// dual-stack listeners, ICMPv6.

#include "icmp_frames.hpp"
#include "two_hosts.hpp"
#include "wire/discovery.hpp"
#include "wire/tcp.hpp"

namespace handfast::stack {
namespace {

struct IpHeader {
  std::uint8_t traffic_class = 0;
  std::uint8_t hop_limit = 0;
  std::uint32_t flow_label = 0;
};

// Of a captured frame without VLAN tag.
IpHeader ip_of(const Frame& frame) {
  const std::uint32_t first = base::load_be32(&frame[kIpAt]);
  if (first >> 28 == 4) {
    return {.traffic_class = static_cast<std::uint8_t>(first >> 16),
            .hop_limit = std::to_integer<std::uint8_t>(frame[kIpAt + 8])};
  }
  return {.traffic_class = static_cast<std::uint8_t>(first >> 20),
          .hop_limit = std::to_integer<std::uint8_t>(frame[kIpAt + 7]),
          .flow_label = first & wire::kFlowLabelMask};
}

std::string text_of(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * 7 % 26);
  return text;
}

// Sends all of `text` as the connection takes it, then closes.
std::function<void(Connection)> sender_of(const std::string& text, std::size_t& sent) {
  return [&text, &sent](Connection c) {
    const auto took = c.send(bytes_of(std::string_view{text}.substr(sent)));
    ASSERT_TRUE(took.has_value());
    sent += *took;
    if (sent == text.size()) (void)c.close();
  };
}

class BothFamilies : public testing::TestWithParam<Family> {};
INSTANTIATE_TEST_SUITE_P(Over, BothFamilies, testing::Values(Family::ipv4, Family::ipv6), name_of);

TEST_P(BothFamilies, CarryEveryByteBothWays) {
  TwoHosts hosts({}, GetParam());
  const std::string there = text_of(300'000);
  const std::string back = text_of(200'001);
  std::size_t sent_there = 0;
  std::size_t sent_back = 0;
  hosts.client.at_open = hosts.client.at_writable = sender_of(there, sent_there);
  hosts.server.at_open = hosts.server.at_writable = sender_of(back, sent_back);
  hosts.client.at_peer_finished = hosts.server.at_peer_finished = [](Connection) {};
  hosts.connect();
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(); }, 1min));
  EXPECT_TRUE(hosts.server.received == there);
  EXPECT_TRUE(hosts.client.received == back);
  hosts.world.run_for(3min);
  hosts.expect_nothing_left();
}

TEST_P(BothFamilies, CarryTheInterfacesDscpAndHopLimit) {
  TwoHosts hosts(
      [](StackConfig& config) {
        config.interface.dscp = 46;
        config.interface.hop_limit = 9;
      },
      GetParam());
  hosts.client.at_open = [](Connection c) {
    (void)c.send(bytes_of("marked"));
    (void)c.close();
  };
  hosts.connect();
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(); }, 1min));
  ASSERT_GE(hosts.frames.size(), 5U);
  for (const Frame& frame : hosts.frames) {
    EXPECT_EQ(ip_of(frame).traffic_class >> 2, 46);
    EXPECT_EQ(ip_of(frame).hop_limit, 9);
  }
}

TEST_P(BothFamilies, WorkBehindAVlanTag) {
  std::size_t tagged = 0;
  std::size_t untagged = 0;
  TwoHosts hosts([](StackConfig& config) { config.interface.vlan = 42; }, GetParam());
  hosts.world.link().set_tap([&](Instant, Bytes frame) {
    const bool is_tagged =
        base::load_be16(&frame[12]) == wire::kEtherTypeVlan && base::load_be16(&frame[14]) == 42;
    ++(is_tagged ? tagged : untagged);
  });
  hosts.client.at_open = [](Connection c) {
    (void)c.send(bytes_of("through the tag"));
    (void)c.close();
  };
  hosts.connect();
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(); }, 1min));
  EXPECT_EQ(hosts.server.received, "through the tag");
  EXPECT_GE(tagged, 5U);
  EXPECT_EQ(untagged, 0U);
}

TEST_P(BothFamilies, AnswerAnEcho) {
  TwoHosts hosts({}, GetParam());
  const bool is_v4 = GetParam() == Family::ipv4;
  hosts.connect();
  hosts.world.run_for(1s);
  std::vector<Frame> seen;
  hosts.world.link().set_tap(
      [&](Instant, Bytes frame) { seen.emplace_back(frame.begin(), frame.end()); });
  hosts.replay(icmp_to(hosts.frames.front(), hosts.client_end.address, hosts.server_end.address,
                       is_v4 ? +wire::kIcmpEchoRequest : +wire::kIcmpv6EchoRequest, 0, 0x00070001,
                       bytes_of("are you there?")));
  hosts.world.run_for(1s);
  EXPECT_EQ(hosts.server_counters().icmp_echo_answered, 1U);
  ASSERT_EQ(seen.size(), 2U);
  base::Packet reply;
  reply.data = seen[1].data();
  reply.length = static_cast<std::uint32_t>(seen[1].size());
  wire::Frame frame;
  wire::Icmp icmp;
  ASSERT_EQ(wire::parse_frame(reply, {.mac = destination_of(seen[1])}, frame), wire::Drop::none);
  ASSERT_EQ(is_v4 ? wire::parse_icmp(frame.payload, icmp) : wire::parse_icmpv6(frame, icmp),
            wire::Drop::none);
  EXPECT_EQ(icmp.type, is_v4 ? +wire::kIcmpEchoReply : +wire::kIcmpv6EchoReply);
  EXPECT_EQ(icmp.rest, 0x00070001U);
  EXPECT_TRUE(std::ranges::equal(icmp.body, bytes_of("are you there?")));
}

// A hard error about a SYN in flight ends the attempt; the same about a number that is not does
// not.
TEST_P(BothFamilies, BelieveAHardErrorAboutASynInFlight) {
  TwoHosts hosts({}, GetParam());
  const bool is_v4 = GetParam() == Family::ipv4;
  for (std::size_t i = 0; i < 10; ++i) hosts.to_drop.push_back(i);
  hosts.connect();
  hosts.world.run_for(10ms);
  ASSERT_EQ(hosts.frames.size(), 1U);
  Frame syn = hosts.frames.front();
  const auto hear_of = [&](const Frame& about) {
    // To the client: its MAC address is the SYN's source.
    Frame to_client = about;
    std::memcpy(to_client.data(), &syn[6], 6);
    hosts.replay(icmp_to(to_client, hosts.server_end.address, hosts.client_end.address,
                         is_v4 ? 3 : 1, is_v4 ? 3 : 4, 0, quote_of(about)));
    hosts.world.run_for(10ms);
  };
  Frame forged = syn;
  forged[tcp_at(forged) + 4] ^= std::byte{0x55};
  hear_of(forged);
  EXPECT_TRUE(hosts.client.closed.empty());
  EXPECT_EQ(hosts.client_counters().icmp_errors_ignored, 1U);
  hear_of(syn);
  EXPECT_EQ(hosts.client.closed, std::vector{CloseReason::unreachable});
  EXPECT_EQ(hosts.client_counters().icmp_errors_received, 1U);
}

TEST_P(BothFamilies, RefuseASourceOfTheOtherVersion) {
  TwoHosts hosts({}, GetParam());
  const bool is_v4 = GetParam() == Family::ipv4;
  const auto refused = hosts.client_worker().connect(
      hosts.server_end, hosts.client,
      {.source = is_v4 ? TwoHosts::kClient6.address : TwoHosts::kClient.address});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error(), Error::invalid_address);
}

TEST(OverIpv6, NeighboursAreFoundByDiscovery) {
  TwoHosts hosts({}, Family::ipv6);
  EXPECT_GE(hosts.client_counters().solicitations_sent, 1U);
  EXPECT_GE(hosts.server_counters().discovery_received, 1U);
  EXPECT_EQ(hosts.client_counters().arp_requests_sent, 0U);
  // Both announced their address and the link-local one at their start.
  EXPECT_GE(hosts.server_counters().advertisements_sent, 3U);
}

// The neighbour is asked again when it has not been heard of, and the connection stays.
TEST(OverIpv6, AnIdleConnectionOutlivesItsNeighboursEntry) {
  TwoHosts hosts({}, Family::ipv6);
  hosts.connect();
  hosts.world.run_for(2min);
  const auto asked = hosts.client_counters().solicitations_sent;
  (void)hosts.client.last.send(bytes_of("still here"));
  hosts.world.run_for(1s);
  EXPECT_EQ(hosts.server.received, "still here");
  EXPECT_EQ(hosts.client_counters().solicitations_sent, asked + 1);
  EXPECT_EQ(hosts.client_counters().neighbour_unreachable, 0U);
}

// RFC 6437 section 3.
TEST(OverIpv6, EachFlowHasALabelOfItsOwn) {
  TwoHosts hosts({}, Family::ipv6);
  hosts.client.at_open = [](Connection c) {
    (void)c.send(bytes_of("labelled"));
    (void)c.close();
  };
  std::vector<std::uint32_t> labels;
  for (std::size_t i = 0; i < 2; ++i) {
    const std::size_t first = hosts.frames.size();
    hosts.connect();
    ASSERT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(i + 1); }, 1min));
    const std::uint32_t label = ip_of(hosts.frames[first]).flow_label;
    const base::MacAddress to_server = destination_of(hosts.frames[first]);
    EXPECT_NE(label, 0U);
    for (std::size_t at = first; at < hosts.frames.size(); ++at) {
      const bool is_clients = destination_of(hosts.frames[at]) == to_server;
      EXPECT_EQ(ip_of(hosts.frames[at]).flow_label == label, is_clients);
      EXPECT_NE(ip_of(hosts.frames[at]).flow_label, 0U);
    }
    labels.push_back(label);
  }
  EXPECT_NE(labels[0], labels[1]);
}

// Both hosts speak both versions.
class DualStack : public testing::Test {
 protected:
  static void with_both(StackConfig& config) {
    const bool is_client = config.interface.addresses[0].network == TwoHosts::kClient.address;
    config.interface.addresses.push_back(
        {(is_client ? TwoHosts::kClient6 : TwoHosts::kServer6).address, 64});
    config.max_time_wait = 3;
  }
  void open_both(std::uint16_t port, Party& client) {
    for (const Address& to : {TwoHosts::kServer.address, TwoHosts::kServer6.address}) {
      ASSERT_TRUE(hosts.client_worker().connect({to, port}, client).has_value());
    }
    hosts.world.run_for(10s);
  }

  TwoHosts hosts{with_both};
};

TEST_F(DualStack, OneListenerHearsBothVersions) {
  Party client;
  Party server;
  ASSERT_TRUE(hosts.server_worker().listen({Address{}, 7}, server).has_value());
  open_both(7, client);
  EXPECT_EQ(client.opened, 2);
  EXPECT_EQ(server.opened, 2);
}

TEST_F(DualStack, AListenerOnAllOfIpv4HearsOnlyThat) {
  Party client;
  Party server;
  ASSERT_TRUE(hosts.server_worker().listen({Address::v4(0), 7}, server).has_value());
  open_both(7, client);
  EXPECT_EQ(server.opened, 1);
  EXPECT_EQ(client.opened, 1);
  EXPECT_EQ(client.closed, std::vector{CloseReason::refused});
}

TEST_F(DualStack, TimeWaitsOfBothVersionsShareOneBound) {
  Party client;
  Party server;
  client.at_open = [](Connection c) { (void)c.close(); };
  ASSERT_TRUE(hosts.server_worker().listen({Address{}, 7}, server).has_value());
  open_both(7, client);
  EXPECT_EQ(hosts.client_worker().time_wait_count(), 2U);
  open_both(7, client);
  EXPECT_EQ(hosts.client_worker().time_wait_count(), 3U);
  EXPECT_EQ(hosts.client_counters().time_wait_cut_short, 1U);
  hosts.world.run_for(3min);
  EXPECT_EQ(hosts.client_counters().time_wait_kept, 3U);
  hosts.expect_nothing_left();
}

// The other workers of a port hear what one learns; only that one receives the message.
TEST(OverIpv6, WhatOneWorkerLearnsAllHear) {
  struct News final : HandOver {
    bool hand_over(unsigned, const base::Packet&) override { return false; }
    void share_neighbour(const Address& address, const base::MacAddress& mac) override {
      shared.emplace_back(address, mac);
    }
    std::vector<std::pair<Address, base::MacAddress>> shared;
  } news;
  constexpr base::MacAddress kOurMac{2, 0, 0, 0, 0, 1};
  constexpr base::MacAddress kPeerMac{2, 0, 0, 0, 0, 2};
  const Address ours = TwoHosts::kClient6.address;
  const Address peers = TwoHosts::kServer6.address;
  StackConfig config;
  config.interface.addresses = {{ours, 64}};
  config.max_connections = config.max_half_open = config.max_time_wait = 16;
  drivers::SimPool pool(64);
  auto stack = Stack::create(config, {}, {.mac = kOurMac}, pool, &news).value();
  const wire::LinkHeader link =
      wire::make_link_header(kOurMac, kPeerMac, std::nullopt, wire::kEtherTypeIpv6);
  base::Packet question;
  base::Packet answer;
  ASSERT_EQ(pool.allocate({&question, 1}) + pool.allocate({&answer, 1}), 2U);
  question.length =
      wire::emit_solicitation(question.data, link, {.source = peers, .destination = ours},
                              {.target = ours, .source_mac = kPeerMac});
  answer.length =
      wire::emit_advertisement(answer.data, link, {.source = peers, .destination = ours},
                               {.target = peers, .solicited = true, .target_mac = kPeerMac});
  stack->input(Instant::from_ns(1'000'000), std::array{question, answer});
  EXPECT_EQ(news.shared, (std::vector{std::pair{peers, kPeerMac}, std::pair{peers, kPeerMac}}));
  EXPECT_EQ(stack->counters().snapshot().discovery_received, 2U);
}

// Two networks that are each other's gateways by their link-local addresses, as routers'
// advertisements would have it.
TEST(OverIpv6, ALinkLocalGatewayLeadsOffLink) {
  sim::World world{{.latency = 1ms}};
  const auto host_at = [&](const Address& address, const Address& gateway, std::uint64_t seed) {
    sim::HostConfig host{.seed = seed, .packets = 256};
    host.stack.interface.addresses = {{address, 64}};
    host.stack.interface.gateway6 = gateway;
    host.stack.max_connections = host.stack.max_half_open = host.stack.max_time_wait = 16;
    return world.add_host(host);
  };
  const Address near = Address::parse("2001:db8:1::1").value();
  const Address far = Address::parse("2001:db8:2::1").value();
  // As the world numbers its hosts' MAC addresses.
  const auto link_local_of = [](std::uint8_t host) {
    return wire::link_local_address({2, 0x48, 0x46, 0, 0, host});
  };
  const auto client_host = host_at(near, link_local_of(1), 1);
  const auto server_host = host_at(far, link_local_of(0), 2);
  Party client;
  Party server;
  ASSERT_TRUE(world.worker(server_host).listen({far, 80}, server).has_value());
  ASSERT_TRUE(world.worker(client_host).connect({far, 80}, client).has_value());
  EXPECT_TRUE(world.run_until([&] { return client.opened == 1 && server.opened == 1; }, 10s));
}

// The link would not carry more.
TEST_P(BothFamilies, SegmentsFitTheMtu) {
  TwoHosts hosts({}, GetParam());
  const std::string text = text_of(20'000);
  std::size_t sent = 0;
  hosts.client.at_open = hosts.client.at_writable = sender_of(text, sent);
  hosts.connect();
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(); }, 1min));
  std::size_t longest = 0;
  for (const Frame& frame : hosts.frames) longest = std::max(longest, frame.size());
  EXPECT_EQ(longest, kIpAt + 1500);
}

// RFC 8201: a router in between carries less than the link.
TEST(OverIpv6, PacketTooBigMakesSegmentsSmaller) {
  TwoHosts hosts({}, Family::ipv6);
  hosts.connect();
  hosts.world.run_for(1s);
  const std::string text = text_of(5000);
  const std::size_t first = hosts.frames.size();
  for (std::size_t i = 0; i < 4; ++i) hosts.to_drop.push_back(first + i);
  (void)hosts.client.last.send(bytes_of(text));
  hosts.world.run_for(100us);
  ASSERT_GT(hosts.frames.size(), first);
  Frame lost = hosts.frames[first];
  ASSERT_GT(lost.size(), kIpAt + 1280);
  Frame to_client = lost;
  std::memcpy(to_client.data(), &lost[6], 6);
  const std::size_t sent = hosts.frames.size();
  hosts.replay(icmp_to(to_client, hosts.server_end.address, hosts.client_end.address,
                       wire::kIcmpv6PacketTooBig, 0, 1280, quote_of(lost)));
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.server.received.size() == 5000; }, 1min));
  EXPECT_TRUE(hosts.server.received == text);
  EXPECT_EQ(hosts.client_counters().icmp_errors_received, 1U);
  for (std::size_t at = sent; at < hosts.frames.size(); ++at) {
    EXPECT_LE(hosts.frames[at].size(), kIpAt + 1280);
  }
}

}  // namespace
}  // namespace handfast::stack
