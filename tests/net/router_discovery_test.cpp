#include "net/router_discovery.hpp"

#include "link_fixture.hpp"

namespace handfast::net {
namespace {

class RouterDiscoveryTest : public LinkTest {
 protected:
  bool hear(const Address& router, const wire::RouterAdvertisement& said) {
    wire::Frame frame{};
    frame.source = router;
    return routers_.receive(said, frame, now_);
  }
  bool hear_of_prefix(const char* prefix, std::uint32_t valid_s, bool is_on_link = true) {
    wire::RouterAdvertisement said{.lifetime_s = 1800};
    said.prefixes[0] = {Prefix::parse(prefix).value(), valid_s, is_on_link};
    said.prefix_count = 1;
    return hear(kFirst, said);
  }
  bool advance(Duration duration) {
    now_ = now_ + duration;
    return routers_.next_deadline() <= now_ && routers_.advance(now_);
  }
  std::optional<Address> way_out() const {
    const auto next_hop = interface_.next_hop(address("2001:db8:ffff::1"));
    return next_hop ? std::optional{*next_hop} : std::nullopt;
  }
  // Makes `router` one that answered no solicitation.
  void fall_silent(const Address& router) {
    const NeighbourId id = neighbours_->find_or_add(router, now_).value();
    base::Packet frame;
    ASSERT_TRUE(sink_.allocate(frame));
    frame.length = 60;
    neighbours_->queue(id, frame, now_);
    for (unsigned i = 0; i <= kRequestsMax; ++i) {
      now_ = now_ + kRequestInterval;
      neighbours_->advance(now_);
    }
    ASSERT_TRUE(neighbours_->is_silent(id));
  }

  const Address kFirst = address("fe80::fe");
  const Address kSecond = address("fe80::fd");
  RouterDiscovery routers_{interface_, *neighbours_, sink_, counters_, true, 500ms};
};

// RFC 4861 section 6.3.7.
TEST_F(RouterDiscoveryTest, AsksThreeTimes) {
  EXPECT_LE(routers_.next_deadline(), now_);
  advance(0ms);
  EXPECT_TRUE(take_sent().empty());
  advance(500ms);
  const auto sent = take_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].type, wire::kIcmpv6RouterSolicitation);
  EXPECT_EQ(sent[0].frame.source, wire::link_local_address(kOurMac));
  EXPECT_EQ(sent[0].frame.destination, wire::kAllRouters);
  for (int i = 0; i < 10; ++i) advance(kRouterSolicitationInterval);
  EXPECT_EQ(take_sent().size(), kRouterSolicitationsMax - 1);
  EXPECT_EQ(routers_.next_deadline(), Instant::never());
  EXPECT_EQ(counted().router_solicitations_sent, kRouterSolicitationsMax);
}

TEST_F(RouterDiscoveryTest, AnAnswerEndsTheQuestions) {
  advance(0ms);
  advance(500ms);
  hear(kFirst, {.lifetime_s = 1800});
  sink_.clear();
  advance(kRouterSolicitationInterval);
  EXPECT_TRUE(take_sent().empty());
}

// RFC 4861 section 6.3.4.
TEST_F(RouterDiscoveryTest, ARouterLeadsOutForItsLifetime) {
  advance(0ms);
  EXPECT_FALSE(way_out());
  EXPECT_TRUE(hear(kFirst, {.lifetime_s = 1800, .source_mac = kTheirMac}));
  EXPECT_EQ(way_out(), kFirst);
  const auto id = neighbours_->find_or_add(kFirst, now_);
  EXPECT_NE(neighbours_->link_header(*id, now_), nullptr);
  advance(1000s);
  EXPECT_FALSE(hear(kFirst, {.lifetime_s = 1800}));
  advance(1000s);
  EXPECT_EQ(way_out(), kFirst);
  EXPECT_TRUE(advance(800s));
  EXPECT_FALSE(way_out());
}

TEST_F(RouterDiscoveryTest, LifetimeZeroRemovesIt) {
  advance(0ms);
  EXPECT_FALSE(hear(kFirst, {.lifetime_s = 0}));
  EXPECT_FALSE(way_out());
  hear(kFirst, {.lifetime_s = 1800});
  EXPECT_FALSE(hear(kSecond, {.lifetime_s = 1800}));
  EXPECT_EQ(way_out(), kFirst);
  EXPECT_TRUE(hear(kFirst, {.lifetime_s = 0}));
  EXPECT_EQ(way_out(), kSecond);
  EXPECT_TRUE(hear(kSecond, {.lifetime_s = 0}));
  EXPECT_FALSE(way_out());
}

// RFC 4861 section 7.2.5.
TEST_F(RouterDiscoveryTest, WhoIsNoRouterAnyMoreIsForgotten) {
  advance(0ms);
  hear(kFirst, {.lifetime_s = 1800});
  hear(kSecond, {.lifetime_s = 900});
  EXPECT_FALSE(routers_.is_router(address("fe80::1")));
  EXPECT_FALSE(routers_.forget_router(address("fe80::1")));
  EXPECT_TRUE(routers_.is_router(kFirst));
  EXPECT_TRUE(routers_.forget_router(kFirst));
  EXPECT_FALSE(routers_.is_router(kFirst));
  EXPECT_EQ(way_out(), kSecond);
  EXPECT_EQ(routers_.next_deadline(), now_ + 900s);
  EXPECT_TRUE(routers_.forget_router(kSecond));
  EXPECT_FALSE(way_out());
}

// RFC 4861 section 6.3.6.
TEST_F(RouterDiscoveryTest, ASilentRouterIsLeftForAnother) {
  advance(0ms);
  hear(kFirst, {.lifetime_s = 1800});
  EXPECT_FALSE(routers_.choose_again());
  fall_silent(kFirst);
  EXPECT_FALSE(routers_.choose_again());  // there is no other
  EXPECT_TRUE(hear(kSecond, {.lifetime_s = 1800}));
  EXPECT_EQ(way_out(), kSecond);
}

TEST_F(RouterDiscoveryTest, OnlySoManyRoutersAreRemembered) {
  advance(0ms);
  for (unsigned i = 0; i < 100; ++i) {
    auto bytes = kFirst.bytes();
    bytes[15] = static_cast<std::uint8_t>(i);
    hear(Address::from_bytes(bytes), {.lifetime_s = 1800});
    hear_of_prefix(("2001:db8:" + std::to_string(i + 1) + "::/64").c_str(), 100);
  }
  EXPECT_EQ(way_out(), address("fe80::"));
  EXPECT_TRUE(interface_.is_on_link(address("2001:db8:8::1")));
  EXPECT_FALSE(interface_.is_on_link(address("2001:db8:9::1")));
}

TEST_F(RouterDiscoveryTest, PrefixesAreOnLinkForTheirLifetime) {
  advance(0ms);
  const Address host = address("2001:db8:7::9");
  EXPECT_TRUE(hear_of_prefix("2001:db8:7::/64", 100));
  EXPECT_TRUE(interface_.is_on_link(host));
  EXPECT_EQ(interface_.next_hop(host).value(), host);
  EXPECT_FALSE(hear_of_prefix("2001:db8:7::/64", 100));
  EXPECT_TRUE(advance(100s));
  EXPECT_FALSE(interface_.is_on_link(host));
  EXPECT_EQ(interface_.next_hop(host).value(), kFirst);
  EXPECT_TRUE(hear_of_prefix("2001:db8:7::/64", 0xffffffff));
  advance(1'000'000s);
  EXPECT_TRUE(interface_.is_on_link(host));
  EXPECT_EQ(routers_.next_deadline(), Instant::never());
  EXPECT_TRUE(hear_of_prefix("2001:db8:7::/64", 0));
  EXPECT_FALSE(interface_.is_on_link(host));
}

TEST_F(RouterDiscoveryTest, PrefixesThatSayNothingAreLeftAlone) {
  advance(0ms);
  hear(kFirst, {.lifetime_s = 1800});
  EXPECT_FALSE(hear_of_prefix("2001:db8:7::/64", 100, false));
  for (const char* prefix : {"fe80::/64", "ff00::/8", "::/0"}) {
    EXPECT_FALSE(hear_of_prefix(prefix, 0)) << prefix;
    EXPECT_FALSE(hear_of_prefix(prefix, 100)) << prefix;
  }
  // Not even an advertised end makes our own network another one.
  EXPECT_FALSE(hear_of_prefix("2001:db8::/64", 0));
  EXPECT_TRUE(interface_.is_on_link(address("2001:db8::5")));
  EXPECT_EQ(way_out(), kFirst);
}

TEST_F(RouterDiscoveryTest, TheMtuIsTakenWithinBounds) {
  advance(0ms);
  EXPECT_EQ(interface_.mtu6(), 1500);
  for (const std::uint32_t mtu : {0U, 1279U, 1501U, 0x10000U + 1400U}) {
    hear(kFirst, {.lifetime_s = 1800, .mtu = mtu});
    EXPECT_EQ(interface_.mtu6(), 1500) << mtu;
  }
  EXPECT_TRUE(hear(kFirst, {.lifetime_s = 1800, .mtu = 1400}));
  EXPECT_EQ(interface_.mtu6(), 1400);
  EXPECT_EQ(interface_.mtu(), 1500);
}

TEST_F(RouterDiscoveryTest, OurOwnVoiceIsNoRouter) {
  advance(0ms);
  EXPECT_FALSE(hear(wire::link_local_address(kOurMac), {.lifetime_s = 1800}));
  EXPECT_FALSE(way_out());
}

TEST_F(RouterDiscoveryTest, WithoutTheSettingNothingIsDone) {
  Interface quiet =
      Interface::create({.addresses = {Prefix{address("2001:db8::1"), 64}}}, {.mac = kOurMac})
          .value();
  const RouterDiscovery off(quiet, *neighbours_, sink_, counters_, true, 0ms);
  EXPECT_FALSE(off.is_on());
  EXPECT_EQ(off.next_deadline(), Instant::never());
}

}  // namespace
}  // namespace handfast::net
