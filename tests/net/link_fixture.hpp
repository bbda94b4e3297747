// An IPv6 interface with neighbours, a fake sink and what the sink's frames say. For the tests of
// what a host does on its link by itself.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "fake_sink.hpp"
#include "net/interface.hpp"
#include "net/neighbours.hpp"
#include "wire/icmp.hpp"
#include "wire/router.hpp"

namespace handfast::net {

using namespace std::chrono_literals;

class LinkTest : public testing::Test {
 protected:
  static constexpr base::MacAddress kOurMac{0x02, 0, 0, 0, 0, 0x11};
  static constexpr base::MacAddress kTheirMac{0x02, 0, 0, 0, 0, 0x02};

  void TearDown() override {
    neighbours_.reset();
    sink_.clear();
    EXPECT_EQ(sink_.outstanding, 0);
  }
  static Address address(const char* text) { return Address::parse(text).value(); }
  static InterfaceConfig config() {
    return {.addresses = {Prefix{address("2001:db8::1"), 64}}, .router_advertisements = true};
  }
  // Of the frames sent so far, which are then forgotten.
  struct Sent {
    wire::Frame frame{};
    std::uint8_t type = 0;
    std::uint32_t rest = 0;
    std::size_t body_size = 0;
  };
  std::vector<Sent> take_sent() {
    std::vector<Sent> out;
    for (const base::Packet& packet : sink_.sent) {
      Sent sent;
      wire::Icmp icmp;
      EXPECT_EQ(wire::parse_frame(packet, {.mac = destination_of(packet)}, sent.frame),
                wire::Drop::none);
      EXPECT_EQ(wire::parse_icmpv6(sent.frame, icmp), wire::Drop::none);
      sent.type = icmp.type;
      sent.rest = icmp.rest;
      sent.body_size = icmp.body.size();
      out.push_back(sent);
    }
    sink_.clear();
    return out;
  }
  Counters counted() const { return counters_.snapshot(); }

  FakeSink sink_;
  base::LiveCounters counters_;
  Interface interface_ = Interface::create(config(), {.mac = kOurMac}).value();
  std::optional<Neighbours> neighbours_{std::in_place, interface_, sink_, counters_};
  Instant now_ = Instant::from_ns(1'000'000'000);
};

}  // namespace handfast::net
