#include "wire/tcp.hpp"

#include <gtest/gtest.h>

#include "tests/wire/samples.hpp"

namespace handfast::wire {
namespace {

using base::Segment;
using base::Seq;
using base::TcpOptions;

// Captured layouts of Linux, their checksums computed by an independent program.
const Buffer kLinuxSyn = to_buffer(
    {0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x02, 0x08, 0x00, 0x45,
     0x00, 0x00, 0x3c, 0x1c, 0x46, 0x40, 0x00, 0x40, 0x06, 0x92, 0x4e, 0xc6, 0x12, 0x00, 0x02,
     0xc6, 0x12, 0x00, 0x01, 0x9c, 0x40, 0x00, 0x50, 0x12, 0x34, 0x56, 0x78, 0x00, 0x00, 0x00,
     0x00, 0xa0, 0x02, 0xfa, 0xf0, 0x59, 0xa0, 0x00, 0x00, 0x02, 0x04, 0x05, 0xb4, 0x04, 0x02,
     0x08, 0x0a, 0x00, 0xbc, 0x61, 0x4e, 0x00, 0x00, 0x00, 0x00, 0x01, 0x03, 0x03, 0x07});
const Buffer kLinuxData = to_buffer(
    {0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x02, 0x08, 0x00, 0x45,
     0x02, 0x00, 0x39, 0x1c, 0x47, 0x40, 0x00, 0x40, 0x06, 0x92, 0x4e, 0xc6, 0x12, 0x00, 0x02,
     0xc6, 0x12, 0x00, 0x01, 0x9c, 0x40, 0x00, 0x50, 0x12, 0x34, 0x56, 0x79, 0x9a, 0xbc, 0xde,
     0xf0, 0x80, 0x18, 0x01, 0xf6, 0x20, 0x3a, 0x00, 0x00, 0x01, 0x01, 0x08, 0x0a, 0x00, 0xbc,
     0x61, 0x4f, 0x3a, 0xde, 0x68, 0xb1, 0x68, 0x65, 0x6c, 0x6c, 0x6f});

void expect_same_options(const TcpOptions& got, const TcpOptions& want) {
  ASSERT_EQ(got.present, want.present);
  if (want.has(TcpOptions::kMss)) {
    EXPECT_EQ(got.mss, want.mss);
  }
  if (want.has(TcpOptions::kWindowScale)) {
    EXPECT_EQ(got.window_scale, want.window_scale);
  }
  if (want.has(TcpOptions::kTimestamps)) {
    EXPECT_EQ(got.ts_value, want.ts_value);
    EXPECT_EQ(got.ts_echo, want.ts_echo);
  }
  if (want.has(TcpOptions::kFastOpen)) {
    ASSERT_EQ(got.cookie_length, want.cookie_length);
    EXPECT_TRUE(std::equal(got.cookie.begin(), got.cookie.begin() + got.cookie_length,
                           want.cookie.begin()));
  }
  ASSERT_EQ(got.sack_count, want.sack_count);
  for (std::size_t i = 0; i < want.sack_count; ++i) EXPECT_EQ(got.sack[i], want.sack[i]);
}

void expect_same(const Segment& got, const Segment& want) {
  EXPECT_EQ(got.seq, want.seq);
  EXPECT_EQ(got.ack, want.ack);
  EXPECT_EQ(got.window, want.window);
  EXPECT_EQ(got.urgent, want.urgent);
  EXPECT_EQ(got.flags, want.flags);
  expect_same_options(got.options, want.options);
  EXPECT_TRUE(std::ranges::equal(got.payload, want.payload));
}

void expect_round_trip(const Segment& segment, std::optional<std::uint16_t> vlan = std::nullopt) {
  Buffer bytes = tcp_frame(segment, vlan);
  const Parsed parsed = parse(bytes, vlan);
  ASSERT_EQ(parsed.drop, Drop::none) << to_string(parsed.drop);
  EXPECT_EQ(parsed.ports, kPorts);
  EXPECT_EQ(parsed.frame.tos, 2);
  expect_same(parsed.segment, segment);
}

// Parses a segment whose options are `options` (a multiple of 4 bytes).
Parsed parse_with_options(const Buffer& options, std::uint8_t flags) {
  Segment segment = data_segment(kHello);
  segment.flags = flags;
  Buffer frame = tcp_frame(segment);
  frame.insert(frame.begin() + static_cast<std::ptrdiff_t>(kTcpAt + kTcpHeaderSize),
               options.begin(), options.end());
  frame[kTcpAt + 12] = static_cast<std::byte>((kTcpHeaderSize + options.size()) << 2);
  base::store_be16(&frame[kIpAt + 2], static_cast<std::uint16_t>(frame.size() - kIpAt));
  repair_ip_checksum(frame);
  repair_tcp_checksum(frame);
  frame.shrink_to_fit();
  Parsed parsed = parse(frame);
  EXPECT_EQ(parsed.drop, Drop::none) << to_string(parsed.drop);
  EXPECT_EQ(parsed.segment.payload.size(), kHello.size());
  parsed.segment.payload = {};  // the frame ends here
  return parsed;
}

Drop drop_after(std::size_t tcp_offset, std::initializer_list<unsigned> values) {
  Buffer frame = tcp_frame(data_segment(kHello));
  const Buffer bytes = to_buffer(values);
  std::ranges::copy(bytes, frame.begin() + static_cast<std::ptrdiff_t>(kTcpAt + tcp_offset));
  repair_tcp_checksum(frame);
  return parse(frame).drop;
}

TEST(Tcp, ReadsASynOfLinux) {
  Buffer bytes = kLinuxSyn;
  const Parsed parsed = parse(bytes);
  ASSERT_EQ(parsed.drop, Drop::none);
  Segment want = syn_segment();
  want.seq = Seq{0x12345678};
  expect_same(parsed.segment, want);
}

TEST(Tcp, ReadsADataSegmentOfLinux) {
  Buffer bytes = kLinuxData;
  const Parsed parsed = parse(bytes);
  ASSERT_EQ(parsed.drop, Drop::none);
  Segment want = data_segment(kHello);
  want.seq = Seq{0x12345679};
  want.options.present = TcpOptions::kTimestamps;
  want.options.ts_value = 0x00bc614f;
  want.options.ts_echo = 0x3ade68b1;
  expect_same(parsed.segment, want);
}

TEST(Tcp, WritesWhatLinuxWrites) {
  const LinkHeader link = link_from_peer(kEtherTypeIpv4);
  for (Buffer wanted : {kLinuxSyn, kLinuxData}) {
    // But for the identification, of which we make no use.
    base::store_be16(&wanted[kIpAt + 4], 0);
    repair_ip_checksum(wanted);
    Buffer bytes = wanted;
    const Parsed parsed = parse(bytes);
    base::Packet packet;
    const Buffer written = emit_to_buffer(
        {.link = link,
         .ip = {.source = kPeers, .destination = kOurs, .traffic_class = parsed.frame.tos},
         .ports = parsed.ports,
         .segment = parsed.segment},
        packet);
    EXPECT_EQ(written, wanted);
    EXPECT_EQ(packet.length, wanted.size());
    EXPECT_EQ(packet.flags, 0);
  }
}

TEST(Tcp, EverySetOfOptionsMakesTheRoundTrip) {
  for (std::uint8_t present = 0; present < 16; ++present) {
    for (std::uint8_t sacks = 0; sacks <= 2; ++sacks) {
      Segment segment = syn_segment();
      segment.options.present = present;
      segment.options.ts_echo = 99;
      segment.options.sack_count = sacks;
      for (std::uint32_t i = 0; i < sacks; ++i) {
        segment.options.sack[i] = {.left = Seq{0xfffffff0 + i}, .right = Seq{100 + i}};
      }
      SCOPED_TRACE(testing::Message() << "present " << +present << ", sacks " << +sacks);
      expect_round_trip(segment);
      EXPECT_EQ(tcp_header_length(segment.options) % 4, 0U);
    }
  }
}

// RFC 7413 section 4.1.1; with all of a SYN's other options the longest fills the header.
TEST(Tcp, EveryFastOpenCookieMakesTheRoundTrip) {
  for (const std::uint8_t length : std::to_array<std::uint8_t>({0, 4, 6, 8, 10, 12, 14, 16})) {
    SCOPED_TRACE(+length);
    Segment segment = syn_segment();
    segment.options.present |= TcpOptions::kFastOpen;
    segment.options.cookie_length = length;
    for (std::uint8_t i = 0; i < length; ++i) segment.options.cookie[i] = 0xc0 + i;
    EXPECT_EQ(tcp_header_length(segment.options) % 4, 0U);
    EXPECT_LE(tcp_header_length(segment.options), 60U);
    expect_round_trip(segment);
  }
}

TEST(Tcp, EveryPayloadLengthMakesTheRoundTrip) {
  Buffer payload(1460);
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<std::byte>(i * 7);
  for (std::size_t length = 0; length <= payload.size(); length += length < 80 ? 1 : 69) {
    SCOPED_TRACE(length);
    expect_round_trip(data_segment(base::Bytes{payload}.first(length)));
  }
}

TEST(Tcp, EveryPossibleSetOfFlagsMakesTheRoundTrip) {
  for (unsigned flags = 1; flags < 256; ++flags) {
    if ((flags & base::kSyn) != 0 && (flags & (base::kFin | base::kRst)) != 0) continue;
    Segment segment = data_segment(kHello);
    segment.flags = static_cast<std::uint8_t>(flags);
    segment.urgent = 3;
    SCOPED_TRACE(flags);
    expect_round_trip(segment);
  }
}

TEST(Tcp, TaggedFramesMakeTheRoundTrip) {
  expect_round_trip(sack_segment(), 4094);
}

TEST(Tcp, WritesAsManySackBlocksAsFit) {
  Segment segment = sack_segment();
  segment.options.sack_count = 4;
  segment.options.sack[3] = {.left = Seq{1}, .right = Seq{2}};
  Buffer with_timestamps = tcp_frame(segment);
  EXPECT_EQ(tcp_header_length(segment.options), 60U);
  EXPECT_EQ(parse(with_timestamps).segment.options.sack_count, 3);
  segment.options.present = 0;
  Buffer alone = tcp_frame(segment);
  EXPECT_EQ(tcp_header_length(segment.options), 56U);
  EXPECT_EQ(parse(alone).segment.options.sack_count, 4);
}

TEST(Tcp, OffloadLeavesThePseudoHeadersSum) {
  const LinkHeader link = link_from_peer(kEtherTypeIpv4, 5);
  const Segment segment = [] {
    Segment s = sack_segment();
    s.payload = kHello;
    return s;
  }();
  base::Packet packet;
  Buffer frame = emit_to_buffer({.link = link,
                                 .ip = {.source = kPeers, .destination = kOurs},
                                 .ports = kPorts,
                                 .segment = segment,
                                 .offload_ip_checksum = true,
                                 .offload_tcp_checksum = true},
                                packet);
  EXPECT_EQ(packet.flags, base::kOffloadIpChecksum | base::kOffloadL4Checksum);
  EXPECT_EQ(base::load_be16(&frame[18 + 10]), 0);

  // What a device does: sums the segment with the field as it is, and stores the complement.
  const base::Bytes tcp = base::Bytes{frame}.subspan(18 + kIpv4HeaderSize);
  store_checksum(&frame[18 + kIpv4HeaderSize + 16], fold(sum(tcp)));
  const Parsed parsed = parse(frame, 5, base::kIpChecksumGood);
  ASSERT_EQ(parsed.drop, Drop::none);
  expect_same(parsed.segment, segment);
}

// Headers written in front of text that lies in place make the same frame as a copy does.
TEST(Tcp, HeadersAloneAreThoseOfTheWholeFrame) {
  for (const Buffer& text : {Buffer{}, kHello, Buffer(1001, std::byte{0x7e})}) {
    const LinkHeader link = link_from_peer(kEtherTypeIpv4, 5);
    Segment segment = sack_segment();
    segment.payload = text;
    TcpEmit emit{.link = link,
                 .ip = {.source = kPeers, .destination = kOurs},
                 .ports = kPorts,
                 .segment = segment};
    base::Packet packet;
    const Buffer whole = emit_to_buffer(emit, packet);
    Segment headers_only = segment;
    headers_only.payload = {};
    Buffer headers(headers_length(emit));
    emit_headers(headers.data(),
                 {.link = link, .ip = emit.ip, .ports = kPorts, .segment = headers_only},
                 static_cast<std::uint32_t>(text.size()), sum(text));
    EXPECT_TRUE(std::ranges::equal(headers, base::Bytes{whole}.first(headers.size())));
  }
}

// rte_ipv4_phdr_cksum of a packet to be cut: no length, because each segment has its own.
TEST(Tcp, TheSumForADeviceThatCutsHasNoLength) {
  const LinkHeader link = link_from_peer(kEtherTypeIpv4);
  const Segment segment = data_segment({});
  Buffer headers(kTcpAt + kTcpHeaderSize);
  emit_headers(headers.data(),
               {.link = link,
                .ip = {.source = kPeers, .destination = kOurs},
                .ports = kPorts,
                .segment = segment,
                .segment_size = 1448,
                .offload_ip_checksum = true,
                .offload_tcp_checksum = true},
               60'000, 0);
  EXPECT_EQ(base::load_be16(&headers[kIpAt + 2]), 60'040);
  const Buffer pseudo = to_buffer({198, 18, 0, 2, 198, 18, 0, 1, 0, 6, 0, 0});
  Buffer field = {headers[kTcpAt + 16], headers[kTcpAt + 17]};
  EXPECT_EQ(load_native<std::uint16_t>(field.data()),
            static_cast<std::uint16_t>(~fold(sum(pseudo))));
}

TEST(Tcp, OffloadsAreAskedForOneByOne) {
  const LinkHeader link = link_from_peer(kEtherTypeIpv4);
  const Segment segment = data_segment(kHello);
  base::Packet packet;
  const TcpEmit emit{.link = link,
                     .ip = {.source = kPeers, .destination = kOurs},
                     .ports = kPorts,
                     .segment = segment,
                     .offload_ip_checksum = true};
  Buffer frame = emit_to_buffer(emit, packet);
  EXPECT_EQ(packet.flags, base::kOffloadIpChecksum);
  EXPECT_EQ(parse(frame).drop, Drop::ip_checksum);
  EXPECT_EQ(parse(frame, {}, base::kIpChecksumGood).drop, Drop::none);
}

TEST(Tcp, ShorterThanItsHeaderIsTooShort) {
  Buffer frame = tcp_frame(data_segment({}));
  frame.pop_back();
  base::store_be16(&frame[kIpAt + 2], static_cast<std::uint16_t>(frame.size() - kIpAt));
  repair_ip_checksum(frame);
  EXPECT_EQ(parse(frame).drop, Drop::too_short);
}

TEST(Tcp, RefusesImpossibleDataOffsets) {
  for (const unsigned offset : {0U, 1U, 4U, 7U, 15U}) {  // in words; the segment has 25 bytes
    EXPECT_EQ(drop_after(12, {offset << 4}), Drop::tcp_header) << offset;
  }
}

TEST(Tcp, VerifiesItsChecksumUnlessTheDeviceDid) {
  Buffer bytes = tcp_frame(data_segment(kHello));
  EXPECT_EQ(parse(bytes, {}, base::kL4ChecksumBad).drop, Drop::tcp_checksum);
  bytes.back() ^= std::byte{1};
  EXPECT_EQ(parse(bytes).drop, Drop::tcp_checksum);
  EXPECT_EQ(parse(bytes, {}, base::kL4ChecksumGood).drop, Drop::none);
}

TEST(Tcp, ZeroIsNotTheAbsenceOfAChecksum) {
  Buffer bytes = tcp_frame(data_segment(kHello));
  base::store_be16(&bytes[kTcpAt + 16], 0);
  EXPECT_EQ(parse(bytes).drop, Drop::tcp_checksum);
}

TEST(Tcp, ChecksumCoversTheAddresses) {
  Buffer bytes = tcp_frame(data_segment(kHello));
  bytes[kIpAt + 19] = std::byte{9};
  repair_ip_checksum(bytes);
  EXPECT_EQ(parse(bytes).drop, Drop::tcp_checksum);
}

TEST(Tcp, RefusesPortZero) {
  EXPECT_EQ(drop_after(0, {0, 0}), Drop::tcp_port);
  EXPECT_EQ(drop_after(2, {0, 0}), Drop::tcp_port);
  EXPECT_EQ(drop_after(0, {0, 1}), Drop::none);
}

TEST(Tcp, RefusesImpossibleFlags) {
  for (const unsigned flags : {0x00U, 0x03U, 0x06U, 0x07U, 0x13U, 0xffU}) {
    EXPECT_EQ(drop_after(13, {flags}), Drop::tcp_flags) << flags;
  }
}

TEST(Tcp, IgnoresReservedBits) {
  EXPECT_EQ(drop_after(12, {0x5f}), Drop::none);
}

TEST(TcpOptions, AreReadInAnyOrderAndAlignment) {
  const TcpOptions options =
      parse_with_options(
          to_buffer({3, 3, 14, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 4, 2, 1, 2, 4, 5, 0xb4}), base::kSyn)
          .segment.options;
  EXPECT_EQ(options.present, 15);
  EXPECT_EQ(options.window_scale, 14);
  EXPECT_EQ(options.ts_value, 1U);
  EXPECT_EQ(options.ts_echo, 2U);
  EXPECT_EQ(options.mss, 1460);
}

TEST(TcpOptions, UnknownOnesAreSkippedByTheirLength) {
  const TcpOptions options =
      parse_with_options(to_buffer({254, 6, 2, 4, 9, 9, 30, 2, 2, 4, 1, 0}), base::kSyn)
          .segment.options;
  EXPECT_EQ(options.present, TcpOptions::kMss);
  EXPECT_EQ(options.mss, 256);
}

TEST(TcpOptions, NothingIsReadPastTheirEnd) {
  const TcpOptions options =
      parse_with_options(to_buffer({0, 2, 4, 5, 2, 4, 5, 0xb4}), base::kSyn).segment.options;
  EXPECT_EQ(options.present, 0);
}

TEST(TcpOptions, AnImpossibleLengthEndsThemAndKeepsThoseBefore) {
  for (const unsigned length : {0U, 1U, 5U, 255U}) {
    const TcpOptions options =
        parse_with_options(to_buffer({4, 2, 1, 1, 2, length, 5, 0xb4}), base::kSyn).segment.options;
    EXPECT_EQ(options.present, TcpOptions::kSackPermitted) << length;
  }
  const TcpOptions cut = parse_with_options(to_buffer({4, 2, 1, 8}), base::kSyn).segment.options;
  EXPECT_EQ(cut.present, TcpOptions::kSackPermitted);
}

TEST(TcpOptions, AKnownOneOfAWrongLengthIsIgnored) {
  const std::array<Buffer, 9> wrong{
      to_buffer({2, 3, 9, 1}),                          // MSS
      to_buffer({3, 4, 9, 9}),                          // window scale
      to_buffer({4, 3, 9, 1}),                          // SACK-permitted
      to_buffer({8, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}),  // timestamps
      to_buffer({5, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}),  // SACK
      to_buffer({5, 2, 1, 1}),                          // SACK without a block
      to_buffer({34, 4, 1, 1}),                         // Fast Open, 2 bytes of cookie
      to_buffer({34, 7, 1, 1, 1, 1, 1, 1}),             // 5 bytes
      to_buffer({34, 20, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}),
  };
  for (const Buffer& options : wrong) {
    Buffer with_mss = options;
    for (const unsigned value : {2U, 4U, 5U, 0xb4U}) {
      with_mss.push_back(static_cast<std::byte>(value));
    }
    const TcpOptions parsed = parse_with_options(with_mss, base::kSyn).segment.options;
    EXPECT_EQ(parsed.present, TcpOptions::kMss) << std::to_integer<int>(options[0]);
    EXPECT_EQ(parsed.mss, 1460);
    EXPECT_EQ(parsed.sack_count, 0);
  }
}

TEST(TcpOptions, ThoseOfASynAreIgnoredWithoutSyn) {
  const TcpOptions options =
      parse_with_options(to_buffer({2, 4, 5, 0xb4, 4, 2, 1, 1, 1, 3, 3, 7, 34, 2, 1, 1}),
                         base::kAck)
          .segment.options;
  EXPECT_EQ(options.present, 0);
}

TEST(TcpOptions, OfAnEarlierSegmentDoNotStay) {
  Buffer syn = kLinuxSyn;
  Parsed parsed = parse(syn);
  ASSERT_NE(parsed.segment.options.present, 0);
  Buffer plain = tcp_frame(data_segment(kHello));
  const Parsed other = parse(plain);
  ASSERT_EQ(parse_tcp(other.frame.payload, other.frame, parsed.ports, parsed.segment), Drop::none);
  EXPECT_EQ(parsed.segment.options.present, 0);
  EXPECT_EQ(parsed.segment.options.sack_count, 0);
}

}  // namespace
}  // namespace handfast::wire
