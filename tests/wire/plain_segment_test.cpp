// parse_plain_segment() is parse_frame() and parse_tcp() in one: whatever bytes it is given, it
// takes a frame exactly when they take it and its layout is the plain one, and says the same of it.
#include <gtest/gtest.h>

#include "base/random.hpp"
#include "tests/wire/samples_v6.hpp"

namespace handfast::wire {
namespace {

constexpr std::uint8_t kAllGood = base::kIpChecksumGood | base::kL4ChecksumGood;

struct Plain {
  bool is_plain;
  base::FlowKey key;
  base::Segment segment;
};

Plain parse_plain(Buffer& bytes, std::uint8_t flags = 0) {
  const base::Packet packet{
      .data = bytes.data(), .length = static_cast<std::uint32_t>(bytes.size()), .flags = flags};
  Plain out{};
  out.is_plain = parse_plain_segment(packet, {.mac = kOurMac, .vlan = {}}, out.key, out.segment);
  return out;
}

// Of a frame that parse() has taken.
bool has_plain_layout(const Buffer& bytes, const Parsed& parsed) {
  return parsed.frame.kind == FrameKind::tcp && !parsed.frame.link_broadcast &&
         base::load_be16(&bytes[kEthernetHeaderSize - 2]) == kEtherTypeIpv4 &&
         bytes[kIpAt] == std::byte{0x45};
}

void expect_plain_options(const base::TcpOptions& got, const base::TcpOptions& want) {
  using enum base::TcpOptions::Present;
  ASSERT_EQ(got.present, want.present);
  ASSERT_EQ(got.sack_count, want.sack_count);
  EXPECT_TRUE(!want.has(kMss) || got.mss == want.mss);
  EXPECT_TRUE(!want.has(kWindowScale) || got.window_scale == want.window_scale);
  EXPECT_TRUE(!want.has(kTimestamps) || got.ts_value == want.ts_value);
  EXPECT_TRUE(!want.has(kTimestamps) || got.ts_echo == want.ts_echo);
  for (std::size_t i = 0; i < want.sack_count; ++i) EXPECT_EQ(got.sack[i], want.sack[i]);
}

void expect_agreement(Buffer& bytes, std::uint8_t flags = 0) {
  const Parsed parsed = parse(bytes, {}, flags);
  const Plain plain = parse_plain(bytes, flags);
  const bool taken = parsed.drop == Drop::none;
  ASSERT_EQ(plain.is_plain, taken && has_plain_layout(bytes, parsed)) << to_string(parsed.drop);
  if (!plain.is_plain) return;
  EXPECT_EQ(plain.key.remote, parsed.frame.source);
  EXPECT_EQ(plain.key.local, parsed.frame.destination);
  EXPECT_EQ(plain.key.remote_port, parsed.ports.source);
  EXPECT_EQ(plain.key.local_port, parsed.ports.destination);
  EXPECT_EQ(plain.segment.seq, parsed.segment.seq);
  EXPECT_EQ(plain.segment.ack, parsed.segment.ack);
  EXPECT_EQ(plain.segment.flags, parsed.segment.flags);
  EXPECT_EQ(plain.segment.window, parsed.segment.window);
  EXPECT_EQ(plain.segment.urgent, parsed.segment.urgent);
  EXPECT_EQ(static_cast<int>(plain.segment.ecn), parsed.frame.tos & 3);
  EXPECT_EQ(plain.segment.payload.data(), parsed.segment.payload.data());
  EXPECT_EQ(plain.segment.payload.size(), parsed.segment.payload.size());
  expect_plain_options(plain.segment.options, parsed.segment.options);
}

base::Segment with_timestamps(base::Bytes text) {
  base::Segment segment = data_segment(text);
  segment.options.present = base::TcpOptions::kTimestamps;
  segment.options.ts_value = 0x00bc614f;
  segment.options.ts_echo = 0x3ade68b1;
  return segment;
}

std::vector<Buffer> plain_frames() {
  const Buffer text = bytes_of("some text of an odd length, behind which nothing more will follow");
  std::vector<Buffer> frames = {tcp_frame(syn_segment()), tcp_frame(sack_segment()),
                                tcp_frame(data_segment(text)), tcp_frame(data_segment({}))};
  for (const std::size_t length : {0UZ, 1UZ, 7UZ, 32UZ, 64UZ, text.size()}) {
    frames.push_back(tcp_frame(with_timestamps(base::Bytes{text}.first(length))));
  }
  return frames;
}

TEST(PlainSegment, TakesWhatEmitTcpMakes) {
  for (Buffer& frame : plain_frames()) {
    EXPECT_TRUE(parse_plain(frame).is_plain);
    expect_agreement(frame);
  }
}

TEST(PlainSegment, LeavesOtherLayoutsToTheParsers) {
  const Buffer text = bytes_of("text");
  Buffer tagged = tcp_frame(data_segment(text), 42);
  Buffer v6 = tcp6_frame(data_segment(text));
  Buffer arp = arp_frame(arp_request());
  for (Buffer* const frame : {&tagged, &v6, &arp}) EXPECT_FALSE(parse_plain(*frame).is_plain);
  Buffer tag_wanted = tcp_frame(data_segment(text));
  const base::Packet packet{.data = tag_wanted.data(),
                            .length = static_cast<std::uint32_t>(tag_wanted.size())};
  base::FlowKey key;
  base::Segment segment;
  EXPECT_FALSE(parse_plain_segment(packet, {.mac = kOurMac, .vlan = 42}, key, segment));
}

TEST(PlainSegment, ChecksBothChecksumsUnlessTheDeviceHas) {
  for (const Buffer& good : plain_frames()) {
    for (std::size_t at = kIpAt; at < good.size(); ++at) {
      Buffer bad = good;
      bad[at] ^= std::byte{1};
      EXPECT_FALSE(parse_plain(bad).is_plain) << at;
      expect_agreement(bad, base::kIpChecksumGood);
      expect_agreement(bad, base::kL4ChecksumGood);
      expect_agreement(bad, kAllGood);
    }
    Buffer frame = good;
    EXPECT_FALSE(parse_plain(frame, kAllGood | base::kIpChecksumBad).is_plain);
    EXPECT_FALSE(parse_plain(frame, kAllGood | base::kL4ChecksumBad).is_plain);
  }
}

TEST(PlainSegment, IgnoresEthernetsPaddingAndRefusesWhatIsCutOff) {
  for (Buffer frame : plain_frames()) {
    frame.resize(frame.size() + 9, std::byte{0xff});
    EXPECT_TRUE(parse_plain(frame).is_plain);
    expect_agreement(frame);
  }
  for (const Buffer& whole : plain_frames()) {
    for (std::size_t length = 0; length < whole.size(); ++length) {
      Buffer cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
      EXPECT_FALSE(parse_plain(cut, kAllGood).is_plain);
    }
  }
}

// Nothing behind a checksum leans on it: the device may have called it good.
TEST(PlainSegment, AgreesWithTheParsersOnDamagedHeaders) {
  base::Random random(7);
  const std::vector<Buffer> frames = plain_frames();
  for (int i = 0; i < 40'000; ++i) {
    Buffer frame = frames[random.below(frames.size())];
    for (std::uint64_t n = 1 + random.below(3); n > 0; --n) {
      frame[random.below(std::min<std::uint64_t>(frame.size(), kTcpAt + 40))] =
          static_cast<std::byte>(random.below(256));
    }
    expect_agreement(frame, kAllGood);
  }
}

}  // namespace
}  // namespace handfast::wire
