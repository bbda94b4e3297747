#include "net/interface.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace handfast::net {
namespace {

constexpr base::MacAddress kMac{0x02, 0, 0, 0, 0, 0x01};

Prefix prefix(const char* text) {
  return Prefix::parse(text).value();
}
Address address(const char* text) {
  return Address::parse(text).value();
}

InterfaceConfig valid_config() {
  InterfaceConfig config;
  config.addresses = {prefix("198.18.0.1/15"), prefix("10.1.2.3/24")};
  config.owned_ranges = {prefix("198.18.128.0/17")};
  config.routes = {{prefix("203.0.113.0/24"), address("10.1.2.250")},
                   {prefix("203.0.113.128/25"), address("10.1.2.251")},
                   {prefix("10.1.2.0/24"), address("198.18.0.9")}};
  config.gateway = address("198.18.0.254");
  return config;
}

Interface made(const InterfaceConfig& config) {
  return Interface::create(config, base::DeviceInfo{.mac = kMac, .offload_tcp_checksum = true})
      .value();
}

std::string error_after(const std::function<void(InterfaceConfig&, base::DeviceInfo&)>& change) {
  InterfaceConfig config = valid_config();
  base::DeviceInfo device{.mac = kMac};
  change(config, device);
  const auto created = Interface::create(config, device);
  return created ? std::string{} : created.error();
}

TEST(Interface, OwnsItsAddressesAndRangesOnly) {
  const Interface interface = made(valid_config());
  for (const char* ours : {"198.18.0.1", "10.1.2.3", "198.18.128.0", "198.18.255.255"}) {
    EXPECT_TRUE(interface.is_ours(address(ours))) << ours;
  }
  for (const char* others : {"198.18.0.2", "198.18.127.255", "198.19.0.0", "10.1.2.4", "::1"}) {
    EXPECT_FALSE(interface.is_ours(address(others))) << others;
  }
}

TEST(Interface, KnowsItsBroadcastAddresses) {
  const Interface interface = made(valid_config());
  for (const char* broadcast :
       {"255.255.255.255", "198.19.255.255", "10.1.2.255", "224.0.0.1", "239.1.2.3", "ff02::1"}) {
    EXPECT_TRUE(interface.is_broadcast(address(broadcast))) << broadcast;
  }
  for (const char* unicast : {"198.18.255.255", "10.1.3.255", "10.1.2.254", "203.0.113.255"}) {
    EXPECT_FALSE(interface.is_broadcast(address(unicast))) << unicast;
  }
}

TEST(Interface, PointToPointNetworksHaveNoBroadcast) {
  InterfaceConfig config;
  config.addresses = {prefix("192.0.2.0/31"), prefix("192.0.2.9/32")};
  const Interface interface = made(config);
  EXPECT_FALSE(interface.is_broadcast(address("192.0.2.1")));
  EXPECT_FALSE(interface.is_broadcast(address("192.0.2.9")));
  EXPECT_EQ(interface.next_hop(address("192.0.2.1")), address("192.0.2.1"));
}

TEST(Interface, TakesTheSourceOfTheSameNetwork) {
  InterfaceConfig config = valid_config();
  config.addresses.push_back(prefix("2001:db8::1/64"));
  const Interface interface = made(config);
  EXPECT_EQ(interface.source_for(address("198.19.1.1")), address("198.18.0.1"));
  EXPECT_EQ(interface.source_for(address("10.1.2.77")), address("10.1.2.3"));
  EXPECT_EQ(interface.source_for(address("8.8.8.8")), address("198.18.0.1"));
  EXPECT_EQ(interface.source_for(address("2001:db9::1")), address("2001:db8::1"));
  EXPECT_EQ(made(valid_config()).source_for(address("2001:db8::5")), std::nullopt);
  EXPECT_EQ(interface.addresses().front().network, address("198.18.0.1"));
}

TEST(Interface, NextHopIsTheLongestMatch) {
  const Interface interface = made(valid_config());
  EXPECT_EQ(interface.next_hop(address("198.19.7.7")), address("198.19.7.7"));
  EXPECT_EQ(interface.next_hop(address("203.0.113.5")), address("10.1.2.250"));
  EXPECT_EQ(interface.next_hop(address("203.0.113.200")), address("10.1.2.251"));
  EXPECT_EQ(interface.next_hop(address("8.8.8.8")), address("198.18.0.254"));
  // On-link goes before a route of the same length.
  EXPECT_EQ(interface.next_hop(address("10.1.2.4")), address("10.1.2.4"));
  EXPECT_EQ(interface.next_hop(address("2001:db8::1")), std::unexpected(Error::no_route));
}

TEST(Interface, DefaultRouteIsOfItsOwnFamily) {
  InterfaceConfig config;
  config.addresses = {prefix("198.18.0.1/15"), prefix("2001:db8::1/64")};
  config.gateway6 = address("2001:db8::fe");
  const Interface interface = made(config);
  EXPECT_EQ(interface.next_hop(address("2001:db9::9")), address("2001:db8::fe"));
  EXPECT_EQ(interface.next_hop(address("8.8.8.8")), std::unexpected(Error::no_route));
  config.gateway = address("198.18.0.254");
  EXPECT_EQ(made(config).next_hop(address("8.8.8.8")), address("198.18.0.254"));
  EXPECT_EQ(made(config).next_hop(address("2001:db9::9")), address("2001:db8::fe"));
}

TEST(Interface, HasALinkLocalAddressWithIpv6) {
  InterfaceConfig config;
  config.addresses = {prefix("2001:db8::1/64")};
  config.gateway6 = address("fe80::fe");
  const Interface interface = made(config);
  EXPECT_TRUE(interface.is_ours(address("fe80::ff:fe00:1")));
  EXPECT_TRUE(interface.is_on_link(address("fe80::fe")));
  EXPECT_EQ(interface.next_hop(address("2001:db9::9")), address("fe80::fe"));
  EXPECT_EQ(interface.addresses().size(), 2U);
  EXPECT_FALSE(made(valid_config()).is_ours(address("fe80::ff:fe00:1")));

  config.addresses.push_back(prefix("fe80::7/64"));
  EXPECT_FALSE(made(config).is_ours(address("fe80::ff:fe00:1")));
  EXPECT_TRUE(made(config).is_ours(address("fe80::7")));
}

TEST(Interface, LinkLocalAddressesAreForTheirLink) {
  InterfaceConfig config;
  config.addresses = {prefix("fe80::7/64"), prefix("2001:db8::1/64")};
  const Interface interface = made(config);
  EXPECT_EQ(interface.source_for(address("fe80::9")), address("fe80::7"));
  EXPECT_EQ(interface.source_for(address("2001:db8::9")), address("2001:db8::1"));
  EXPECT_EQ(interface.source_for(address("2001:db9::9")), address("2001:db8::1"));
  config.addresses.pop_back();
  EXPECT_EQ(made(config).source_for(address("2001:db9::9")), std::nullopt);
}

TEST(Interface, JoinsTheGroupsOfNeighbourDiscovery) {
  InterfaceConfig config;
  config.addresses = {prefix("2001:db8::1/64")};
  const Interface interface = made(config);
  for (const char* joined : {"ff02::1", "ff02::1:ff00:1", "ff02::1:ff12:3456"}) {
    EXPECT_TRUE(interface.is_joined(address(joined))) << joined;
    EXPECT_FALSE(made(valid_config()).is_joined(address(joined))) << joined;
  }
  for (const char* other : {"ff02::2", "ff02::1:fe00:1", "ff01::1", "2001:db8::1", "224.0.0.1"}) {
    EXPECT_FALSE(interface.is_joined(address(other))) << other;
  }
}

TEST(Interface, RangesOfIpv6AreOurs) {
  InterfaceConfig config = valid_config();
  config.owned_ranges.push_back(prefix("2001:db8:7::/64"));
  const Interface interface = made(config);
  EXPECT_TRUE(interface.is_ours(address("2001:db8:7::1234")));
  EXPECT_FALSE(interface.is_ours(address("2001:db8:8::1")));
  EXPECT_TRUE(interface.is_joined(address("ff02::1:ff00:1234")));
}

TEST(Interface, SomeAddressesAreNeverANextHop) {
  const Interface interface = made(valid_config());
  for (const char* never : {"0.0.0.0", "127.0.0.1", "255.255.255.255", "198.19.255.255",
                            "224.0.0.5", "198.18.0.1", "198.18.200.1"}) {
    EXPECT_EQ(interface.next_hop(address(never)), std::unexpected(Error::no_route)) << never;
  }
}

TEST(Interface, CarriesTheLinkFacts) {
  InterfaceConfig config = valid_config();
  config.vlan = 42;
  config.mtu = 1400;
  config.hop_limit = 9;
  config.dscp = 46;
  const Interface interface = made(config);
  EXPECT_EQ(interface.mac(), kMac);
  EXPECT_EQ(interface.link_filter().mac, kMac);
  EXPECT_EQ(interface.link_filter().vlan, 42);
  EXPECT_EQ(interface.vlan(), 42);
  EXPECT_EQ(interface.mtu(), 1400);
  EXPECT_EQ(interface.hop_limit(), 9);
  EXPECT_EQ(interface.traffic_class(), 46 << 2);
  EXPECT_TRUE(interface.offload_tcp_checksum());
  EXPECT_FALSE(interface.offload_ip_checksum());
}

struct BadConfig {
  const char* name;
  const char* named;  // what the sentence must name
  void (*change)(InterfaceConfig&, base::DeviceInfo&);
};

class InterfaceRefuses : public testing::TestWithParam<BadConfig> {};

TEST_P(InterfaceRefuses, WithASentenceNamingTheValue) {
  const std::string error = error_after(GetParam().change);
  EXPECT_NE(error.find(GetParam().named), std::string::npos) << error;
  EXPECT_TRUE(error.ends_with('.')) << error;
}

constexpr BadConfig kBadConfigs[] = {
    {"NoAddress", "no address", [](auto& config, auto&) { config.addresses.clear(); }},
    {"MulticastAddress", "224.0.0.1/24",
     [](auto& config, auto&) { config.addresses[0] = prefix("224.0.0.1/24"); }},
    {"LoopbackAddress", "127.0.0.1/8",
     [](auto& config, auto&) { config.addresses[0] = prefix("127.0.0.1/8"); }},
    {"UnspecifiedAddress", "0.0.0.0/8",
     [](auto& config, auto&) { config.addresses[0] = prefix("0.0.0.0/8"); }},
    {"NetworkAddress", "198.18.0.0/15",
     [](auto& config, auto&) { config.addresses[0] = prefix("198.18.0.0/15"); }},
    {"BroadcastAddress", "198.19.255.255/15",
     [](auto& config, auto&) { config.addresses[0] = prefix("198.19.255.255/15"); }},
    {"AddressTwice", "198.18.0.1",
     [](auto& config, auto&) { config.addresses[1] = prefix("198.18.0.1/24"); }},
    {"RangeIntoMulticast", "192.0.0.0/2",
     [](auto& config, auto&) { config.owned_ranges[0] = prefix("192.0.0.0/2"); }},
    {"RangeOfEverything", "0.0.0.0/0",
     [](auto& config, auto&) { config.owned_ranges[0] = prefix("0.0.0.0/0"); }},
    {"GatewayOffLink", "172.16.0.1",
     [](auto& config, auto&) { config.gateway = address("172.16.0.1"); }},
    {"GatewayOurs", "198.18.128.7",
     [](auto& config, auto&) { config.gateway = address("198.18.128.7"); }},
    {"GatewayBroadcast", "10.1.2.255",
     [](auto& config, auto&) { config.gateway = address("10.1.2.255"); }},
    {"RouteGatewayOffLink", "172.16.0.1",
     [](auto& config, auto&) { config.routes[0].gateway = address("172.16.0.1"); }},
    {"RouteFamilies", "2001:db8::1",
     [](auto& config, auto&) { config.routes[0].gateway = address("2001:db8::1"); }},
    {"Gateway6OffLink", "2001:db8::1",
     [](auto& config, auto&) { config.gateway6 = address("2001:db8::1"); }},
    {"LinkLocalGatewayWithoutIpv6", "fe80::1",
     [](auto& config, auto&) { config.gateway6 = address("fe80::1"); }},
    {"MtuLowForIpv6", "1279",
     [](auto& config, auto&) {
       config.addresses.push_back(prefix("2001:db8::1/64"));
       config.mtu = 1279;
     }},
    {"MtuLow", "575", [](auto& config, auto&) { config.mtu = 575; }},
    {"MtuHigh", "9001", [](auto& config, auto& device) { config.mtu = 9001, device.mtu = 10000; }},
    {"MtuOverDevice", "1501", [](auto& config, auto&) { config.mtu = 1501; }},
    {"VlanZero", "VLAN 0", [](auto& config, auto&) { config.vlan = 0; }},
    {"VlanHigh", "4095", [](auto& config, auto&) { config.vlan = 4095; }},
    {"HopLimitZero", "hop limit 0", [](auto& config, auto&) { config.hop_limit = 0; }},
    {"GroupMac", "MAC", [](auto&, auto& device) { device.mac[0] = 1; }},
    {"ZeroMac", "MAC", [](auto&, auto& device) { device.mac = {}; }},
};

INSTANTIATE_TEST_SUITE_P(All, InterfaceRefuses, testing::ValuesIn(kBadConfigs),
                         [](const auto& bad) { return std::string{bad.param.name}; });

TEST(Interface, TheConfigThatTheRefusalsStartFromIsGood) {
  EXPECT_EQ(error_after([](auto&, auto&) {}), "");
}

}  // namespace
}  // namespace handfast::net
