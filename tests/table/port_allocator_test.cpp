// Source ports: the whole range in sequence for each pair, and what is passed over or given up.
#include "table/port_allocator.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace handfast::table {
namespace {

constexpr auto kEvery = [](std::uint16_t) { return true; };
constexpr std::uint64_t kSecret = 0x0123'4567'89ab'cdef;

TEST(PortAllocator, GivesTheWholeRangeBeforeAnyPortAgain) {
  PortAllocator ports;
  ASSERT_TRUE(ports.reserve(1024, 65'535, kSecret));
  std::vector<std::uint16_t> first_round;
  for (int round = 0; round < 3; ++round) {
    std::set<std::uint16_t> seen;
    for (std::uint32_t i = 0; i < ports.range(); ++i) {
      const auto port = ports.choose(42, kEvery);
      ASSERT_TRUE(port);
      ASSERT_GE(*port, 1024);
      ASSERT_TRUE(seen.insert(*port).second) << "port " << *port << " again after " << i;
      // Each round is in the same order, so every port rests for a whole range.
      if (round == 0) first_round.push_back(*port);
      ASSERT_EQ(*port, first_round[i]);
    }
  }
}

TEST(PortAllocator, PairsWithCountersOfTheirOwnDoNotDisturbEachOther) {
  PortAllocator ports;
  ASSERT_TRUE(ports.reserve(2000, 2099, kSecret));
  constexpr std::uint64_t kBase = 0xfeed'0000'0000;
  for (std::uint64_t source = 0; source < 1000; ++source) {
    std::set<std::uint16_t> seen;
    for (int i = 0; i < 100; ++i) {
      seen.insert(ports.choose(kBase + source, kEvery).value());
      (void)ports.choose(kBase + (source + 1) % 1000, kEvery);
      for (int skip = 0; skip < 99; ++skip) (void)ports.choose(kBase + (source + 1) % 1000, kEvery);
    }
    ASSERT_EQ(seen.size(), 100U);
  }
}

TEST(PortAllocator, StartsElsewhereForAnotherPairOrSecret) {
  PortAllocator ports;
  PortAllocator others;
  ASSERT_TRUE(ports.reserve(1024, 65'535, kSecret));
  ASSERT_TRUE(others.reserve(1024, 65'535, kSecret + 1));
  std::set<std::uint16_t> by_pair;
  int equal = 0;
  for (std::uint64_t pair = 0; pair < 1000; ++pair) {
    const std::uint64_t hash = pair * 0x9e37'79b9'7f4a'7c15;
    const auto port = ports.choose(hash, kEvery);
    by_pair.insert(*port);
    if (port == others.choose(hash, kEvery)) ++equal;
  }
  EXPECT_GT(by_pair.size(), 950U);
  EXPECT_LT(equal, 20);
}

TEST(PortAllocator, PassesPortsThatAreNotUsable) {
  PortAllocator ports;
  ASSERT_TRUE(ports.reserve(1, 100, kSecret));
  std::set<std::uint16_t> seen;
  for (int i = 0; i < 10; ++i) {
    seen.insert(ports.choose(5, [](std::uint16_t port) { return port % 10 == 3; }).value());
  }
  EXPECT_EQ(seen, (std::set<std::uint16_t>{3, 13, 23, 33, 43, 53, 63, 73, 83, 93}));
}

TEST(PortAllocator, GivesUpAfterItsTriesAndGoesOnBehindThem) {
  PortAllocator ports;
  ASSERT_TRUE(ports.reserve(1024, 65'535, kSecret));
  std::set<std::uint16_t> tried;
  const auto refuse = [&tried](std::uint16_t port) {
    EXPECT_TRUE(tried.insert(port).second);
    return false;
  };
  EXPECT_EQ(ports.choose(6, refuse), std::nullopt);
  EXPECT_EQ(tried.size(), PortAllocator::kTriesMax);
  EXPECT_EQ(ports.choose(6, refuse), std::nullopt);
  EXPECT_EQ(tried.size(), 2 * PortAllocator::kTriesMax);
}

TEST(PortAllocator, TriesEachPortOfASmallRangeOnce) {
  PortAllocator ports;
  ASSERT_TRUE(ports.reserve(7000, 7009, kSecret));
  int tried = 0;
  EXPECT_EQ(ports.choose(6,
                         [&tried](std::uint16_t) {
                           ++tried;
                           return false;
                         }),
            std::nullopt);
  EXPECT_EQ(tried, 10);
}

TEST(PortAllocator, WorksWithOnePort) {
  PortAllocator ports;
  ASSERT_TRUE(ports.reserve(65'535, 65'535, kSecret));
  EXPECT_EQ(ports.choose(1, kEvery), 65'535);
  EXPECT_EQ(ports.choose(1, kEvery), 65'535);
  EXPECT_EQ(ports.choose(2, [](std::uint16_t) { return false; }), std::nullopt);
}

}  // namespace
}  // namespace handfast::table
