#include "handfast/config.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "handfast/error.hpp"

namespace handfast {
namespace {

using namespace std::chrono_literals;

Prefix prefix(std::string_view text) {
  return Prefix::parse(text).value();
}
Address address(std::string_view text) {
  return Address::parse(text).value();
}

StackConfig valid() {
  StackConfig config;
  config.interface.addresses = {prefix("198.18.0.1/15")};
  return config;
}

// What check() says after `change`; empty when it is content.
std::string complaint(const std::function<void(StackConfig&)>& change) {
  StackConfig config = valid();
  change(config);
  const auto checked = config.check();
  return checked ? "" : checked.error();
}

TEST(Config, DefaultsAreValid) {
  EXPECT_EQ(complaint([](StackConfig&) {}), "");
}

TEST(Config, NeedsAnAddress) {
  EXPECT_EQ(complaint([](StackConfig& c) { c.interface.addresses.clear(); }),
            "interface.addresses is empty, but must be at least one, like 198.18.0.1/15");
}

TEST(Config, AddressesMustBeAHosts) {
  for (const auto text : {"0.0.0.0/8", "224.0.0.1/24", "255.255.255.255/32", "127.0.0.1/8"}) {
    EXPECT_EQ(complaint([&](StackConfig& c) { c.interface.addresses = {prefix(text)}; }),
              "interface.addresses is " + prefix(text).network.to_string() +
                  ", but must be a unicast address that a host can have");
  }
  EXPECT_EQ(complaint([](StackConfig& c) { c.interface.addresses.push_back(prefix("::1/64")); }),
            "interface.addresses is ::1, but must be a unicast address that a host can have");
  EXPECT_EQ(complaint([](StackConfig& c) { c.interface.addresses[0].length = 33; }),
            "interface.addresses is 198.18.0.1/33, but must be at most 32 bits long");
  EXPECT_EQ(
      complaint([](StackConfig& c) { c.interface.addresses = {prefix("198.19.255.255/15")}; }),
      "interface.addresses is 198.19.255.255/15, but must be other than its network's broadcast "
      "address");
  EXPECT_EQ(complaint([](StackConfig& c) { c.interface.addresses = {prefix("10.0.0.1/31")}; }), "");
}

TEST(Config, AddressesMayBeOfBothFamilies) {
  const auto with = [](std::string_view text, std::uint8_t length) {
    return complaint([&](StackConfig& c) {
      c.interface.addresses.push_back({address(text), length});
    });
  };
  EXPECT_EQ(with("2001:db8::1", 64), "");
  EXPECT_EQ(with("fe80::1", 128), "");
  EXPECT_NE(with("ff02::1", 64), "");
  EXPECT_EQ(with("2001:db8::1", 129),
            "interface.addresses is 2001:db8::1/129, but must be at most 128 bits long");
  EXPECT_EQ(complaint([](StackConfig& c) {
              c.interface.addresses = {prefix("2001:db8::1/64")};
              c.interface.owned_ranges = {prefix("2001:db8:1::/48")};
            }),
            "");
}

TEST(Config, Ipv6NeedsItsSmallestMtu) {
  const auto with_mtu = [](std::uint16_t mtu) {
    return complaint([&](StackConfig& c) {
      c.interface.addresses.push_back(prefix("2001:db8::1/64"));
      c.interface.mtu = mtu;
    });
  };
  EXPECT_EQ(with_mtu(1280), "");
  EXPECT_EQ(with_mtu(1279), "interface.mtu is 1279, but must be 1280 to 9000");
}

TEST(Config, EachFamilyHasItsGateway) {
  const auto with = [](const std::function<void(InterfaceConfig&)>& change) {
    return complaint([&](StackConfig& c) {
      c.interface.addresses.push_back(prefix("2001:db8::1/64"));
      change(c.interface);
    });
  };
  EXPECT_EQ(with([](auto& i) { i.gateway6 = address("2001:db8::fe"); }), "");
  EXPECT_EQ(with([](auto& i) { i.gateway6 = address("fe80::fe"); }), "");
  EXPECT_EQ(with([](auto& i) { i.gateway6 = address("198.18.0.2"); }),
            "interface.gateway6 is 198.18.0.2, but must be IPv6: interface.gateway is for IPv4");
  EXPECT_EQ(with([](auto& i) { i.gateway = address("2001:db8::fe"); }),
            "interface.gateway is 2001:db8::fe, but must be IPv4: interface.gateway6 is for IPv6");
  EXPECT_NE(with([](auto& i) { i.gateway6 = address("2001:db9::fe"); }), "");
  EXPECT_EQ(with([](auto& i) { i.router_advertisements = true; }), "");
  EXPECT_EQ(with([](auto& i) {
              i.router_advertisements = true;
              i.gateway6 = address("2001:db8::fe");
            }),
            "interface.router_advertisements is on, but must be off with interface.gateway6: "
            "routers would name another");
  EXPECT_EQ(with([](auto& i) {
              i.routes = {{prefix("10.0.0.0/8"), address("2001:db8::fe")}};
            }),
            "the gateway of a route in interface.routes is 2001:db8::fe, but must be of the same "
            "IP version as 10.0.0.0/8");
}

TEST(Config, OwnedRangesMustBeUnicast) {
  for (const auto text : {"0.0.0.0/0", "224.0.0.0/24", "127.0.0.0/8", "126.0.0.0/7"}) {
    EXPECT_EQ(complaint([&](StackConfig& c) { c.interface.owned_ranges = {prefix(text)}; }),
              "interface.owned_ranges is " + std::string{text} +
                  ", but must be a range of unicast addresses only");
  }
  EXPECT_EQ(complaint([](StackConfig& c) { c.interface.owned_ranges = {prefix("10.0.0.0/8")}; }),
            "");
}

TEST(Config, GatewaysMustBeNeighbours) {
  const auto with_gateway = [](std::string_view text) {
    return complaint([&](StackConfig& c) { c.interface.gateway = address(text); });
  };
  EXPECT_EQ(with_gateway("198.19.0.1"), "");
  EXPECT_EQ(with_gateway("198.20.0.1"),
            "interface.gateway is 198.20.0.1, but must be another host in the network of one of "
            "interface.addresses");
  EXPECT_NE(with_gateway("198.18.0.1"), "");
  EXPECT_NE(with_gateway("224.0.0.1"), "");
  EXPECT_EQ(complaint([](StackConfig& c) {
              c.interface.routes = {{prefix("10.0.0.0/8"), address("10.0.0.1")}};
            }),
            "the gateway of a route in interface.routes is 10.0.0.1, but must be another host in "
            "the network of one of interface.addresses");
  EXPECT_NE(complaint([](StackConfig& c) {
              c.interface.routes = {{prefix("::/0"), address("198.18.0.2")}};
            }),
            "");
}

TEST(Config, NumbersOfTheInterfaceHaveRanges) {
  EXPECT_EQ(complaint([](StackConfig& c) { c.interface.mtu = 575; }),
            "interface.mtu is 575, but must be 576 to 9000");
  EXPECT_NE(complaint([](StackConfig& c) { c.interface.mtu = 9001; }), "");
  EXPECT_EQ(complaint([](StackConfig& c) { c.interface.mtu = 9000; }), "");
  EXPECT_EQ(complaint([](StackConfig& c) { c.interface.vlan = 4095; }),
            "interface.vlan is 4095, but must be 1 to 4094");
  EXPECT_NE(complaint([](StackConfig& c) { c.interface.vlan = 0; }), "");
  EXPECT_EQ(complaint([](StackConfig& c) { c.interface.vlan = 4094; }), "");
  EXPECT_NE(complaint([](StackConfig& c) { c.interface.hop_limit = 0; }), "");
  EXPECT_EQ(complaint([](StackConfig& c) { c.interface.dscp = 63; }), "");
  EXPECT_EQ(complaint([](StackConfig& c) { c.interface.dscp = 64; }),
            "interface.dscp is 64, but must be 0 to 63");
}

TEST(Config, TablesMustHoldSomething) {
  EXPECT_EQ(complaint([](StackConfig& c) { c.max_connections = 0; }),
            "max_connections is 0, but must be 1 to 2147483648");
  EXPECT_NE(complaint([](StackConfig& c) { c.max_half_open = 0; }), "");
  EXPECT_NE(complaint([](StackConfig& c) { c.max_half_open_per_listener = 0; }), "");
  EXPECT_NE(complaint([](StackConfig& c) { c.max_time_wait = 0; }), "");
  EXPECT_NE(complaint([](StackConfig& c) { c.max_fast_open = 0; }), "");
}

TEST(Config, NoMoreTimeWaitIsTakenAtStartThanThereMayBe) {
  EXPECT_EQ(complaint([](StackConfig& c) { c.prefault_time_wait = c.max_time_wait; }), "");
  EXPECT_EQ(complaint([](StackConfig& c) {
              c.max_time_wait = 10;
              c.prefault_time_wait = 11;
            }),
            "prefault_time_wait is 11, but must be 0 to 10");
}

TEST(Config, TimesMustBeInOrder) {
  EXPECT_EQ(complaint([](StackConfig& c) { c.msl = 0ns; }),
            "msl is 0 ns, but must be 1 to 43200000000000 ns");
  EXPECT_NE(complaint([](StackConfig& c) { c.msl = 13h; }), "");
  EXPECT_EQ(complaint([](StackConfig& c) { c.rto_min = 61s; }),
            "rto_min is 61000000000 ns, but must be 100000 to 60000000000 ns");
  EXPECT_NE(complaint([](StackConfig& c) { c.rto_initial = 100ms; }), "");
  EXPECT_NE(complaint([](StackConfig& c) { c.rto_initial = 61s; }), "");
  EXPECT_NE(complaint([](StackConfig& c) { c.rto_max = -1s; }), "");
  EXPECT_NE(complaint([](StackConfig& c) { c.syn_timeout = 0s; }), "");
  EXPECT_NE(complaint([](StackConfig& c) { c.user_timeout = 25h; }), "");
  EXPECT_EQ(complaint([](StackConfig& c) { c.rto_min = 100us; }), "");
  EXPECT_NE(complaint([](StackConfig& c) { c.rto_min = 99us; }), "");
}

TEST(Config, AcknowledgementsMayNotWaitForHalfASecond) {
  EXPECT_EQ(complaint([](StackConfig& c) { c.delayed_ack = 500ms; }), "");
  EXPECT_EQ(complaint([](StackConfig& c) { c.delayed_ack = 0s; }), "");
  EXPECT_EQ(complaint([](StackConfig& c) { c.delayed_ack = 501ms; }),
            "delayed_ack is 501000000 ns, but must be 0 to 500000000 ns");
  EXPECT_NE(complaint([](StackConfig& c) { c.delayed_ack = -1ns; }), "");
}

TEST(Config, KeepAliveHasRanges) {
  EXPECT_EQ(complaint([](StackConfig& c) { c.keep_alive = 65'535s; }), "");
  EXPECT_EQ(complaint([](StackConfig& c) { c.keep_alive = 65'536s; }),
            "keep_alive is 65536000000000 ns, but must be 0 to 65535000000000 ns");
  EXPECT_NE(complaint([](StackConfig& c) { c.keep_alive = -1s; }), "");
  EXPECT_NE(complaint([](StackConfig& c) { c.keep_alive_interval = 0s; }), "");
  EXPECT_NE(complaint([](StackConfig& c) { c.keep_alive_interval = 25h; }), "");
  EXPECT_EQ(complaint([](StackConfig& c) { c.keep_alive_probes = 1; }),
            "keep_alive_probes is 1, but must be 2 to 255");
}

TEST(Config, OptionsOfAConnectionHaveTheSameRanges) {
  const auto complaint_about = [](const ConnectionOptions& options) {
    const auto checked = options.check();
    return checked ? std::string{} : checked.error();
  };
  EXPECT_EQ(complaint_about({}), "");
  EXPECT_EQ(complaint_about({.keep_alive = 65'535s, .user_timeout = 24h, .dscp = 63}), "");
  EXPECT_EQ(complaint_about({.dscp = 64}), "dscp is 64, but must be 0 to 63");
  EXPECT_NE(complaint_about({.keep_alive = 65'536s}), "");
  EXPECT_NE(complaint_about({.user_timeout = 25h}), "");
  EXPECT_NE(complaint_about({.user_timeout = 0s}), "");
}

TEST(Config, BuffersAndPortsHaveRanges) {
  EXPECT_NE(complaint([](StackConfig& c) { c.send_buffer = 0; }), "");
  EXPECT_EQ(complaint([](StackConfig& c) { c.receive_buffer = (1U << 30) + 1; }),
            "receive_buffer is 1073741825, but must be 1 to 1073741824");
  EXPECT_EQ(complaint([](StackConfig& c) { c.send_buffer_max = 0; }),
            "send_buffer_max is 0, but must be 1 to 1073741824");
  EXPECT_EQ(complaint([](StackConfig& c) { c.send_buffer_max = 1U << 30; }), "");
  EXPECT_NE(complaint([](StackConfig& c) { c.receive_buffer_max = (1U << 30) + 1; }), "");
  EXPECT_EQ(complaint([](StackConfig& c) { c.first_port = 0; }),
            "first_port is 0, but must be 1 to 65535");
  EXPECT_EQ(complaint([](StackConfig& c) { c.last_port = 1000; }),
            "first_port is 1024, but must be 1 to 1000");
  EXPECT_NE(complaint([](StackConfig& c) { c.last_port = 0; }), "");
}

TEST(Config, NamesTheFirstWrongSetting) {
  EXPECT_EQ(complaint([](StackConfig& c) {
              c.last_port = 0;
              c.interface.mtu = 1;
            }),
            "interface.mtu is 1, but must be 576 to 9000");
}

template <class Enum>
void expect_distinct_names(int count) {
  std::vector<std::string_view> names;
  for (int i = 0; i < count; ++i) names.push_back(to_string(static_cast<Enum>(i)));
  std::ranges::sort(names);
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
  EXPECT_TRUE(to_string(static_cast<Enum>(count)).starts_with("unknown"));
}

TEST(Errors, EachHasAName) {
  expect_distinct_names<Error>(13);
  expect_distinct_names<CloseReason>(7);
  expect_distinct_names<NetworkError>(8);
  expect_distinct_names<State>(kStateCount);
  EXPECT_EQ(to_string(State::syn_received), "SYN-RECEIVED");
  EXPECT_EQ(to_string(State::fin_wait_2), "FIN-WAIT-2");
  EXPECT_EQ(to_string(CloseReason::timed_out), "timed out");
  EXPECT_EQ(to_string(Error::no_free_port), "no free port");
}

}  // namespace
}  // namespace handfast
