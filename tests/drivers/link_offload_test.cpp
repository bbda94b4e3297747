// Ports of a Link that do part of their host's work: checksums, TSO and LRO, end to end.
#include <gtest/gtest.h>

#include "drivers/link/link.hpp"
#include "tests/drivers/tcp_frames.hpp"

namespace handfast::drivers {
namespace {

class LinkOffloadTest : public testing::Test {
 protected:
  LinkPort& add_port(std::uint8_t host, const LinkOffloads& offloads) {
    return link_.add_port(pool_, {.mac = {2, host, host, host, host, host}}, offloads);
  }
  // `frame` in packets of at most `part` bytes.
  std::vector<base::Packet> packets_of(const FrameBytes& frame, std::size_t part) {
    std::vector<base::Packet> packets;
    for (std::size_t at = 0; at < frame.size(); at += part) {
      base::Packet& packet = packets.emplace_back();
      HANDFAST_ASSERT(pool_.allocate({&packet, 1}) == 1);
      packet.length = static_cast<std::uint32_t>(std::min(part, frame.size() - at));
      std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(at), packet.length, packet.data);
      packet.flags = base::kContinues;
    }
    if (!packets.empty()) packets.back().flags = 0;
    return packets;
  }
  std::vector<FrameBytes> receive(LinkPort& port) {
    std::vector<FrameBytes> frames;
    std::array<base::Packet, 64> burst;
    const std::size_t count = port.receive(Instant{}, burst);
    for (const base::Packet& packet : std::span{burst}.first(count)) {
      frames.emplace_back(packet.data, packet.data + packet.length);
    }
    pool_.free(std::span{burst}.first(count));
    return frames;
  }
  static base::Segment segment(const FrameBytes& text) {
    base::Segment segment;
    segment.seq = base::Seq{1};
    segment.flags = base::kAck;
    segment.payload = text;
    return segment;
  }

  SimPool pool_{256, 9000};
  Link link_;
  TcpFrames host_;
};

TEST_F(LinkOffloadTest, FrameOfSeveralPacketsIsOneOnTheWire) {
  LinkPort& a = add_port(1, {});
  LinkPort& b = add_port(2, {});
  const FrameBytes text = text_of_length(1000);
  const FrameBytes frame = host_.frame(segment(text));
  auto burst = packets_of(frame, 54);
  const auto second = packets_of(frame, 5000);
  burst.insert(burst.end(), second.begin(), second.end());
  EXPECT_EQ(a.send({}, burst), burst.size());
  EXPECT_EQ(receive(b), std::vector<FrameBytes>(2, frame));
  EXPECT_EQ(link_.counters().sent, 2U);
  EXPECT_EQ(pool_.outstanding(), 0U);
}

TEST_F(LinkOffloadTest, ChecksumsAreFilledIn) {
  LinkPort& a = add_port(1, {.checksums = true});
  LinkPort& b = add_port(2, {});
  EXPECT_TRUE(a.info().offload_tcp_checksum);
  EXPECT_EQ(a.info().tso_bytes_max, 0U);
  const FrameBytes text = text_of_length(999);
  const wire::LinkHeader link = host_.link();
  const base::Segment data = segment(text);
  base::Packet packet;
  ASSERT_EQ(pool_.allocate({&packet, 1}), 1U);
  wire::emit_tcp(packet, {.link = link,
                          .ip = {.source = host_.source, .destination = host_.destination},
                          .ports = {.source = 1000, .destination = 80},
                          .segment = data,
                          .offload_ip_checksum = true,
                          .offload_tcp_checksum = true});
  a.send({}, {&packet, 1});
  EXPECT_EQ(receive(b), std::vector<FrameBytes>(1, host_.frame(data)));
}

TEST_F(LinkOffloadTest, LargeFrameIsCutUpAndMergedAgain) {
  LinkPort& a = add_port(1, {.tso = true});
  LinkPort& b = add_port(2, {});
  LinkPort& c = add_port(3, {.lro = true});
  EXPECT_EQ(a.info().tso_bytes_max, 65'535U);
  host_.to = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  const FrameBytes text = text_of_length(20'000);
  auto burst = packets_of(host_.frame(segment(text), 1460), 1460);
  burst[0].flags |= base::kOffloadIpChecksum | base::kOffloadL4Checksum;
  burst[0].segment_size = 1460;
  EXPECT_EQ(a.send({}, burst), burst.size());

  std::vector<FrameBytes> expected;
  for (const auto& part : segments_of(segment(text), 1460)) expected.push_back(host_.frame(part));
  EXPECT_EQ(receive(b), expected);
  EXPECT_EQ(link_.counters().cut_up, 1U);
  EXPECT_EQ(link_.counters().sent, 14U);

  // Six segments fit the data room.
  expected.clear();
  for (const auto& part : segments_of(segment(text), std::size_t{6} * 1460)) {
    expected.push_back(host_.frame(part));
  }
  EXPECT_EQ(receive(c), expected);
  EXPECT_EQ(link_.counters().merged, 11U);
  EXPECT_EQ(pool_.outstanding(), 0U);
}

TEST_F(LinkOffloadTest, NothingIsMergedThatHasNotArrived) {
  Link slow({.latency = std::chrono::microseconds(10)});
  LinkPort& a = slow.add_port(pool_, {.mac = host_.from});
  LinkPort& b = slow.add_port(pool_, {.mac = host_.to}, {.lro = true});
  const FrameBytes text = text_of_length(3000);
  const auto parts = segments_of(segment(text), 1000);
  for (std::int64_t i = 0; i < 3; ++i) {
    const auto packets = packets_of(host_.frame(parts[static_cast<std::size_t>(i)]), 5000);
    a.send(Instant::from_ns(i * 1000), packets);
  }
  std::array<base::Packet, 8> burst;
  ASSERT_EQ(b.receive(Instant::from_ns(11'000), burst), 1U);
  EXPECT_EQ(burst[0].length, 54U + 2000);
  EXPECT_NE(burst[0].flags & base::kL4ChecksumGood, 0);
  pool_.free(std::span{burst}.first(1));
  ASSERT_EQ(b.receive(Instant::from_ns(12'000), burst), 1U);
  EXPECT_EQ(burst[0].length, 54U + 1000);
  pool_.free(std::span{burst}.first(1));
}

}  // namespace
}  // namespace handfast::drivers
