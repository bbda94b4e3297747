#include "base/slab.hpp"

#include <gtest/gtest.h>

#include "base/bytes.hpp"
#include "base/counter.hpp"

namespace handfast::base {
namespace {

struct Record {
  std::uint32_t generation;
  std::uint32_t next_free;
  std::uint64_t value;
};

TEST(Slab, GivesEachIndexOnceAndThenNothing) {
  Slab<Record> slab;
  ASSERT_TRUE(slab.reserve(3));
  EXPECT_EQ(slab.allocate(), 0U);
  EXPECT_EQ(slab.allocate(), 1U);
  EXPECT_EQ(slab.allocate(), 2U);
  EXPECT_EQ(slab.allocate(), std::nullopt);
  EXPECT_EQ(slab.in_use(), 3U);
  EXPECT_EQ(slab.touched(), 3U);
}

TEST(Slab, GivesTheLastFreedFirst) {
  Slab<Record> slab;
  ASSERT_TRUE(slab.reserve(8));
  for (int i = 0; i < 4; ++i) (void)slab.allocate();
  slab.free(1);
  slab.free(3);
  EXPECT_EQ(slab.in_use(), 2U);
  EXPECT_EQ(slab.allocate(), 3U);
  EXPECT_EQ(slab.allocate(), 1U);
  EXPECT_EQ(slab.allocate(), 4U);
}

TEST(Slab, AReferenceIsStaleAfterFree) {
  Slab<Record> slab;
  ASSERT_TRUE(slab.reserve(2));
  const std::uint32_t index = slab.allocate().value();
  const std::uint32_t generation = slab[index].generation;
  EXPECT_TRUE(slab.is_current(index, generation));
  EXPECT_TRUE(slab.is_in_use(index));
  slab.free(index);
  EXPECT_FALSE(slab.is_current(index, generation));
  EXPECT_FALSE(slab.is_current(index, slab[index].generation));
  EXPECT_FALSE(slab.is_in_use(index));
  EXPECT_EQ(slab.allocate(), index);
  EXPECT_FALSE(slab.is_current(index, generation));
  EXPECT_TRUE(slab.is_current(index, slab[index].generation));
}

TEST(Slab, AnIndexNeverUsedIsNeverCurrent) {
  Slab<Record> slab;
  ASSERT_TRUE(slab.reserve(2));
  EXPECT_FALSE(slab.is_current(0, 0));
  EXPECT_FALSE(slab.is_current(1, 1));
  EXPECT_FALSE(slab.is_current(77, 1));
}

TEST(Slab, RecordsKeepTheirBytes) {
  Slab<Record> slab;
  ASSERT_TRUE(slab.reserve(1));
  const std::uint32_t index = slab.allocate().value();
  EXPECT_EQ(slab[index].value, 0U);
  slab[index].value = 99;
  slab.free(index);
  EXPECT_EQ(slab[slab.allocate().value()].value, 99U);
}

TEST(Slab, OfNothingGivesNothing) {
  Slab<Record> slab;
  ASSERT_TRUE(slab.reserve(0));
  EXPECT_EQ(slab.allocate(), std::nullopt);
}

TEST(MappedArray, IsZeroedAndMovesItsMemory) {
  MappedArray<std::uint64_t> array;
  ASSERT_TRUE(array.reserve(1 << 20));  // 8 MiB: large enough for huge pages
  EXPECT_EQ(array[0], 0U);
  array[(1 << 20) - 1] = 7;
  MappedArray<std::uint64_t> moved = std::move(array);
  EXPECT_EQ(moved.size(), std::size_t{1} << 20);
  EXPECT_EQ(moved[(1 << 20) - 1], 7U);
}

TEST(MappedArray, SaysWhenTheSystemRefuses) {
  MappedArray<std::uint64_t> array;
  EXPECT_FALSE(array.reserve(std::size_t{1} << 58));
  EXPECT_EQ(array.size(), 0U);
}

TEST(Bytes, AreInNetworkOrder) {
  std::array<std::byte, 5> bytes{};
  store_be32(&bytes[1], 0x01020304);
  for (std::size_t i = 1; i < 5; ++i) EXPECT_EQ(bytes[i], static_cast<std::byte>(i));
  EXPECT_EQ(load_be32(&bytes[1]), 0x01020304U);
  EXPECT_EQ(load_be16(&bytes[1]), 0x0102U);
  store_be16(&bytes[3], 0xa1b2);
  EXPECT_EQ(load_be32(&bytes[1]), 0x0102a1b2U);
}

TEST(Counters, SnapshotsAddUp) {
  LiveCounters live;
  ++live.frames_received;
  live.bytes_received += 60;
  Counters total = live.snapshot();
  total += live.snapshot();
  EXPECT_EQ(total.frames_received, 2U);
  EXPECT_EQ(total.bytes_received, 120U);
  EXPECT_EQ(total.frames_sent, 0U);
}

TEST(AssertDeath, NamesTheCondition) {
  EXPECT_DEATH(HANDFAST_ASSERT(1 + 1 == 3), "assertion failed: 1 \\+ 1 == 3");
}

}  // namespace
}  // namespace handfast::base
