#include "wire/ipv6.hpp"

#include <gtest/gtest.h>

#include "tests/wire/samples_v6.hpp"

namespace handfast::wire {
namespace {

constexpr std::uint8_t kHopByHop = 0;
constexpr std::uint8_t kRoutingHeader = 43;
constexpr std::uint8_t kFragmentHeader = 44;
constexpr std::uint8_t kDestinationHeader = 60;

Drop drop_with_byte(std::size_t at, unsigned value) {
  Buffer frame = tcp6_frame(data_segment(kHello));
  frame[kIpAt + at] = static_cast<std::byte>(value);
  return parse(frame).drop;
}

Drop drop_with_source(const Address& source) {
  Buffer frame = tcp6_frame(data_segment(kHello));
  std::memcpy(&frame[kIpAt + 8], source.bytes().data(), 16);
  return parse(frame, {}, base::kL4ChecksumGood).drop;
}

Drop drop_behind(std::uint8_t first, std::initializer_list<unsigned> headers) {
  Buffer frame =
      with_extension_headers(tcp6_frame(data_segment(kHello)), first, to_buffer(headers));
  return parse(frame).drop;
}

TEST(Ipv6, GivesAddressesFieldsAndPayload) {
  Buffer bytes = tcp6_frame(data_segment(kHello));
  const Parsed parsed = parse(bytes);
  ASSERT_EQ(parsed.drop, Drop::none) << to_string(parsed.drop);
  EXPECT_EQ(parsed.frame.kind, FrameKind::tcp);
  EXPECT_EQ(parsed.frame.source, kPeers6);
  EXPECT_EQ(parsed.frame.destination, kOurs6);
  EXPECT_EQ(parsed.frame.tos, 2);
  EXPECT_EQ(parsed.frame.hop_limit, 64);
  EXPECT_EQ(parsed.ports, kPorts);
  EXPECT_EQ(Buffer(parsed.segment.payload.begin(), parsed.segment.payload.end()), kHello);
}

TEST(Ipv6, IsWrittenAsRfc8200DrawsIt) {
  const Buffer frame = tcp6_frame(data_segment(kHello));
  Buffer want = to_buffer({0x60, 0x2a, 0xbc, 0xde, 0, 25, 6, 64});
  want.insert(want.end(), reinterpret_cast<const std::byte*>(kPeers6.bytes().data()),
              reinterpret_cast<const std::byte*>(kPeers6.bytes().data()) + 16);
  want.insert(want.end(), reinterpret_cast<const std::byte*>(kOurs6.bytes().data()),
              reinterpret_cast<const std::byte*>(kOurs6.bytes().data()) + 16);
  EXPECT_EQ(Buffer(frame.begin() + kIpAt, frame.begin() + kIpv6PayloadAt), want);
  EXPECT_EQ(frame[12], std::byte{0x86});
  EXPECT_EQ(frame[13], std::byte{0xdd});
}

TEST(Ipv6, ChecksumCoversTheAddressesAndTheText) {
  Buffer bytes = tcp6_frame(data_segment(kHello));
  bytes[kIpAt + 39] = std::byte{9};
  EXPECT_EQ(parse(bytes).drop, Drop::tcp_checksum);
  bytes = tcp6_frame(data_segment(kHello));
  bytes.back() ^= std::byte{1};
  EXPECT_EQ(parse(bytes).drop, Drop::tcp_checksum);
  EXPECT_EQ(parse(bytes, {}, base::kL4ChecksumGood).drop, Drop::none);
}

TEST(Ipv6, TaggedSegmentsOfEveryLengthMakeTheRoundTrip) {
  const Buffer payload(1440, std::byte{0x5a});
  for (const std::size_t length : {0UL, 1UL, 63UL, 64UL, 65UL, 1440UL}) {
    Buffer bytes = tcp6_frame(data_segment(base::Bytes{payload}.first(length)), 42);
    const Parsed parsed = parse(bytes, 42);
    ASSERT_EQ(parsed.drop, Drop::none) << length;
    EXPECT_EQ(parsed.segment.payload.size(), length);
  }
}

TEST(Ipv6, OffloadOfTheIpChecksumMeansNothing) {
  const LinkHeader link = link_from_peer(kEtherTypeIpv6);
  const base::Segment segment = data_segment(kHello);
  base::Packet packet;
  Buffer frame = emit_to_buffer({.link = link,
                                 .ip = {.source = kPeers6, .destination = kOurs6},
                                 .ports = kPorts,
                                 .segment = segment,
                                 .offload_ip_checksum = true,
                                 .offload_tcp_checksum = true},
                                packet);
  EXPECT_EQ(packet.flags, base::kOffloadL4Checksum);
  const base::Bytes tcp = base::Bytes{frame}.subspan(kIpv6PayloadAt);
  store_checksum(&frame[kIpv6PayloadAt + 16], fold(sum(tcp)));
  EXPECT_EQ(parse(frame).drop, Drop::none);
}

TEST(Ipv6, CutsOffEthernetPadding) {
  Buffer bytes = tcp6_frame(data_segment({}));
  bytes.resize(bytes.size() + 7, std::byte{0xee});
  const Parsed parsed = parse(bytes);
  ASSERT_EQ(parsed.drop, Drop::none);
  EXPECT_TRUE(parsed.segment.payload.empty());
}

TEST(Ipv6, RefusesWhatItsHeaderCannotSay) {
  EXPECT_EQ(drop_with_byte(0, 0x45), Drop::ip_version);
  EXPECT_EQ(drop_with_byte(5, 26), Drop::ip_total_length);  // the packet has 25
  EXPECT_EQ(drop_with_byte(4, 0xff), Drop::ip_total_length);
  EXPECT_EQ(drop_with_byte(5, 0), Drop::too_short);  // no TCP header inside
  Buffer bytes = tcp6_frame(data_segment({}));
  bytes.resize(kIpv6PayloadAt - 1);
  EXPECT_EQ(parse(bytes).drop, Drop::too_short);
}

TEST(Ipv6, RefusesOtherProtocols) {
  // ICMP of IPv4, UDP, ESP, AH, no next header, experimental.
  for (const unsigned protocol : {1U, 17U, 50U, 51U, 59U, 253U}) {
    EXPECT_EQ(drop_with_byte(6, protocol), Drop::ip_protocol) << protocol;
  }
  Buffer ipv4 = tcp_frame(data_segment(kHello));
  ipv4[kIpAt + 9] = std::byte{kProtocolIcmpv6};
  repair_ip_checksum(ipv4);
  EXPECT_EQ(parse(ipv4).drop, Drop::ip_protocol);
}

TEST(Ipv6, RefusesImpossibleSources) {
  for (const auto text : {"::", "::1", "ff02::1", "ffff::1", "::ffff:198.18.0.2"}) {
    EXPECT_EQ(drop_with_source(Address::parse(text).value()), Drop::ip_source) << text;
  }
  for (const auto text : {"fe80::1", "2001:db8::ffff:0:1", "fd00::1", "::2"}) {
    EXPECT_EQ(drop_with_source(Address::parse(text).value()), Drop::none) << text;
  }
}

// Or a packet could pass for one to our IPv4 address.
TEST(Ipv6, RefusesMappedDestinations) {
  Buffer frame = tcp6_frame(data_segment(kHello));
  std::memcpy(&frame[kIpAt + 24], kOurs.bytes().data(), 16);
  EXPECT_EQ(parse(frame, {}, base::kL4ChecksumGood).drop, Drop::not_for_us_l3);
}

TEST(Ipv6, TakesMulticastFrames) {
  Buffer frame = solicitation_frame({.target = kOurs6, .source_mac = kPeerMac});
  const MacAddress group = multicast_mac(solicited_node(kOurs6));
  std::memcpy(frame.data(), group.data(), group.size());
  EXPECT_EQ(parse(frame).drop, Drop::none);
  EXPECT_TRUE(parse(frame).frame.link_broadcast);
}

TEST(ExtensionHeaders, AreSteppedOver) {
  EXPECT_EQ(drop_behind(kHopByHop, {6, 0, 5, 2, 0, 0, 1, 0}), Drop::none);  // router alert
  EXPECT_EQ(drop_behind(kDestinationHeader, {6, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}),
            Drop::none);
  EXPECT_EQ(drop_behind(kRoutingHeader,
                        {6, 2, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2}),
            Drop::none);
  // All of them in the order of RFC 8200 section 4.1.
  EXPECT_EQ(
      drop_behind(kHopByHop, {60, 0, 1, 4, 0,  0, 0, 0, 43, 0, 1, 4, 0, 0, 0, 0, 44, 0, 0, 0,
                              0,  0, 0, 0, 60, 0, 0, 0, 1,  2, 3, 4, 6, 0, 0, 0, 0,  0, 0, 0}),
      Drop::none);
}

TEST(ExtensionHeaders, LeaveThePayloadWhole) {
  Buffer frame = with_extension_headers(tcp6_frame(data_segment(kHello)), kHopByHop,
                                        to_buffer({6, 0, 1, 4, 0, 0, 0, 0}));
  const Parsed parsed = parse(frame);
  ASSERT_EQ(parsed.drop, Drop::none);
  EXPECT_EQ(parsed.frame.payload.data(), &frame[kIpv6PayloadAt + 8]);
  EXPECT_EQ(Buffer(parsed.segment.payload.begin(), parsed.segment.payload.end()), kHello);
}

TEST(ExtensionHeaders, ReachingPastThePacketAreRefused) {
  for (const std::uint8_t type : {kHopByHop, kRoutingHeader, kDestinationHeader}) {
    EXPECT_EQ(drop_behind(type, {6, 4, 0, 0, 0, 0, 0, 0}), Drop::ip_header_length) << +type;
    EXPECT_EQ(drop_behind(type, {6, 255, 0, 0, 0, 0, 0, 0}), Drop::ip_header_length) << +type;
  }
  // No room for a header at all.
  for (const std::uint8_t type : {kHopByHop, kRoutingHeader, kFragmentHeader, kDestinationHeader}) {
    Buffer frame = icmpv6_frame(kIcmpv6EchoRequest, 0, 0, {});
    frame.resize(kIpv6PayloadAt + 7);
    frame[kIpAt + 6] = std::byte{type};
    base::store_be16(&frame[kIpAt + 4], 7);
    frame.shrink_to_fit();
    EXPECT_EQ(parse(frame).drop, Drop::ip_header_length) << +type;
  }
}

TEST(ExtensionHeaders, AreBounded) {
  for (const std::size_t count : {std::size_t{kExtensionHeadersMax}, kExtensionHeadersMax + 1UL}) {
    Buffer headers;
    for (std::size_t i = 0; i < count; ++i) {
      const Buffer one = to_buffer({i + 1 == count ? 6U : 60U, 0, 1, 4, 0, 0, 0, 0});
      headers.insert(headers.end(), one.begin(), one.end());
    }
    Buffer frame =
        with_extension_headers(tcp6_frame(data_segment(kHello)), kDestinationHeader, headers);
    EXPECT_EQ(parse(frame).drop, count > kExtensionHeadersMax ? Drop::ip_option : Drop::none);
  }
}

TEST(ExtensionHeaders, HopByHopComesFirstOrNotAtAll) {
  EXPECT_EQ(drop_behind(kDestinationHeader, {0, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0}),
            Drop::ip_protocol);
}

TEST(ExtensionHeaders, UnknownOptionsAreObeyedAsFarAsDiscarding) {
  for (const std::uint8_t type : {kHopByHop, kDestinationHeader}) {
    EXPECT_EQ(drop_behind(type, {6, 0, 0x1e, 4, 0, 0, 0, 0}), Drop::none);  // skip
    for (const unsigned option : {0x5eU, 0x9eU, 0xdeU, 0xc2U}) {            // the last: jumbogram
      EXPECT_EQ(drop_behind(type, {6, 0, option, 4, 0, 0, 0, 0}), Drop::ip_option) << option;
    }
  }
}

TEST(ExtensionHeaders, MalformedOptionsAreRefused) {
  EXPECT_EQ(drop_behind(kHopByHop, {6, 0, 5, 5, 0, 0, 0, 0}), Drop::ip_option);
  EXPECT_EQ(drop_behind(kHopByHop, {6, 0, 0, 0, 0, 0, 0, 5}), Drop::ip_option);
  EXPECT_EQ(drop_behind(kHopByHop, {6, 0, 0, 0, 0, 0, 0, 0}), Drop::none);
}

TEST(ExtensionHeaders, ARouteNotYetTravelledIsRefused) {
  EXPECT_EQ(drop_behind(kRoutingHeader, {6, 0, 0, 1, 0, 0, 0, 0}), Drop::ip_option);
}

// RFC 6946.
TEST(ExtensionHeaders, OnlyWholePacketsMayBeFragments) {
  EXPECT_EQ(drop_behind(kFragmentHeader, {6, 0, 0, 0, 1, 2, 3, 4}), Drop::none);
  EXPECT_EQ(drop_behind(kFragmentHeader, {6, 0, 0, 1, 1, 2, 3, 4}), Drop::ip_fragment);
  EXPECT_EQ(drop_behind(kFragmentHeader, {6, 0, 0, 8, 1, 2, 3, 4}), Drop::ip_fragment);
  EXPECT_EQ(drop_behind(kFragmentHeader, {6, 0, 0x80, 0, 1, 2, 3, 4}), Drop::ip_fragment);
  EXPECT_EQ(drop_behind(kFragmentHeader, {6, 0, 0, 6, 1, 2, 3, 4}), Drop::none);  // reserved bits
}

// RFC 6980.
TEST(ExtensionHeaders, DiscoveryIsNeverAFragment) {
  const Buffer whole = to_buffer({kProtocolIcmpv6, 0, 0, 0, 1, 2, 3, 4});
  Buffer solicitation = with_extension_headers(
      solicitation_frame({.target = kOurs6, .source_mac = kPeerMac}), kFragmentHeader, whole);
  EXPECT_EQ(parse(solicitation).drop, Drop::ip_fragment);
  Buffer echo = with_extension_headers(icmpv6_frame(kIcmpv6EchoRequest, 0, 0, kHello),
                                       kFragmentHeader, whole);
  EXPECT_EQ(parse(echo).drop, Drop::none);
}

// What becomes of the packet of `frame`, which is refused.
RefusedPacket refused(Buffer frame, Drop why) {
  const Parsed parsed = parse(frame);
  EXPECT_EQ(parsed.drop, why) << to_string(parsed.drop);
  EXPECT_EQ(parsed.frame.refused.begin, &frame[kIpAt]);
  EXPECT_EQ(parsed.frame.refused.length, frame.size() - kIpAt);
  if (parsed.frame.refused.complaint != Complaint::none) {
    EXPECT_EQ(parsed.frame.destination, kOurs6);
  }
  return parsed.frame.refused;
}

RefusedPacket refused_behind(std::uint8_t first, std::initializer_list<unsigned> headers,
                             const Buffer& frame = tcp6_frame(data_segment(kHello))) {
  return refused(with_extension_headers(frame, first, to_buffer(headers)), Drop::ip_option);
}

// RFC 4443 section 3.4: the pointer is to the byte that names it.
TEST(Ipv6, TellsWhichNextHeaderWasNotKnown) {
  Buffer frame = tcp6_frame(data_segment(kHello));
  frame[kIpAt + 6] = std::byte{132};
  RefusedPacket what = refused(frame, Drop::ip_protocol);
  EXPECT_EQ(what.complaint, Complaint::next_header);
  EXPECT_EQ(what.protocol, 132);
  EXPECT_EQ(what.at, 6);
  what = refused(with_extension_headers(frame, kHopByHop, to_buffer({132, 0, 1, 4, 0, 0, 0, 0})),
                 Drop::ip_protocol);
  EXPECT_EQ(what.complaint, Complaint::next_header);
  EXPECT_EQ(what.at, kIpv6HeaderSize);
  // Hop-by-hop options anywhere but first (RFC 8200 section 4).
  what = refused(
      with_extension_headers(frame, kDestinationHeader, to_buffer({0, 0, 1, 4, 0, 0, 0, 0})),
      Drop::ip_protocol);
  EXPECT_EQ(what.complaint, Complaint::next_header);
  EXPECT_EQ(what.protocol, 0);
  frame[kIpAt + 6] = std::byte{59};  // none follows
  EXPECT_EQ(refused(frame, Drop::ip_protocol).complaint, Complaint::none);
}

// RFC 8200 section 4.2.
TEST(Ipv6, TellsWhichOptionWasNotKnownAndWhetherToSay) {
  for (const std::uint8_t type : {kHopByHop, kDestinationHeader}) {
    EXPECT_EQ(refused_behind(type, {6, 0, 0x45, 4, 0, 0, 0, 0}).complaint, Complaint::none);
    const RefusedPacket told = refused_behind(type, {6, 0, 0, 0, 0x85, 2, 0, 0});
    EXPECT_EQ(told.complaint, Complaint::option_of_any_kind);
    EXPECT_EQ(told.at, kIpv6HeaderSize + 4);
    EXPECT_EQ(told.protocol, 0x85);
    EXPECT_EQ(refused_behind(type, {6, 0, 0xc5, 4, 0, 0, 0, 0}).complaint, Complaint::option);
    // Malformed is not unknown.
    EXPECT_EQ(refused_behind(type, {6, 0, 0xc5, 5, 0, 0, 0, 0}).complaint, Complaint::none);
  }
}

TEST(Ipv6, ARoutingHeaderWithSegmentsLeftIsComplainedOf) {
  const RefusedPacket what = refused_behind(kRoutingHeader, {6, 0, 0, 1, 0, 0, 0, 0});
  EXPECT_EQ(what.complaint, Complaint::header_field);
  EXPECT_EQ(what.at, kIpv6HeaderSize + 2);
}

// RFC 4443 section 2.4 (e.1, e.2).
TEST(Ipv6, NothingIsSaidAboutAnErrorOrARedirect) {
  const auto complaint_about = [](std::uint8_t type) {
    return refused_behind(kDestinationHeader, {58, 0, 0x85, 4, 0, 0, 0, 0},
                          icmpv6_frame(type, 0, 0, kHello))
        .complaint;
  };
  EXPECT_EQ(complaint_about(kIcmpv6EchoRequest), Complaint::option_of_any_kind);
  EXPECT_EQ(complaint_about(kIcmpv6DestinationUnreachable), Complaint::none);
  EXPECT_EQ(complaint_about(kIcmpv6ParameterProblem), Complaint::none);
  EXPECT_EQ(complaint_about(127), Complaint::none);
  EXPECT_EQ(complaint_about(kIcmpv6Redirect), Complaint::none);
  // Nor about a fragment that is not the first, or a chain that cannot be followed.
  EXPECT_EQ(refused_behind(kDestinationHeader, {44, 0, 0x85, 4, 0, 0, 0, 0, 6, 0, 0, 8, 0, 0, 0, 0})
                .complaint,
            Complaint::none);
  EXPECT_EQ(refused_behind(kDestinationHeader, {44, 0, 0x85, 4, 0, 0, 0, 0, 6, 0, 0, 1, 0, 0, 0, 0})
                .complaint,
            Complaint::option_of_any_kind);
}

TEST(FlowLabel, IsTwentyBitsAndNeverZero) {
  for (std::uint64_t hash = 0; hash < 100'000; ++hash) {
    const std::uint32_t label = flow_label_of(hash);
    ASSERT_GT(label, 0U);
    ASSERT_LE(label, kFlowLabelMask);
  }
  EXPECT_EQ(flow_label_of(0x123456789abcdef0), flow_label_of(0x123456789abcdef0));
  EXPECT_NE(flow_label_of(0x123456789abcdef0), flow_label_of(0x123456789abcdef1));
}

}  // namespace
}  // namespace handfast::wire
