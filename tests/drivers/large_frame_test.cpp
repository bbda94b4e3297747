// A large frame in a chain of buffers: what comes out is what a sender without TSO sends.
#include "drivers/ethdev/large_frame.hpp"

#include <gtest/gtest.h>

#include <array>

#include "tests/drivers/tcp_frames.hpp"

namespace handfast::drivers {
namespace {

constexpr std::uint16_t kMtu = 1500;

// `frame` in buffers of so many bytes.
std::vector<base::Packet> chain_of(FrameBytes& frame, std::size_t each) {
  std::vector<base::Packet> parts;
  for (std::size_t at = 0; at < frame.size(); at += each) {
    const std::size_t length = std::min(each, frame.size() - at);
    parts.push_back({.data = &frame[at], .length = static_cast<std::uint32_t>(length)});
  }
  return parts;
}

// The frames, with the checksum that the port vouches for filled in.
std::vector<FrameBytes> cut(std::span<const base::Packet> parts, std::uint16_t mtu = kMtu) {
  std::vector<FrameBytes> frames;
  auto large = LargeFrame::create(parts, mtu);
  if (!large) return frames;
  while (!large->is_done()) {
    FrameBytes bytes(2048);
    base::Packet packet{.data = bytes.data()};
    large->next(packet);
    bytes.resize(packet.length);
    wire::write_checksums(bytes, *wire::tcp_layout_of(bytes));
    frames.push_back(bytes);
  }
  return frames;
}

base::Segment segment_with(const FrameBytes& text) {
  base::Segment segment;
  segment.seq = base::Seq{0xfffffe00};  // wraps within
  segment.ack = base::Seq{77};
  segment.flags = base::kAck | base::kPsh | base::kFin | base::kCwr;
  segment.window = 501;
  segment.options.present = base::TcpOptions::kTimestamps;
  segment.payload = text;
  return segment;
}

class LargeFrameTest : public testing::TestWithParam<TcpFrames> {};

TEST_P(LargeFrameTest, GivesWhatSoftwareWouldSend) {
  const TcpFrames& host = GetParam();
  const std::uint16_t size = host.destination.is_v4() ? 1500 - 52 : 1500 - 72;
  for (const std::size_t length : {1U, 1427U, 1428U, 1448U, 1449U, 5000U, 60'000U}) {
    const FrameBytes text = text_of_length(length);
    const base::Segment whole = segment_with(text);
    std::vector<FrameBytes> expected;
    for (const base::Segment& one : segments_of(whole, size)) expected.push_back(host.frame(one));
    for (const std::size_t each : {200U, 2048U, 70'000U}) {
      FrameBytes frame = host.frame(whole);
      EXPECT_EQ(cut(chain_of(frame, each)), expected) << length << " in buffers of " << each;
    }
  }
}

TEST_P(LargeFrameTest, RefusesWhatIsNotWhole) {
  const FrameBytes text = text_of_length(5000);
  FrameBytes frame = GetParam().frame(segment_with(text));
  auto parts = chain_of(frame, 2048);
  EXPECT_EQ(cut(std::span{parts}.first(2)).size(), 0U) << "its end is missing";
  --parts.back().length;
  EXPECT_EQ(cut(parts).size(), 0U);
  EXPECT_EQ(cut(chain_of(frame, 40)).size(), 0U) << "headers in several buffers";
  EXPECT_EQ(cut(chain_of(frame, 2048), 52).size(), 0U) << "no room for text";
  frame[12] = std::byte{0x12};
  EXPECT_EQ(cut(chain_of(frame, 2048)).size(), 0U) << "no IP";
}

INSTANTIATE_TEST_SUITE_P(, LargeFrameTest,
                         testing::Values(TcpFrames{}, TcpFrames{.vlan = 7},
                                         TcpFrames{.source = *Address::parse("2001:db8::1"),
                                                   .destination = *Address::parse("2001:db8::2")}));

}  // namespace
}  // namespace handfast::drivers
