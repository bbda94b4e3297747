// ICMPv6 and Neighbour Discovery.
#include <gtest/gtest.h>

#include "tests/wire/samples_v6.hpp"

namespace handfast::wire {
namespace {

constexpr std::size_t kMessageAt = kIpv6PayloadAt;
constexpr std::size_t kOptionAt = kMessageAt + 24;

const NeighbourSolicitation kQuestion{.target = kOurs6, .source_mac = kPeerMac};
const NeighbourAdvertisement kAnswer{
    .target = kPeers6, .solicited = true, .override_cached = true, .target_mac = kPeerMac};

// Changes bytes of a frame, repairs the checksum, and says what becomes of it.
Drop drop_with(Buffer frame, std::size_t at, std::initializer_list<unsigned> values) {
  const Buffer bytes = to_buffer(values);
  std::ranges::copy(bytes, frame.begin() + static_cast<std::ptrdiff_t>(at));
  repair_icmpv6_checksum(frame);
  return parse(frame).drop;
}

Parsed parse_error6_about(const Buffer& quote, std::uint8_t type) {
  Buffer frame = icmpv6_frame(type, 1, 0, quote);
  Parsed parsed = parse(frame);
  parsed.icmp.body = {};  // the frame ends here
  return parsed;
}

Buffer quote6_with_byte(std::size_t at, unsigned value) {
  Buffer quote = quote_of_v6(tcp6_frame(data_segment({})));
  quote[at] = static_cast<std::byte>(value);
  return quote;
}

TEST(Icmpv6, EchoIsAnsweredWithItsOwnData) {
  for (const Buffer& data : {Buffer{}, bytes_of("ping, and an odd length")}) {
    Buffer request = icmpv6_frame(kIcmpv6EchoRequest, 0, 0x12340007, data);
    const Parsed asked = parse(request);
    ASSERT_EQ(asked.drop, Drop::none);
    Buffer reply(request.size());
    const LinkHeader link = make_link_header(kOurMac, kPeerMac, std::nullopt, kEtherTypeIpv6);
    ASSERT_EQ(emit_echo_reply(reply.data(), link, {.source = kOurs6, .destination = kPeers6},
                              asked.icmp, reply.size()),
              reply.size());
    const Parsed answered = parse(reply);
    ASSERT_EQ(answered.drop, Drop::none);
    EXPECT_EQ(answered.frame.kind, FrameKind::icmpv6);
    EXPECT_EQ(answered.frame.source, kOurs6);
    EXPECT_EQ(answered.icmp.type, kIcmpv6EchoReply);
    EXPECT_EQ(answered.icmp.rest, 0x12340007U);
    EXPECT_TRUE(std::ranges::equal(answered.icmp.body, data));
  }
}

TEST(Icmpv6, EchoIsCutToTheRoomThereIs) {
  const Buffer data(100, std::byte{0x5a});
  const Icmp request{.type = kIcmpv6EchoRequest, .body = data};
  const LinkHeader link = make_link_header(kOurMac, kPeerMac, std::nullopt, kEtherTypeIpv6);
  constexpr std::size_t kHeaders = kMessageAt + kIcmpHeaderSize;
  const IpFields ip{.source = kOurs6, .destination = kPeers6};
  Buffer reply(kHeaders + 9);
  EXPECT_EQ(emit_echo_reply(reply.data(), link, ip, request, reply.size()), reply.size());
  EXPECT_EQ(parse(reply).icmp.body.size(), 9U);
  EXPECT_EQ(emit_echo_reply(reply.data(), link, ip, request, kHeaders - 1), 0U);
}

// RFC 4443 section 2.4 (c).
TEST(Icmpv6, ErrorsOfOursQuoteAsMuchAsFitsTheLeastMtu) {
  const LinkHeader link = make_link_header(kOurMac, kPeerMac, std::nullopt, kEtherTypeIpv6);
  const IpFields ip{.source = kPeers6, .destination = kOurs6};
  const Buffer about(3000, std::byte{0x5a});
  Buffer frame(2000);
  frame.resize(emit_icmp_error(frame.data(), link, ip, {.type = 4, .code = 1, .rest = 40}, about,
                               frame.size()));
  frame.shrink_to_fit();
  EXPECT_EQ(frame.size(), kIpAt + kIcmpv6ErrorMax);
  const Parsed parsed = parse(frame);
  ASSERT_EQ(parsed.drop, Drop::none);
  EXPECT_EQ(parsed.icmp.type, kIcmpv6ParameterProblem);
  EXPECT_EQ(parsed.icmp.code, 1);
  EXPECT_EQ(parsed.icmp.rest, 40U);
  EXPECT_TRUE(std::ranges::equal(parsed.icmp.body, base::Bytes{about}.first(1280 - 48)));
  Buffer small(kMessageAt + kIcmpHeaderSize + 5);
  EXPECT_EQ(emit_icmp_error(small.data(), link, ip, {.type = 1}, about, small.size()),
            small.size());
  EXPECT_EQ(emit_icmp_error(small.data(), link, ip, {.type = 1}, about, kMessageAt), 0U);
}

TEST(Icmpv6, ItsChecksumIsMandatoryAndCoversTheAddresses) {
  Buffer frame = icmpv6_frame(kIcmpv6EchoRequest, 0, 1, bytes_of("abc"));
  frame.back() ^= std::byte{0x80};
  EXPECT_EQ(parse(frame).drop, Drop::icmp_malformed);
  EXPECT_EQ(parse(frame, {}, base::kL4ChecksumGood).drop, Drop::icmp_malformed);
  frame = icmpv6_frame(kIcmpv6EchoRequest, 0, 1, {});
  frame[kIpAt + 23] = std::byte{0x77};
  EXPECT_EQ(parse(frame).drop, Drop::icmp_malformed);
  frame = icmpv6_frame(kIcmpv6EchoRequest, 0, 1, {});
  frame.pop_back();
  base::store_be16(&frame[kIpAt + 4], 7);
  EXPECT_EQ(parse(frame).drop, Drop::icmp_malformed);
}

TEST(Icmpv6, ErrorsQuoteTheSegmentTheyAreAbout) {
  const Buffer quote = quote_of_v6(tcp6_frame(data_segment({})));
  for (const auto type : std::to_array<std::uint8_t>({1, 2, 3, 4})) {
    const Parsed parsed = parse_error6_about(quote, type);
    ASSERT_EQ(parsed.drop, Drop::none);
    ASSERT_TRUE(parsed.quoted.has_value()) << +type;
    EXPECT_EQ(parsed.quoted->source, kPeers6);
    EXPECT_EQ(parsed.quoted->destination, kOurs6);
    EXPECT_EQ(parsed.quoted->source_port, kPorts.source);
    EXPECT_EQ(parsed.quoted->destination_port, kPorts.destination);
    EXPECT_EQ(parsed.quoted->seq, base::Seq{0x12345678});
  }
  for (const auto type : std::to_array<std::uint8_t>({0, 5, 100, 127, 128, 129})) {
    EXPECT_FALSE(parse_error6_about(quote, type).quoted.has_value()) << +type;
  }
}

TEST(Icmpv6, MalformedQuotesAreNoQuotes) {
  const auto is_quote = [](const Buffer& quote) {
    return parse_error6_about(quote, kIcmpv6TimeExceeded).quoted.has_value();
  };
  EXPECT_TRUE(is_quote(quote6_with_byte(7, 1)));  // the hop limit it died with
  EXPECT_FALSE(is_quote({}));
  EXPECT_FALSE(is_quote(quote_of_v6(tcp6_frame(data_segment({})), 7)));
  EXPECT_FALSE(is_quote(quote6_with_byte(0, 0x45)));
  EXPECT_FALSE(is_quote(quote6_with_byte(5, 7)));   // payload length
  EXPECT_FALSE(is_quote(quote6_with_byte(6, 17)));  // UDP
  EXPECT_FALSE(is_quote(quote6_with_byte(6, 44)));  // a fragment: we send none
}

// Or an ICMPv6 message would reach a connection over IPv4, which is what mapped addresses mean
// here.
TEST(Icmpv6, QuotesOfMappedAddressesAreNoQuotes) {
  constexpr std::size_t kSourceAt = 8;
  constexpr std::size_t kDestinationAt = 24;
  const Address mapped = Address::v4(0xc6120001);
  for (const std::size_t at : {kSourceAt, kDestinationAt}) {
    Buffer quote = quote_of_v6(tcp6_frame(data_segment({})));
    std::memcpy(&quote[at], mapped.bytes().data(), sizeof mapped);
    EXPECT_FALSE(parse_error6_about(quote, kIcmpv6PacketTooBig).quoted.has_value()) << at;
  }
}

TEST(Discovery, AddressesAreMadeAsTheRfcsSay) {
  const Address address = Address::parse("2001:db8::1234:5678:9abc:def0").value();
  EXPECT_EQ(solicited_node(address).to_string(), "ff02::1:ffbc:def0");
  EXPECT_TRUE(is_solicited_node(solicited_node(address)));
  EXPECT_FALSE(is_solicited_node(kAllNodes));
  EXPECT_FALSE(is_solicited_node(address));
  EXPECT_EQ(multicast_mac(solicited_node(address)),
            (MacAddress{0x33, 0x33, 0xff, 0xbc, 0xde, 0xf0}));
  // RFC 4291 appendix A: 34-56-78-9A-BC-DE.
  EXPECT_EQ(link_local_address({0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde}).to_string(),
            "fe80::3656:78ff:fe9a:bcde");
}

TEST(Discovery, SolicitationsMakeTheRoundTrip) {
  for (const auto& message :
       {kQuestion, NeighbourSolicitation{.target = kOurs6, .source_mac = std::nullopt}}) {
    Buffer frame = solicitation_frame(message);
    const Parsed parsed = parse(frame);
    ASSERT_EQ(parsed.drop, Drop::none) << to_string(parsed.drop);
    EXPECT_EQ(parsed.frame.hop_limit, 255);
    EXPECT_EQ(parsed.solicitation, message);
  }
}

TEST(Discovery, AdvertisementsMakeTheRoundTrip) {
  for (unsigned bits = 0; bits < 16; ++bits) {
    NeighbourAdvertisement message{.target = kPeers6,
                                   .is_router = (bits & 1) != 0,
                                   .solicited = (bits & 2) != 0,
                                   .override_cached = (bits & 4) != 0};
    if ((bits & 8) != 0) message.target_mac = kPeerMac;
    Buffer frame = advertisement_frame(message);
    const Parsed parsed = parse(frame);
    ASSERT_EQ(parsed.drop, Drop::none) << to_string(parsed.drop);
    EXPECT_EQ(parsed.advertisement, message) << bits;
  }
}

TEST(Discovery, IsWrittenAsRfc4861DrawsIt) {
  const Buffer frame = advertisement_frame(kAnswer);
  ASSERT_EQ(frame.size(), kMessageAt + 32);
  Buffer want = to_buffer({136, 0, 0, 0, 0x60, 0, 0, 0, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0,
                           0,   0, 0, 0, 0,    0, 0, 2, 2,    1, 2,    0,    0, 0, 0, 2});
  std::copy_n(frame.begin() + kMessageAt + 2, 2, want.begin() + 2);  // the checksum
  EXPECT_EQ(Buffer(frame.begin() + kMessageAt, frame.end()), want);
}

TEST(Discovery, WhatHasPassedARouterIsRefused) {
  for (const unsigned hop_limit : {254U, 64U, 0U}) {
    EXPECT_EQ(drop_with(solicitation_frame(kQuestion), kIpAt + 7, {hop_limit}),
              Drop::discovery_malformed);
    EXPECT_EQ(drop_with(advertisement_frame(kAnswer), kIpAt + 7, {hop_limit}),
              Drop::discovery_malformed);
  }
}

TEST(Discovery, RefusesImpossibleCodesTargetsAndOptions) {
  for (const Buffer& frame : {solicitation_frame(kQuestion), advertisement_frame(kAnswer)}) {
    EXPECT_EQ(drop_with(frame, kMessageAt + 1, {1}), Drop::discovery_malformed);
    EXPECT_EQ(drop_with(frame, kMessageAt + 8, {0xff}), Drop::discovery_malformed);
    EXPECT_EQ(drop_with(frame, kOptionAt + 1, {0}), Drop::discovery_malformed);  // no length
    EXPECT_EQ(drop_with(frame, kOptionAt + 1, {2}), Drop::discovery_malformed);  // past the end
    EXPECT_EQ(drop_with(frame, kOptionAt + 2, {1}), Drop::discovery_malformed);  // a group's MAC
    Buffer cut = frame;
    cut.resize(kOptionAt - 1);
    base::store_be16(&cut[kIpAt + 4], 23);
    EXPECT_EQ(drop_with(cut, kMessageAt + 1, {0}), Drop::discovery_malformed);
  }
}

TEST(Discovery, UnknownOptionsAreSteppedOver) {
  Buffer frame = solicitation_frame(kQuestion);
  const Buffer nonce = to_buffer({14, 1, 1, 2, 3, 4, 5, 6});
  frame.insert(frame.begin() + kOptionAt, nonce.begin(), nonce.end());
  base::store_be16(&frame[kIpAt + 4], 40);
  frame.shrink_to_fit();
  repair_icmpv6_checksum(frame);
  const Parsed parsed = parse(frame);
  ASSERT_EQ(parsed.drop, Drop::none);
  EXPECT_EQ(parsed.solicitation, kQuestion);
}

// RFC 4861 section 7.1.1.
TEST(Discovery, AProbeForDuplicatesGoesToTheGroupAndTellsNoLinkAddress) {
  const NeighbourSolicitation probe{.target = kOurs6, .source_mac = std::nullopt};
  Buffer good = solicitation_frame(probe, Address{});
  EXPECT_EQ(parse(good).drop, Drop::none);
  Buffer direct = solicitation_frame(probe, Address{}, kOurs6);
  EXPECT_EQ(parse(direct).drop, Drop::discovery_malformed);
  Buffer telling = solicitation_frame(kQuestion, Address{});
  EXPECT_EQ(parse(telling).drop, Drop::discovery_malformed);
}

// RFC 4861 section 7.1.2.
TEST(Discovery, AnAnswerToManyWasNotAskedFor) {
  Buffer asked = advertisement_frame(kAnswer, kPeers6, kAllNodes);
  EXPECT_EQ(parse(asked).drop, Drop::discovery_malformed);
  NeighbourAdvertisement unasked = kAnswer;
  unasked.solicited = false;
  Buffer frame = advertisement_frame(unasked, kPeers6, kAllNodes);
  EXPECT_EQ(parse(frame).drop, Drop::none);
}

}  // namespace
}  // namespace handfast::wire
