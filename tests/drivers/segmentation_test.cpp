// Cutting up and merging: what comes out is what software would have sent, byte for byte.
#include "drivers/link/segmentation.hpp"

#include <gtest/gtest.h>

#include "drivers/link/coalescing.hpp"
#include "drivers/link/sim_pool.hpp"
#include "tests/drivers/tcp_frames.hpp"

namespace handfast::drivers {
namespace {

constexpr std::uint16_t kSize = 1000;

std::vector<FrameBytes> cut(const FrameBytes& large, std::uint16_t segment_size) {
  std::vector<FrameBytes> frames;
  Segmentation segmentation(large, *wire::tcp_layout_of(large), segment_size);
  FrameBytes out(large.size());
  while (!segmentation.is_done()) {
    const base::Bytes frame = segmentation.next(out);
    frames.emplace_back(frame.begin(), frame.end());
  }
  return frames;
}

std::vector<FrameBytes> software(const TcpFrames& host, const base::Segment& whole) {
  std::vector<FrameBytes> frames;
  for (const base::Segment& segment : segments_of(whole, kSize))
    frames.push_back(host.frame(segment));
  return frames;
}

base::Segment data_segment(const FrameBytes& text, std::uint8_t flags = base::kAck) {
  base::Segment segment;
  segment.seq = base::Seq{0xfffffe00};  // wraps within
  segment.ack = base::Seq{77};
  segment.flags = flags;
  segment.window = 501;
  segment.options.present = base::TcpOptions::kTimestamps;
  segment.options.ts_value = 1000;
  segment.options.ts_echo = 2000;
  segment.payload = text;
  return segment;
}

class SegmentationTest : public testing::TestWithParam<TcpFrames> {};

TEST_P(SegmentationTest, GivesWhatSoftwareWouldSend) {
  for (const std::size_t length : {1U, 999U, 1000U, 1001U, 2000U, 5432U, 60'000U}) {
    const FrameBytes text = text_of_length(length);
    const base::Segment segment = data_segment(text);
    EXPECT_EQ(cut(GetParam().frame(segment, kSize), kSize), software(GetParam(), segment))
        << length;
  }
}

TEST_P(SegmentationTest, FlagsStayWithTheSegmentTheyBelongTo) {
  const FrameBytes text = text_of_length(2500);
  const base::Segment segment =
      data_segment(text, base::kAck | base::kPsh | base::kFin | base::kCwr | base::kEce);
  const auto frames = cut(GetParam().frame(segment, kSize), kSize);
  EXPECT_EQ(frames, software(GetParam(), segment));
  ASSERT_EQ(frames.size(), 3U);
  const std::size_t flags_at = wire::tcp_layout_of(frames[0])->tcp_at() + 13;
  EXPECT_EQ(frames[0][flags_at], (std::byte{base::kAck | base::kCwr | base::kEce}));
  EXPECT_EQ(frames[1][flags_at], (std::byte{base::kAck | base::kEce}));
  EXPECT_EQ(frames[2][flags_at], (std::byte{base::kAck | base::kPsh | base::kFin | base::kEce}));
}

TEST_P(SegmentationTest, OptionsAreRepeated) {
  const FrameBytes text = text_of_length(3000);
  base::Segment segment = data_segment(text);
  segment.options.sack_count = 2;
  segment.options.sack[0] = {.left = base::Seq{1}, .right = base::Seq{2}};
  segment.options.sack[1] = {.left = base::Seq{5}, .right = base::Seq{9}};
  EXPECT_EQ(cut(GetParam().frame(segment, kSize), kSize), software(GetParam(), segment));
}

TEST_P(SegmentationTest, PaddingIsNoText) {
  const FrameBytes text = text_of_length(1001);
  FrameBytes large = GetParam().frame(data_segment(text), kSize);
  large.resize(large.size() + 30);
  EXPECT_EQ(cut(large, kSize), software(GetParam(), data_segment(text)));
}

// One packet for all, as a port with LRO fills it.
class Merge {
 public:
  explicit Merge(const FrameBytes& first, std::size_t room = 65'000) : pool_(1, 70'000) {
    HANDFAST_ASSERT(pool_.allocate({&packet_, 1}) == 1);
    std::ranges::copy(first, packet_.data);
    packet_.length = static_cast<std::uint32_t>(first.size());
    merge_.emplace(packet_, room);
  }
  ~Merge() { pool_.free({&packet_, 1}); }
  Merge(const Merge&) = delete;
  Merge& operator=(const Merge&) = delete;

  bool append(const FrameBytes& frame) { return merge_->append(frame); }
  FrameBytes bytes() {
    merge_->finish();
    return {packet_.data, packet_.data + packet_.length};
  }
  const base::Packet& packet() const { return packet_; }

 private:
  SimPool pool_;
  base::Packet packet_;
  std::optional<Coalescing> merge_;
};

TEST_P(SegmentationTest, MergeUndoesIt) {
  const FrameBytes text = text_of_length(4500);
  const base::Segment segment = data_segment(text, base::kAck | base::kPsh | base::kFin);
  const auto frames = software(GetParam(), segment);
  Merge merge(frames[0]);
  for (std::size_t i = 1; i < frames.size(); ++i) EXPECT_TRUE(merge.append(frames[i])) << i;
  EXPECT_EQ(merge.bytes(), GetParam().frame(segment));
  EXPECT_EQ(merge.packet().flags, base::kIpChecksumGood | base::kL4ChecksumGood);

  FrameBytes again = GetParam().frame(segment, kSize);
  EXPECT_EQ(cut(again, kSize), frames);
}

constexpr Address kV6Source =
    Address::from_bytes({0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
constexpr Address kV6Other =
    Address::from_bytes({0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2});

INSTANTIATE_TEST_SUITE_P(
    Links, SegmentationTest,
    testing::Values(TcpFrames{}, TcpFrames{.vlan = 7},
                    TcpFrames{.source = kV6Source, .destination = kV6Other},
                    TcpFrames{.source = kV6Source, .destination = kV6Other, .vlan = 4094}));

TEST(SegmentationIdTest, GoesUpWhereItMeansSomething) {
  const FrameBytes text = text_of_length(2500);
  FrameBytes large = TcpFrames{}.frame(data_segment(text), kSize);
  base::store_be16(&large[18], 0xffff);
  base::store_be16(&large[20], 0);  // DF off
  const auto frames = cut(large, kSize);
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(base::load_be16(&frames[0][18]), 0xffff);
  EXPECT_EQ(base::load_be16(&frames[1][18]), 0);
  EXPECT_EQ(base::load_be16(&frames[2][18]), 1);
  for (const auto& frame : frames) {
    EXPECT_TRUE(wire::are_checksums_good(frame, *wire::tcp_layout_of(frame)));
  }
}

class CoalescingTest : public testing::Test {
 protected:
  // Whether `second`, changed so, is merged behind a first segment of 1,000 bytes.
  template <class Change>
  bool merges(Change&& change, std::uint8_t first_flags = base::kAck) {
    base::Segment first = data_segment(text_, first_flags);
    base::Segment second = data_segment(text_);
    second.seq = first.seq + 1000;
    change(second);
    Merge merge(host_.frame(first));
    return merge.append(host_.frame(second));
  }

  FrameBytes text_ = text_of_length(1000);
  TcpFrames host_;
};

TEST_F(CoalescingTest, OnlyTheNextOfTheSameFlow) {
  EXPECT_TRUE(merges([](auto&) {}));
  EXPECT_FALSE(merges([](auto& s) { s.seq += 1; }));
  EXPECT_FALSE(merges([](auto& s) { s.ack += 1; }));
  EXPECT_FALSE(merges([](auto& s) { s.window = 502; }));
  EXPECT_FALSE(merges([](auto& s) { s.payload = {}; }));
}

TEST_F(CoalescingTest, FlagsThatStandAlone) {
  for (const std::uint8_t flag : {base::kRst, base::kUrg, base::kCwr, base::kEce}) {
    EXPECT_FALSE(merges([&](auto& s) { s.flags = static_cast<std::uint8_t>(s.flags | flag); }))
        << int{flag};
  }
  const std::uint8_t with_push = base::kAck | base::kPsh;
  const std::uint8_t with_fin = base::kAck | base::kFin;
  EXPECT_TRUE(merges([&](auto& s) { s.flags = with_push; }));
  EXPECT_TRUE(merges([&](auto& s) { s.flags = with_fin; }));
  EXPECT_FALSE(merges([](auto&) {}, with_push)) << "PSH has ended the merge";
  EXPECT_FALSE(merges([](auto&) {}, with_fin));
  const std::uint8_t with_echo = base::kAck | base::kEce;
  EXPECT_TRUE(merges([&](auto& s) { s.flags = with_echo; }, with_echo));
}

TEST_F(CoalescingTest, TimestampsGoForwardOnly) {
  EXPECT_FALSE(merges([](auto& s) { s.options.ts_value -= 1; }));
  EXPECT_FALSE(merges([](auto& s) { s.options.ts_echo -= 1; }));
  EXPECT_FALSE(merges([](auto& s) { s.options.sack_count = 1; }));
  base::Segment first = data_segment(text_);
  base::Segment second = first;
  second.seq += 1000;
  second.options.ts_value = 1005;
  Merge merge(host_.frame(first));
  ASSERT_TRUE(merge.append(host_.frame(second)));
  FrameBytes twice = text_;
  twice.insert(twice.end(), text_.begin(), text_.end());
  base::Segment both = data_segment(twice);
  both.options.ts_value = 1005;
  EXPECT_EQ(merge.bytes(), host_.frame(both));
}

TEST_F(CoalescingTest, DamagedFrameIsLeftAlone) {
  const base::Segment first = data_segment(text_);
  base::Segment second = first;
  second.seq += 1000;
  FrameBytes damaged = host_.frame(second);
  damaged.back() ^= std::byte{1};
  Merge merge(host_.frame(first));
  EXPECT_FALSE(merge.append(damaged));
  Merge other(damaged);
  EXPECT_EQ(other.packet().flags, 0);
  EXPECT_FALSE(other.append(host_.frame(second)));
}

TEST_F(CoalescingTest, FillsTheRoomAndNoMore) {
  const base::Segment first = data_segment(text_);
  base::Segment second = first;
  second.seq += 1000;
  const std::size_t headers = 14 + 20 + 32;
  Merge tight(host_.frame(first), headers + 1999);
  EXPECT_FALSE(tight.append(host_.frame(second)));
  Merge enough(host_.frame(first), headers + 2000);
  EXPECT_TRUE(enough.append(host_.frame(second)));
}

TEST_F(CoalescingTest, OtherFlowVlanOrMark) {
  const base::Segment first = data_segment(text_);
  base::Segment second = first;
  second.seq += 1000;
  TcpFrames other = host_;
  other.source = Address::v4(0xc6120009);
  EXPECT_FALSE(Merge(host_.frame(first)).append(other.frame(second)));
  other = host_;
  other.vlan = 5;
  EXPECT_FALSE(Merge(host_.frame(first)).append(other.frame(second)));
  FrameBytes marked = host_.frame(second);
  marked[15] |= std::byte{3};  // CE
  wire::write_checksums(marked, *wire::tcp_layout_of(marked));
  EXPECT_FALSE(Merge(host_.frame(first)).append(marked));
}

TEST(TcpLayoutTest, NotTcpOrCutShortIsNothing) {
  const FrameBytes text = text_of_length(10);
  const FrameBytes frame = TcpFrames{}.frame(data_segment(text));
  EXPECT_TRUE(wire::tcp_layout_of(frame));
  for (std::size_t length = 0; length < 66; ++length) {
    EXPECT_FALSE(wire::tcp_layout_of(base::Bytes{frame}.first(length))) << length;
  }
  const auto changed = [&](std::size_t at, std::uint8_t value) {
    FrameBytes copy = frame;
    copy[at] = std::byte{value};
    return wire::tcp_layout_of(copy).has_value();
  };
  EXPECT_FALSE(changed(13, 0x06)) << "ARP";
  EXPECT_FALSE(changed(14, 0x44)) << "an IPv4 header of 16 bytes";
  EXPECT_FALSE(changed(20, 0x20)) << "a fragment";
  EXPECT_FALSE(changed(23, 17)) << "UDP";
  EXPECT_FALSE(changed(46, 0x40)) << "a TCP header of 16 bytes";
  EXPECT_FALSE(changed(46, 0xf0)) << "longer than the frame";
}

}  // namespace
}  // namespace handfast::drivers
