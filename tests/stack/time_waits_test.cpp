// The TIME-WAIT records of both IP versions behind one index, and the queue of small values.

#include "stack/time_waits.hpp"

#include <gtest/gtest.h>

#include "stack/ring.hpp"

namespace handfast::stack {
namespace {

const base::FlowKey kV4{Address::v4(0xc6120001), Address::v4(0xc6120002), 1000, 80};
const base::FlowKey kV6{Address::parse("2001:db8::1").value(),
                        Address::parse("2001:db8::2").value(), 1000, 80};

class TimeWaitsTest : public testing::Test {
 protected:
  TimeWaitsTest() { EXPECT_TRUE(records_.reserve(4)); }

  std::uint32_t add(const base::FlowKey& key, std::uint32_t deadline_ms) {
    return records_.push(key, {}, deadline_ms).value();
  }

  TimeWaits records_{base::HashSecret{}};
};

TEST_F(TimeWaitsTest, ARecordIsThatOfBothEndsAndBothPorts) {
  for (const base::FlowKey& key : {kV4, kV6}) {
    const std::uint32_t index = add(key, 100);
    EXPECT_TRUE(records_.matches(index, key));
    base::FlowKey other = key;
    other.local_port = 1001;
    EXPECT_FALSE(records_.matches(index, other));
    other = key;
    other.remote_port = 81;
    EXPECT_FALSE(records_.matches(index, other));
    other = key;
    other.remote = key.local;
    EXPECT_FALSE(records_.matches(index, other));
    other = key;
    other.local = key.remote;
    EXPECT_FALSE(records_.matches(index, other));
  }
}

TEST_F(TimeWaitsTest, TheBoundIsThatOfBothVersions) {
  for (int i = 0; i < 2; ++i) {
    add(kV4, 100);
    add(kV6, 100);
  }
  EXPECT_FALSE(records_.push(kV4, {}, 100));
  EXPECT_FALSE(records_.push(kV6, {}, 100));
}

// Room is made among the version's own, as long as it has any.
TEST_F(TimeWaitsTest, TheOldestOfTheSameVersionGives) {
  const std::uint32_t v4 = add(kV4, 100);
  const std::uint32_t v6 = add(kV6, 100);
  std::vector<std::uint32_t> gone;
  const auto note = [&gone](std::uint32_t index, std::uint64_t) { gone.push_back(index); };
  EXPECT_TRUE(records_.drop_oldest(true, note));
  EXPECT_EQ(gone, std::vector{v6});
  EXPECT_TRUE(records_.drop_oldest(true, note));
  EXPECT_EQ(gone, (std::vector{v6, v4}));
  EXPECT_FALSE(records_.drop_oldest(true, note));
  const std::uint32_t only = add(kV6, 100);
  EXPECT_TRUE(records_.drop_oldest(false, note));
  EXPECT_EQ(gone.back(), only);
}

TEST_F(TimeWaitsTest, WhatIsOverdueIsDueNow) {
  EXPECT_EQ(records_.ms_to_next(0), std::nullopt);
  add(kV4, 100);
  EXPECT_EQ(records_.ms_to_next(40), 60U);
  EXPECT_EQ(records_.ms_to_next(100), 0U);
  EXPECT_EQ(records_.ms_to_next(150), 0U);
  add(kV6, 130);
  EXPECT_EQ(records_.ms_to_next(40), 60U);
}

TEST(RingTest, HasRoomForItsCapacity) {
  for (const std::uint32_t capacity : {1U, 5U, 8U}) {
    Ring<std::uint32_t> ring;
    ASSERT_TRUE(ring.reserve(capacity));
    for (std::uint32_t round = 0; round < 3; ++round) {
      for (std::uint32_t i = 0; i < capacity; ++i) ring.push(i);
      EXPECT_EQ(ring.size(), capacity);
      for (std::uint32_t i = 0; i < capacity; ++i, ring.pop()) EXPECT_EQ(ring.front(), i);
      EXPECT_TRUE(ring.is_empty());
    }
  }
}

TEST(RingTest, TouchesNoMoreThanItHeldAtOnce) {
  Ring<std::uint32_t> ring;
  ASSERT_TRUE(ring.reserve(1024));
  EXPECT_EQ(ring.touched_bytes(), 0U);
  for (int round = 0; round < 1000; ++round) {
    for (std::uint32_t i = 0; i < 3; ++i) ring.push(i);
    for (std::uint32_t i = 0; i < 3; ++i) ring.pop();
  }
  EXPECT_EQ(ring.touched_bytes(), 3 * sizeof(std::uint32_t));
  // One that is never empty goes round.
  for (std::uint32_t i = 0; i < 5000; ++i) {
    ring.push(i);
    if (i > 0) ring.pop();
  }
  EXPECT_EQ(ring.touched_bytes(), 1024 * sizeof(std::uint32_t));
}

}  // namespace
}  // namespace handfast::stack
