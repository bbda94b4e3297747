#include <gtest/gtest.h>

#include "tests/wire/samples.hpp"
#include "wire/arp.hpp"
#include "wire/icmp.hpp"

namespace handfast::wire {
namespace {

constexpr std::size_t kArpAt = kEthernetHeaderSize;

Drop drop_with_arp_bytes(std::size_t at, std::initializer_list<unsigned> values) {
  Buffer frame = arp_frame(arp_request());
  const Buffer bytes = to_buffer(values);
  std::ranges::copy(bytes, frame.begin() + static_cast<std::ptrdiff_t>(kArpAt + at));
  return parse(frame).drop;
}

// A Destination Unreachable that quotes `quote`.
Parsed parse_error_about(const Buffer& quote, std::uint8_t type = kIcmpDestinationUnreachable) {
  Buffer frame = icmp_frame(type, 1, 0, quote);
  Parsed parsed = parse(frame);
  parsed.icmp.body = {};  // the frame ends here
  return parsed;
}

Buffer quote_with_byte(std::size_t at, unsigned value) {
  Buffer quote = quote_of(tcp_frame(data_segment({})));
  quote[at] = static_cast<std::byte>(value);
  return quote;
}

TEST(Arp, MakesTheRoundTrip) {
  const Arp reply{.operation = Arp::Operation::reply,
                  .sender_mac = kPeerMac,
                  .sender_ip = kPeers,
                  .target_mac = kOurMac,
                  .target_ip = kOurs};
  for (const Arp& arp : {arp_request(), reply}) {
    Buffer frame = arp_frame(arp);
    const Parsed parsed = parse(frame);
    ASSERT_EQ(parsed.drop, Drop::none);
    EXPECT_EQ(parsed.frame.kind, FrameKind::arp);
    EXPECT_TRUE(parsed.frame.link_broadcast);
    EXPECT_EQ(parsed.frame.source_mac, kPeerMac);
    EXPECT_EQ(parsed.arp, arp);
  }
}

TEST(Arp, IsWrittenAsRfc826DrawsIt) {
  Buffer want = to_buffer({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0,   2,  8, 6,
                           0,    1,    8,    0,    6,    4,    0, 1, 2, 0, 0,   0,  0, 2,
                           198,  18,   0,    2,    0,    0,    0, 0, 0, 0, 198, 18, 0, 1});
  want.resize(kEthernetFrameMin);
  EXPECT_EQ(arp_frame(arp_request()), want);
}

TEST(Arp, IsPaddedBehindATagToo) {
  Buffer frame(kEthernetFrameMin, std::byte{0xee});
  EXPECT_EQ(emit_arp(frame.data(), link_from_peer(kEtherTypeArp, 9), arp_request()), 60U);
  EXPECT_EQ(parse(frame, 9).arp, arp_request());
  for (std::size_t i = 18 + kArpSize; i < frame.size(); ++i) EXPECT_EQ(frame[i], std::byte{0});
}

TEST(Arp, ShorterThanItsBodyIsTooShort) {
  Buffer frame = arp_frame(arp_request());
  frame.resize(kArpAt + kArpSize - 1);
  EXPECT_EQ(parse(frame).drop, Drop::too_short);
  frame = arp_frame(arp_request());
  frame.resize(kArpAt + kArpSize);
  EXPECT_EQ(parse(frame).drop, Drop::none);
}

TEST(Arp, RefusesOtherTypesLengthsAndOperations) {
  EXPECT_EQ(drop_with_arp_bytes(0, {0, 6}), Drop::arp_malformed);
  EXPECT_EQ(drop_with_arp_bytes(2, {0x86, 0xdd}), Drop::arp_malformed);
  EXPECT_EQ(drop_with_arp_bytes(4, {8}), Drop::arp_malformed);
  EXPECT_EQ(drop_with_arp_bytes(5, {16}), Drop::arp_malformed);
  EXPECT_EQ(drop_with_arp_bytes(6, {0, 0}), Drop::arp_malformed);
  EXPECT_EQ(drop_with_arp_bytes(6, {0, 3}), Drop::arp_malformed);
  EXPECT_EQ(drop_with_arp_bytes(6, {1, 1}), Drop::arp_malformed);
}

TEST(Arp, RefusesImpossibleSenders) {
  EXPECT_EQ(drop_with_arp_bytes(8, {0x01}), Drop::arp_malformed);
  EXPECT_EQ(drop_with_arp_bytes(8, {255, 255, 255, 255, 255, 255}), Drop::arp_malformed);
  EXPECT_EQ(drop_with_arp_bytes(14, {224, 0, 0, 1}), Drop::arp_malformed);
  EXPECT_EQ(drop_with_arp_bytes(14, {127, 0, 0, 1}), Drop::arp_malformed);
  EXPECT_EQ(drop_with_arp_bytes(14, {255, 255, 255, 255}), Drop::arp_malformed);
  EXPECT_EQ(drop_with_arp_bytes(14, {0, 0, 0, 0}), Drop::none);  // a probe (RFC 5227)
}

TEST(Icmp, EchoIsAnsweredWithItsOwnData) {
  const Buffer data = bytes_of("ping, and an odd length");
  Buffer request = icmp_frame(kIcmpEchoRequest, 0, 0x12340007, data);
  const Parsed asked = parse(request);
  ASSERT_EQ(asked.drop, Drop::none);
  EXPECT_EQ(asked.icmp.type, kIcmpEchoRequest);
  EXPECT_EQ(asked.icmp.rest, 0x12340007U);
  EXPECT_FALSE(asked.quoted.has_value());

  Buffer reply(request.size());
  const LinkHeader link = make_link_header(kOurMac, kPeerMac, std::nullopt, kEtherTypeIpv4);
  ASSERT_EQ(emit_echo_reply(reply.data(), link, {.source = kOurs, .destination = kPeers},
                            asked.icmp, reply.size()),
            reply.size());
  const Parsed answered = parse(reply);
  ASSERT_EQ(answered.drop, Drop::none);
  EXPECT_EQ(answered.frame.source, kOurs);
  EXPECT_EQ(answered.frame.destination, kPeers);
  EXPECT_EQ(answered.icmp.type, kIcmpEchoReply);
  EXPECT_EQ(answered.icmp.code, 0);
  EXPECT_EQ(answered.icmp.rest, 0x12340007U);
  EXPECT_TRUE(std::ranges::equal(answered.icmp.body, data));
}

TEST(Icmp, EchoIsCutToTheRoomThereIs) {
  const Buffer data(100, std::byte{0x5a});
  const Icmp request{.type = kIcmpEchoRequest, .body = data};
  const LinkHeader link = make_link_header(kOurMac, kPeerMac, std::nullopt, kEtherTypeIpv4);
  constexpr std::size_t kHeaders = kTcpAt + kIcmpHeaderSize;
  for (const std::size_t room : {kHeaders, kHeaders + 1, kHeaders + 99}) {
    Buffer reply(room);
    EXPECT_EQ(emit_echo_reply(reply.data(), link, {.source = kOurs, .destination = kPeers}, request,
                              room),
              room);
    const Parsed parsed = parse(reply);
    EXPECT_EQ(parsed.drop, Drop::none);
    EXPECT_EQ(parsed.icmp.body.size(), room - kHeaders);
  }
  Buffer small(kHeaders - 1);
  EXPECT_EQ(emit_echo_reply(small.data(), link, {}, request, small.size()), 0U);
}

TEST(Icmp, RefusesShortMessagesAndBadChecksums) {
  Buffer frame = icmp_frame(kIcmpEchoRequest, 0, 1, bytes_of("abc"));
  frame.back() ^= std::byte{0x80};
  EXPECT_EQ(parse(frame).drop, Drop::icmp_malformed);
  frame = icmp_frame(kIcmpEchoRequest, 0, 1, {});
  frame.pop_back();
  base::store_be16(&frame[kIpAt + 2], static_cast<std::uint16_t>(frame.size() - kIpAt));
  repair_ip_checksum(frame);
  EXPECT_EQ(parse(frame).drop, Drop::icmp_malformed);
}

TEST(Icmp, ErrorsQuoteTheSegmentTheyAreAbout) {
  const Buffer quote = quote_of(tcp_frame(data_segment({})));
  for (const std::uint8_t type :
       {kIcmpDestinationUnreachable, kIcmpSourceQuench, kIcmpTimeExceeded, kIcmpParameterProblem}) {
    const Parsed parsed = parse_error_about(quote, type);
    ASSERT_EQ(parsed.drop, Drop::none);
    EXPECT_EQ(parsed.icmp.code, 1);
    ASSERT_TRUE(parsed.quoted.has_value()) << +type;
    EXPECT_EQ(parsed.quoted->source, kPeers);
    EXPECT_EQ(parsed.quoted->destination, kOurs);
    EXPECT_EQ(parsed.quoted->source_port, kPorts.source);
    EXPECT_EQ(parsed.quoted->destination_port, kPorts.destination);
    EXPECT_EQ(parsed.quoted->seq, base::Seq{0x12345678});
  }
}

TEST(Icmp, OtherMessagesQuoteNothing) {
  const Buffer quote = quote_of(tcp_frame(data_segment({})));
  for (const auto type : std::to_array<std::uint8_t>({0, 5, 8, 13, 255})) {
    EXPECT_FALSE(parse_error_about(quote, type).quoted.has_value()) << +type;
  }
}

TEST(Icmp, MalformedQuotesAreNoQuotes) {
  EXPECT_FALSE(parse_error_about({}).quoted.has_value());
  EXPECT_FALSE(parse_error_about(quote_of(tcp_frame(data_segment({})), 7)).quoted.has_value());
  EXPECT_FALSE(parse_error_about(quote_with_byte(0, 0x65)).quoted.has_value());  // version
  EXPECT_FALSE(parse_error_about(quote_with_byte(0, 0x44)).quoted.has_value());  // header length
  EXPECT_FALSE(parse_error_about(quote_with_byte(0, 0x46)).quoted.has_value());  // 8 bytes are left
  EXPECT_FALSE(parse_error_about(quote_with_byte(3, 27)).quoted.has_value());    // total length
  EXPECT_FALSE(parse_error_about(quote_with_byte(7, 1)).quoted.has_value());     // fragment
  EXPECT_FALSE(parse_error_about(quote_with_byte(9, 17)).quoted.has_value());    // UDP
}

TEST(Icmp, QuotedOptionsAreSteppedOver) {
  Buffer quote = quote_of(tcp_frame(data_segment({})));
  quote[0] = std::byte{0x46};
  quote.insert(quote.begin() + kIpv4HeaderSize, 4, std::byte{1});
  const Parsed parsed = parse_error_about(quote);
  ASSERT_TRUE(parsed.quoted.has_value());
  EXPECT_EQ(parsed.quoted->source_port, kPorts.source);
}

// RFC 1812 section 4.3.2.3.
TEST(Icmp, ErrorsOfOursQuoteAsMuchAsFits576Bytes) {
  const LinkHeader link = make_link_header(kOurMac, kPeerMac, std::nullopt, kEtherTypeIpv4);
  const IpFields ip{.source = kPeers, .destination = kOurs};
  const Buffer about(1480, std::byte{0x5a});
  Buffer frame(1500);
  frame.resize(emit_icmp_error(frame.data(), link, ip, {.type = 3, .code = 2}, about, 1500));
  frame.shrink_to_fit();
  EXPECT_EQ(frame.size(), kIpAt + kIcmpErrorMax);
  const Parsed parsed = parse(frame);
  ASSERT_EQ(parsed.drop, Drop::none);
  EXPECT_EQ(parsed.icmp.type, kIcmpDestinationUnreachable);
  EXPECT_EQ(parsed.icmp.code, 2);
  EXPECT_EQ(parsed.icmp.body.size(), 576U - 28);
}

TEST(Icmp, AProtocolThatIsNotSpokenIsToldOf) {
  Buffer frame = tcp_frame(data_segment({}));
  frame[kIpAt + 9] = std::byte{132};
  repair_ip_checksum(frame);
  const Parsed parsed = parse(frame);
  EXPECT_EQ(parsed.drop, Drop::ip_protocol);
  EXPECT_EQ(parsed.frame.refused.complaint, Complaint::protocol);
  EXPECT_EQ(parsed.frame.refused.protocol, 132);
  EXPECT_EQ(parsed.frame.refused.begin, &frame[kIpAt]);
  EXPECT_EQ(parsed.frame.refused.length, frame.size() - kIpAt);
  EXPECT_EQ(parsed.frame.source, kPeers);
  EXPECT_EQ(parsed.frame.destination, kOurs);
}

}  // namespace
}  // namespace handfast::wire
