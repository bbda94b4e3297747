// Router advertisements and solicitations, and reports of multicast groups.
#include "wire/router.hpp"

#include <gtest/gtest.h>

#include "tests/wire/samples_v6.hpp"
#include "wire/listener_report.hpp"

namespace handfast::wire {
namespace {

const Address kRouter = Address::parse("fe80::fe").value();
constexpr std::uint32_t kHopLimitAndLifetime = 64U << 24 | 1800;

// Two times that are not used, then the options.
Buffer body_with(std::initializer_list<unsigned> options) {
  Buffer body(8);
  const Buffer more = to_buffer(options);
  body.insert(body.end(), more.begin(), more.end());
  return body;
}

Buffer advertisement(const Buffer& body, const Address& source = kRouter,
                     std::uint8_t hop_limit = 255, std::uint8_t code = 0) {
  return icmpv6_frame(kIcmpv6RouterAdvertisement, code, kHopLimitAndLifetime, body, source,
                      kAllNodes, hop_limit);
}

Drop parse_advertised(Buffer frame, RouterAdvertisement& out) {
  frame.shrink_to_fit();
  const Parsed parsed = parse(frame);
  EXPECT_EQ(parsed.drop, Drop::none) << to_string(parsed.drop);
  return parse_router_advertisement(parsed.icmp, parsed.frame, out);
}

Drop drop_of(const Buffer& frame) {
  RouterAdvertisement out;
  return parse_advertised(frame, out);
}

TEST(Router, AdvertisementsSayWhoLeadsOutAndWhatIsOnLink) {
  RouterAdvertisement out;
  ASSERT_EQ(
      parse_advertised(
          advertisement(body_with(
              {1,    1, 2,    0,    0, 0, 0,    2,                             // link address
               5,    1, 0,    0,    0, 0, 5,    0x78,                          // MTU 1400
               3,    4, 64,   0x80, 0, 0, 0x0e, 0x10, 0, 0, 0, 1, 0, 0, 0, 0,  // on-link
               0x20, 1, 0x0d, 0xb8, 0, 0, 0,    7,    0, 0, 0, 0, 0, 0, 0, 0,
               3,    4, 64,   0x40, 0, 0, 0,    9,    0, 0, 0, 1, 0, 0, 0, 0,  // for addresses only
               0x20, 1, 0x0d, 0xb8, 0, 0, 0,    8,    0, 0, 0, 0, 0, 0, 0, 0,
               25,   1, 0,    0,    0, 0, 0,    0})),  // not known
          out),
      Drop::none);
  EXPECT_EQ(out.lifetime_s, 1800);
  EXPECT_EQ(out.source_mac, kPeerMac);
  EXPECT_EQ(out.mtu, 1400U);
  ASSERT_EQ(out.prefix_count, 2U);
  EXPECT_EQ(out.prefixes[0],
            (AdvertisedPrefix{Prefix::parse("2001:db8:0:7::/64").value(), 3600, true}));
  EXPECT_EQ(out.prefixes[1],
            (AdvertisedPrefix{Prefix::parse("2001:db8:0:8::/64").value(), 9, false}));
}

TEST(Router, TheBareAdvertisementIsEnough) {
  RouterAdvertisement out;
  EXPECT_EQ(parse_advertised(advertisement(Buffer(8)), out), Drop::none);
  EXPECT_EQ(out, RouterAdvertisement{.lifetime_s = 1800});
}

// RFC 4861 section 6.1.2.
TEST(Router, WhatARouterOfThisLinkDidNotSendIsRefused) {
  const Buffer body(8);
  EXPECT_EQ(drop_of(advertisement(body, kPeers6)), Drop::discovery_malformed);
  EXPECT_EQ(drop_of(advertisement(body, kRouter, 254)), Drop::discovery_malformed);
  EXPECT_EQ(drop_of(advertisement(body, kRouter, 255, 1)), Drop::discovery_malformed);
  EXPECT_EQ(drop_of(advertisement(Buffer(7))), Drop::discovery_malformed);
  EXPECT_EQ(drop_of(advertisement(body_with({25, 0, 0, 0, 0, 0, 0, 0}))),
            Drop::discovery_malformed);
  EXPECT_EQ(drop_of(advertisement(body_with({25, 2, 0, 0, 0, 0, 0, 0}))),
            Drop::discovery_malformed);
  EXPECT_EQ(drop_of(advertisement(body_with({1, 1, 3, 0, 0, 0, 0, 2}))), Drop::discovery_malformed);
}

TEST(Router, ImpossiblePrefixesAndTooManyAreLeftOut) {
  Buffer body(8);
  for (unsigned i = 0; i < kAdvertisedPrefixesMax + 3; ++i) {
    Buffer option(32);
    option[0] = std::byte{3};
    option[1] = std::byte{4};
    option[2] = static_cast<std::byte>(i == 0 ? 129 : 64);
    option[16] = std::byte{0x20};
    option[23] = static_cast<std::byte>(i);
    body.insert(body.end(), option.begin(), option.end());
  }
  RouterAdvertisement out;
  ASSERT_EQ(parse_advertised(advertisement(body), out), Drop::none);
  EXPECT_EQ(out.prefix_count, kAdvertisedPrefixesMax);
  EXPECT_EQ(out.prefixes[0].prefix.network.bytes()[7], 1);
}

TEST(Router, APrefixOptionOfAnotherSizeIsLeftOut) {
  Buffer body(8 + 40);
  body[8] = std::byte{3};
  body[9] = std::byte{5};
  body[10] = std::byte{64};
  body[24] = std::byte{0x20};
  RouterAdvertisement out;
  ASSERT_EQ(parse_advertised(advertisement(body), out), Drop::none);
  EXPECT_EQ(out.prefix_count, 0U);
}

TEST(Router, ASolicitationTellsWhereWeAre) {
  const Address ours = link_local_address(kOurMac);
  Buffer frame(kDiscoveryFrameMax);
  frame.resize(emit_router_solicitation(
      frame.data(),
      make_link_header(multicast_mac(kAllRouters), kPeerMac, std::nullopt, kEtherTypeIpv6),
      {.source = ours, .destination = kAllRouters}, kOurMac));
  frame.shrink_to_fit();
  const Parsed parsed = parse(frame);
  ASSERT_EQ(parsed.drop, Drop::none);
  EXPECT_EQ(parsed.frame.hop_limit, 255);
  EXPECT_EQ(parsed.frame.destination, kAllRouters);
  EXPECT_EQ(parsed.icmp.type, kIcmpv6RouterSolicitation);
  EXPECT_EQ(parsed.icmp.rest, 0U);
  EXPECT_TRUE(std::ranges::equal(parsed.icmp.body, to_buffer({1, 1, 2, 0, 0, 0, 0, 1})));
}

const LinkHeader kToGroup =
    make_link_header(multicast_mac(kAllMldRouters), kPeerMac, std::nullopt, kEtherTypeIpv6);

// RFC 3810 section 5.2.
TEST(ListenerReport, NamesItsGroupsBehindARouterAlert) {
  const Address source = link_local_address(kOurMac);
  const std::array groups{solicited_node(kOurs6), solicited_node(source)};
  Buffer frame(kListenerReportFrameMax);
  frame.resize(emit_listener_report(frame.data(), kToGroup,
                                    {.source = source, .destination = kAllMldRouters},
                                    ListenerRecord::change_to_exclude, groups));
  frame.shrink_to_fit();
  EXPECT_EQ(frame[kIpAt + 6], std::byte{0});  // hop-by-hop options
  EXPECT_EQ(Buffer(frame.begin() + kIpv6PayloadAt, frame.begin() + kIpv6PayloadAt + 8),
            to_buffer({58, 0, 5, 2, 0, 0, 1, 0}));
  const Parsed parsed = parse(frame);
  ASSERT_EQ(parsed.drop, Drop::none);  // the checksum too
  EXPECT_EQ(parsed.frame.hop_limit, 1);
  EXPECT_EQ(parsed.icmp.type, 143);
  EXPECT_EQ(parsed.icmp.rest, 2U);
  ASSERT_EQ(parsed.icmp.body.size(), 40U);
  EXPECT_EQ(base::load_be32(parsed.icmp.body.data()), 0x04000000U);
  EXPECT_EQ(std::memcmp(&parsed.icmp.body[4], groups[0].bytes().data(), 16), 0);
  EXPECT_EQ(std::memcmp(&parsed.icmp.body[24], groups[1].bytes().data(), 16), 0);
}

TEST(ListenerReport, HasRoomForAllGroupsInTheLeastMtu) {
  const std::vector<Address> groups(kReportedGroupsMax, solicited_node(kOurs6));
  Buffer frame(kListenerReportFrameMax);
  const std::uint32_t length = emit_listener_report(
      frame.data(), kToGroup, {.source = kPeers6, .destination = kAllMldRouters},
      ListenerRecord::is_exclude, groups);
  EXPECT_LE(length, kEthernetHeaderSize + 1280);
}

TEST(ListenerReport, ThatOfVersion1IsOfOneGroup) {
  const Address group = solicited_node(kOurs6);
  Buffer frame(kListenerReportFrameMax);
  frame.resize(emit_listener_report_v1(frame.data(), kToGroup,
                                       {.source = kPeers6, .destination = group}, group));
  frame.shrink_to_fit();
  const Parsed parsed = parse(frame);
  ASSERT_EQ(parsed.drop, Drop::none);
  EXPECT_EQ(parsed.icmp.type, 131);
  ASSERT_EQ(parsed.icmp.body.size(), 16U);
  EXPECT_EQ(std::memcmp(parsed.icmp.body.data(), group.bytes().data(), 16), 0);
}

struct Query {
  Drop drop;
  ListenerQuery query;
};
Query query_of(std::uint32_t code, std::size_t body_size, const Address& source = kRouter,
               std::uint8_t hop_limit = 1) {
  Buffer frame = icmpv6_frame(kIcmpv6ListenerQuery, 0, code << 16, Buffer(body_size), source,
                              kAllNodes, hop_limit);
  const Parsed parsed = parse(frame);
  Query out;
  out.drop = parse_listener_query(parsed.icmp, parsed.frame, out.query);
  return out;
}

TEST(ListenerReport, QueriesSayHowLongToWait) {
  using namespace std::chrono_literals;
  EXPECT_EQ(query_of(10'000, 20).query.max_delay, 10s);
  EXPECT_FALSE(query_of(10'000, 20).query.is_version_1);
  EXPECT_TRUE(query_of(10'000, 20).query.group.is_unspecified());
  EXPECT_EQ(query_of(0x8000, 20).query.max_delay, 32'768ms);
  EXPECT_EQ(query_of(0xffff, 20).query.max_delay, 8'387'584ms);
  EXPECT_EQ(query_of(0xffff, 16).query.max_delay, 65'535ms);
  EXPECT_TRUE(query_of(1, 16).query.is_version_1);
}

// RFC 3810 sections 6.2 and 8.1.
TEST(ListenerReport, QueriesThatCameFromElsewhereAreRefused) {
  EXPECT_EQ(query_of(1, 20, kPeers6).drop, Drop::discovery_malformed);
  EXPECT_EQ(query_of(1, 20, kRouter, 2).drop, Drop::discovery_malformed);
  EXPECT_EQ(query_of(1, 15).drop, Drop::discovery_malformed);
  EXPECT_EQ(query_of(1, 17).drop, Drop::discovery_malformed);
  EXPECT_EQ(query_of(1, 20).drop, Drop::none);
}

}  // namespace
}  // namespace handfast::wire
