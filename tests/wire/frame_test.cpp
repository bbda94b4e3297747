#include "wire/frame.hpp"

#include <gtest/gtest.h>

#include "tests/wire/samples.hpp"

namespace handfast::wire {
namespace {

// A frame with `options` (a multiple of 4 bytes) in its IPv4 header and `payload` behind it.
Buffer frame_with_ip_options(const Buffer& options) {
  Buffer frame = tcp_frame(data_segment(kHello));
  frame.insert(frame.begin() + static_cast<std::ptrdiff_t>(kTcpAt), options.begin(), options.end());
  frame[kIpAt] = static_cast<std::byte>(0x45 + options.size() / 4);
  base::store_be16(&frame[kIpAt + 2], static_cast<std::uint16_t>(frame.size() - kIpAt));
  repair_ip_checksum(frame);
  frame.shrink_to_fit();
  return frame;
}

Drop drop_with_source(std::uint32_t source) {
  Buffer frame = tcp_frame(data_segment(kHello));
  base::store_be32(&frame[kIpAt + 12], source);
  repair_ip_checksum(frame);
  return parse(frame, {}, base::kL4ChecksumGood).drop;
}

Drop drop_with_ip_byte(std::size_t at, unsigned value) {
  Buffer frame = tcp_frame(data_segment(kHello));
  frame[kIpAt + at] = static_cast<std::byte>(value);
  repair_ip_checksum(frame);
  return parse(frame).drop;
}

TEST(Frame, GivesAddressesFieldsAndPayload) {
  Buffer bytes = tcp_frame(data_segment(kHello));
  const Parsed parsed = parse(bytes);
  ASSERT_EQ(parsed.drop, Drop::none);
  EXPECT_EQ(parsed.frame.kind, FrameKind::tcp);
  EXPECT_FALSE(parsed.frame.link_broadcast);
  EXPECT_EQ(parsed.frame.source_mac, kPeerMac);
  EXPECT_EQ(parsed.frame.source, kPeers);
  EXPECT_EQ(parsed.frame.destination, kOurs);
  EXPECT_EQ(parsed.frame.tos, 2);
  EXPECT_EQ(parsed.frame.hop_limit, 64);
  EXPECT_EQ(parsed.frame.payload.data(), &bytes[kTcpAt]);
  EXPECT_EQ(parsed.frame.payload.size(), 25U);
}

TEST(Frame, CutsOffEthernetPadding) {
  Buffer bytes = tcp_frame(data_segment({}));
  bytes.resize(kEthernetFrameMin, std::byte{0xee});
  const Parsed parsed = parse(bytes);
  ASSERT_EQ(parsed.drop, Drop::none);
  EXPECT_EQ(parsed.frame.payload.size(), kTcpHeaderSize);
  EXPECT_TRUE(parsed.segment.payload.empty());
}

TEST(Frame, ShorterThanEthernetIsTooShort) {
  Buffer bytes(kEthernetHeaderSize - 1);
  EXPECT_EQ(parse(bytes).drop, Drop::too_short);
}

TEST(Frame, ForAnotherMacIsNotForUs) {
  Buffer bytes = tcp_frame(data_segment(kHello));
  bytes[5] = std::byte{0x77};
  EXPECT_EQ(parse(bytes).drop, Drop::not_for_us_l2);
}

TEST(Frame, ToBroadcastOrMulticastIsMarked) {
  Buffer bytes = tcp_frame(data_segment(kHello));
  std::memcpy(bytes.data(), kBroadcastMac.data(), kBroadcastMac.size());
  EXPECT_EQ(parse(bytes).drop, Drop::none);
  EXPECT_TRUE(parse(bytes).frame.link_broadcast);
  bytes[0] = std::byte{0x01};
  EXPECT_TRUE(parse(bytes).frame.link_broadcast);
}

TEST(Frame, TagMustBeTheInterfaces) {
  Buffer tagged = tcp_frame(data_segment(kHello), 42);
  Buffer untagged = tcp_frame(data_segment(kHello));
  EXPECT_EQ(parse(tagged, 42).drop, Drop::none);
  EXPECT_EQ(parse(tagged, 43).drop, Drop::vlan);
  EXPECT_EQ(parse(tagged).drop, Drop::vlan);
  EXPECT_EQ(parse(untagged, 42).drop, Drop::vlan);
}

TEST(Frame, PriorityBitsOfTheTagDoNotMatter) {
  Buffer tagged = tcp_frame(data_segment(kHello), 42);
  tagged[14] |= std::byte{0xf0};
  EXPECT_EQ(parse(tagged, 42).drop, Drop::none);
}

TEST(Frame, PriorityTagCountsAsNone) {
  Buffer tagged = tcp_frame(data_segment(kHello), 0);
  tagged[14] = std::byte{0xa0};
  EXPECT_EQ(parse(tagged).drop, Drop::none);
  EXPECT_EQ(parse(tagged, 42).drop, Drop::vlan);
}

TEST(Frame, CutInsideItsTagIsTooShort) {
  Buffer tagged = tcp_frame(data_segment(kHello), 42);
  for (std::size_t size = 14; size < 18; ++size) {
    Buffer cut(tagged.begin(), tagged.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(parse(cut, 42).drop, Drop::too_short) << size;
  }
}

TEST(Frame, UnknownEtherTypesAndSecondTagsAreNotSpoken) {
  Buffer bytes = tcp_frame(data_segment(kHello));
  base::store_be16(&bytes[12], 0x88cc);
  EXPECT_EQ(parse(bytes).drop, Drop::ethertype);
  Buffer tagged = tcp_frame(data_segment(kHello), 42);
  base::store_be16(&tagged[16], kEtherTypeVlan);
  EXPECT_EQ(parse(tagged, 42).drop, Drop::ethertype);
}

TEST(Ipv4, HeaderCutShortIsTooShort) {
  Buffer bytes = tcp_frame(data_segment(kHello));
  bytes.resize(kIpAt + 19);
  EXPECT_EQ(parse(bytes).drop, Drop::too_short);
}

TEST(Ipv4, RefusesOtherVersions) {
  EXPECT_EQ(drop_with_ip_byte(0, 0x65), Drop::ip_version);
  EXPECT_EQ(drop_with_ip_byte(0, 0x05), Drop::ip_version);
}

TEST(Ipv4, RefusesImpossibleHeaderLengths) {
  EXPECT_EQ(drop_with_ip_byte(0, 0x44), Drop::ip_header_length);
  EXPECT_EQ(drop_with_ip_byte(0, 0x40), Drop::ip_header_length);
  Buffer bytes = tcp_frame(data_segment({}));
  bytes[kIpAt] = std::byte{0x4f};  // 60 bytes, and the packet has 40
  EXPECT_EQ(parse(bytes).drop, Drop::ip_header_length);
}

TEST(Ipv4, RefusesImpossibleTotalLengths) {
  EXPECT_EQ(drop_with_ip_byte(3, 19), Drop::ip_total_length);
  EXPECT_EQ(drop_with_ip_byte(3, 0), Drop::ip_total_length);
  EXPECT_EQ(drop_with_ip_byte(3, 46), Drop::ip_total_length);  // the packet has 45 bytes
  EXPECT_EQ(drop_with_ip_byte(2, 0xff), Drop::ip_total_length);
}

TEST(Ipv4, VerifiesItsChecksumUnlessTheDeviceDid) {
  Buffer bytes = tcp_frame(data_segment(kHello));
  EXPECT_EQ(parse(bytes, {}, base::kIpChecksumBad).drop, Drop::ip_checksum);
  bytes[kIpAt + 10] ^= std::byte{0x10};
  EXPECT_EQ(parse(bytes).drop, Drop::ip_checksum);
  EXPECT_EQ(parse(bytes, {}, base::kIpChecksumGood).drop, Drop::none);
}

TEST(Ipv4, IgnoresWellFormedOptions) {
  const Buffer kinds = to_buffer({1, 1, 7, 3, 4, 0x99, 2, 0});  // NOP NOP, route, unknown, End
  Buffer bytes = frame_with_ip_options(kinds);
  const Parsed parsed = parse(bytes);
  ASSERT_EQ(parsed.drop, Drop::none);
  EXPECT_EQ(Buffer(parsed.segment.payload.begin(), parsed.segment.payload.end()), kHello);
}

TEST(Ipv4, IgnoresWhatFollowsTheEndOfOptions) {
  Buffer bytes = frame_with_ip_options(to_buffer({0, 7, 0, 0}));
  EXPECT_EQ(parse(bytes).drop, Drop::none);
}

TEST(Ipv4, RefusesMalformedOptions) {
  for (const Buffer& options :
       {to_buffer({7, 0, 0, 0}), to_buffer({7, 1, 0, 0}), to_buffer({7, 5, 0, 0}),
        to_buffer({1, 1, 1, 7}), to_buffer({7, 3, 0, 7, 255, 0, 0, 0})}) {
    Buffer bytes = frame_with_ip_options(options);
    EXPECT_EQ(parse(bytes).drop, Drop::ip_option);
  }
}

TEST(Ipv4, RefusesFragments) {
  EXPECT_EQ(drop_with_ip_byte(6, 0x20), Drop::ip_fragment);  // more fragments
  EXPECT_EQ(drop_with_ip_byte(6, 0x10), Drop::ip_fragment);  // offset, high bits
  EXPECT_EQ(drop_with_ip_byte(7, 0x01), Drop::ip_fragment);  // offset, low bits
  EXPECT_EQ(drop_with_ip_byte(6, 0x00), Drop::none);         // no "don't fragment": no matter
}

TEST(Ipv4, RefusesImpossibleSources) {
  for (const std::uint32_t source :
       {0x00000000U, 0xe0000001U, 0xefffffffU, 0xffffffffU, 0x7f000001U, 0x7fffffffU}) {
    EXPECT_EQ(drop_with_source(source), Drop::ip_source) << std::hex << source;
  }
  for (const std::uint32_t source : {0x01000001U, 0x7e000001U, 0x80000001U, 0xdfffffffU}) {
    EXPECT_EQ(drop_with_source(source), Drop::none) << std::hex << source;
  }
}

TEST(Ipv4, RefusesOtherProtocols) {
  EXPECT_EQ(drop_with_ip_byte(9, 17), Drop::ip_protocol);
  EXPECT_EQ(drop_with_ip_byte(9, 0), Drop::ip_protocol);
}

TEST(Drops, EachHasItsCounter) {
  base::LiveCounters counters;
  count(Drop::none, counters);
  EXPECT_EQ(counters.snapshot(), Counters{});
  for (unsigned i = 1; i <= static_cast<unsigned>(Drop::no_listener); ++i) {
    base::LiveCounters live;
    const auto reason = static_cast<Drop>(i);
    count(reason, live);
    const std::string name = "drop_" + std::string{to_string(reason)};
    std::uint64_t total = 0;
    live.snapshot().for_each([&](std::string_view counter, std::string_view, std::uint64_t value) {
      total += value;
      if (counter == name) {
        EXPECT_EQ(value, 1U) << name;
      }
    });
    EXPECT_EQ(total, 1U) << name;
  }
}

TEST(Drops, AreAllOfTheDropCounters) {
  std::size_t drop_counters = 0;
  Counters{}.for_each([&](std::string_view name, std::string_view, std::uint64_t) {
    drop_counters += name.starts_with("drop_") ? 1 : 0;
  });
  EXPECT_EQ(drop_counters, static_cast<std::size_t>(Drop::no_listener));
}

}  // namespace
}  // namespace handfast::wire
