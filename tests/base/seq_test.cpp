#include "base/seq.hpp"

#include <gtest/gtest.h>

#include "base/segment.hpp"

namespace handfast::base {
namespace {

constexpr std::uint32_t kHalf = 0x80000000;

TEST(Seq, OrderWrapsAround) {
  constexpr std::uint32_t kStarts[] = {0, 1, 0x7fffffff, kHalf, 0xfffffffe, 0xffffffff};
  for (const std::uint32_t start : kStarts) {
    for (const std::uint32_t distance : {1U, 2U, 65'535U, 0x7fffffffU}) {
      const Seq a{start};
      const Seq b = a + distance;
      EXPECT_TRUE(a.is_before(b)) << start << " + " << distance;
      EXPECT_TRUE(b.is_after(a));
      EXPECT_TRUE(a.is_at_or_before(b));
      EXPECT_FALSE(a.is_at_or_after(b));
      EXPECT_EQ(b - a, distance);
      EXPECT_EQ(b - distance, a);
      EXPECT_EQ(later_of(a, b), b);
      EXPECT_EQ(later_of(b, a), b);
    }
  }
}

TEST(Seq, IsNeitherBeforeNorAfterItself) {
  const Seq a{0xffffffff};
  EXPECT_FALSE(a.is_before(a));
  EXPECT_FALSE(a.is_after(a));
  EXPECT_TRUE(a.is_at_or_before(a));
  EXPECT_TRUE(a.is_at_or_after(a));
}

TEST(Seq, LiesWithinAWindowThatWraps) {
  const Seq first{0xfffffff0};
  EXPECT_TRUE(first.is_within(first, 32));
  EXPECT_TRUE(Seq{0xf}.is_within(first, 32));
  EXPECT_FALSE(Seq{0x10}.is_within(first, 32));
  EXPECT_FALSE(Seq{0xffffffef}.is_within(first, 32));
  EXPECT_FALSE(first.is_within(first, 0));
}

TEST(Seq, AdvancesInPlace) {
  Seq a{0xffffffff};
  a += 2;
  EXPECT_EQ(a.raw(), 1U);
}

TEST(Segment, LengthCountsSynAndFin) {
  const std::array<std::byte, 10> payload{};
  Segment segment;
  EXPECT_EQ(segment.len(), 0U);
  segment.flags = kSyn;
  EXPECT_EQ(segment.len(), 1U);
  segment.flags = kFin | kAck;
  segment.payload = payload;
  EXPECT_EQ(segment.len(), 11U);
  segment.flags = kAck | kPsh;
  EXPECT_EQ(segment.len(), 10U);
}

}  // namespace
}  // namespace handfast::base
