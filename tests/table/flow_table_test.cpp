// The flow table against std::unordered_map, at its full load, and with hashes that all share a
// home.
#include "table/flow_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "base/flow_key.hpp"
#include "base/random.hpp"

namespace handfast::table {
namespace {

// Flows as the table's owner keeps them: a reference is the place of a hash in this list.
struct Flows {
  std::vector<std::uint64_t> hashes;

  auto is(std::uint64_t hash) const {
    return [this, hash](std::uint32_t reference) { return hashes[reference] == hash; };
  }
};

std::uint32_t find(const FlowTable& table, const Flows& flows, std::uint64_t hash) {
  return table.find(hash, flows.is(hash));
}

void run_random(std::uint64_t seed, std::size_t capacity, std::uint64_t hash_mask) {
  base::Random random(seed);
  FlowTable table;
  ASSERT_TRUE(table.reserve(capacity));
  Flows flows;
  for (std::size_t i = 0; i < capacity * 2; ++i) {
    // The place in the upper bits makes a hash unique, however few of its lower ones are kept.
    flows.hashes.push_back((random.next() & hash_mask) | i << 40);
  }
  std::unordered_map<std::uint64_t, std::uint32_t> model;
  for (std::size_t step = 0; step < capacity * 40; ++step) {
    const auto reference = static_cast<std::uint32_t>(random.below(flows.hashes.size()));
    const std::uint64_t hash = flows.hashes[reference];
    const bool is_held = model.contains(hash);
    ASSERT_EQ(find(table, flows, hash), is_held ? reference : FlowTable::kNotFound);
    if (random.chance(0.45)) {
      ASSERT_EQ(table.erase(hash, reference), is_held);
      model.erase(hash);
    } else if (!is_held) {
      if (!table.insert(hash, reference)) {
        ASSERT_EQ(model.size(), capacity);
        continue;
      }
      model.emplace(hash, reference);
    }
    ASSERT_EQ(table.size(), model.size());
  }
  for (const auto& [hash, reference] : model) ASSERT_TRUE(table.erase(hash, reference));
  EXPECT_EQ(table.size(), 0U);
}

TEST(FlowTable, AgreesWithTheModel) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) run_random(seed, 1000, 0xffffffff);
}

TEST(FlowTable, AgreesWithTheModelInOneOrTwoBuckets) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) run_random(seed, 1 + seed, 0xffffffff);
}

TEST(FlowTable, AgreesWithTheModelWhenAllTagsAreEqual) {
  run_random(3, 500, 0xffffff00);
}

TEST(FlowTable, AgreesWithTheModelWhenAllHomesAreEqual) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) run_random(seed, 400, 0xff);
}

TEST(FlowTable, TakesItsWholeCapacity) {
  for (const std::size_t capacity : {1U, 12U, 13U, 100U, 10'000U, 300'000U}) {
    base::Random random(capacity);
    FlowTable table;
    ASSERT_TRUE(table.reserve(capacity));
    Flows flows;
    for (std::uint32_t i = 0; i < capacity; ++i) {
      flows.hashes.push_back(random.next());
      ASSERT_TRUE(table.insert(flows.hashes[i], i)) << i << " of " << capacity;
    }
    EXPECT_FALSE(table.insert(random.next(), 0));
    EXPECT_EQ(table.size(), capacity);
    for (std::uint32_t i = 0; i < capacity; ++i) {
      ASSERT_EQ(find(table, flows, flows.hashes[i]), i);
    }
  }
}

// As a load generator fills it: runs of ports, of which four lie together.
TEST(FlowTable, TakesItsWholeCapacityOfPortsInARow) {
  constexpr std::uint32_t kRun = 256;
  for (const std::size_t capacity : {100U, 10'000U, 1'000'000U}) {
    const base::HashSecret secret{.a = capacity * 0x9e3779b97f4a7c15, .b = 7};
    FlowTable table;
    ASSERT_TRUE(table.reserve(capacity));
    for (std::uint32_t i = 0; i < capacity; ++i) {
      const base::FlowKey key{Address::v4(0xc6120001 + i / kRun), Address::v4(0xc6130001),
                              static_cast<std::uint16_t>(1024 + i % kRun), 80};
      ASSERT_TRUE(table.insert(base::hash_flow(key, secret), i)) << i << " of " << capacity;
    }
  }
}

TEST(FlowTable, RefusesWhatItsProbesWouldNotReach) {
  FlowTable table;
  ASSERT_TRUE(table.reserve(10'000));
  constexpr std::uint32_t kReachable = FlowTable::kProbeMax * FlowTable::kBucketEntries;
  Flows flows;
  for (std::uint32_t i = 0; i <= kReachable; ++i) flows.hashes.push_back(std::uint64_t{i} << 32);
  for (std::uint32_t i = 0; i < kReachable; ++i) ASSERT_TRUE(table.insert(flows.hashes[i], i));
  EXPECT_FALSE(table.insert(flows.hashes[kReachable], kReachable));
  EXPECT_EQ(table.size(), kReachable);
  EXPECT_EQ(find(table, flows, flows.hashes[kReachable]), FlowTable::kNotFound);
  EXPECT_EQ(find(table, flows, flows.hashes[kReachable - 1]), kReachable - 1);
  // One gone anywhere in the chain makes room again.
  ASSERT_TRUE(table.erase(flows.hashes[5], 5));
  EXPECT_TRUE(table.insert(flows.hashes[kReachable], kReachable));
  EXPECT_EQ(find(table, flows, flows.hashes[kReachable]), kReachable);
}

// Flows that all have one home, found by somebody who knows the secret, are scattered by another
// one: who does not know it cannot aim.
TEST(FlowTable, CollisionsUnderOneSecretAreScatteredByAnother) {
  constexpr base::HashSecret kKnown{.a = 0x243f6a8885a308d3, .b = 0x13198a2e03707344};
  constexpr base::HashSecret kOurs{.a = 0xa4093822299f31d0, .b = 0x082efa98ec4e6c89};
  constexpr std::uint32_t kAimed = FlowTable::kProbeMax * FlowTable::kBucketEntries;
  constexpr unsigned kHomeBits = 10;
  const auto home = [](std::uint64_t hash) {
    return static_cast<std::uint32_t>(hash) >> (32 - kHomeBits);
  };
  FlowTable aimed_at;
  FlowTable table;
  ASSERT_TRUE(aimed_at.reserve(9000));
  ASSERT_TRUE(table.reserve(9000));
  Flows flows;
  std::uint32_t refused = 0;
  std::vector<std::uint32_t> in_home(1U << kHomeBits);
  base::FlowKey key{Address::v4(0xc6120002), Address::v4(0x0a000000), 80, 1};
  while (flows.hashes.size() < 2 * kAimed) {
    if (++key.remote_port == 0) key.remote = Address::v4(key.remote.v4_value() + 1);
    const std::uint64_t known = base::hash_flow(key, kKnown);
    if (home(known) != 0) continue;
    const auto number = static_cast<std::uint32_t>(flows.hashes.size());
    flows.hashes.push_back(base::hash_flow(key, kOurs));
    refused += aimed_at.insert(known, number) ? 0 : 1;
    ASSERT_TRUE(table.insert(flows.hashes[number], number));
    ++in_home[home(flows.hashes[number])];
  }
  EXPECT_GT(refused, 0U);  // the control
  EXPECT_LT(std::ranges::max(in_home), 8 * base::kPortsTogether);
  for (std::uint32_t i = 0; i < flows.hashes.size(); ++i) {
    ASSERT_EQ(find(table, flows, flows.hashes[i]), i);
  }
}

TEST(FlowTable, ErasingAChainLeavesNoTrace) {
  FlowTable table;
  ASSERT_TRUE(table.reserve(10'000));
  Flows flows;
  for (std::uint32_t i = 0; i < 600; ++i) flows.hashes.push_back(std::uint64_t{i} << 32 | 7);
  for (std::uint32_t i = 0; i < 600; ++i) ASSERT_TRUE(table.insert(flows.hashes[i], i));
  for (std::uint32_t i = 0; i < 600; ++i) ASSERT_TRUE(table.erase(flows.hashes[i], i));
  // Were an overflow count left, a lookup would read on into the next bucket, where another flow
  // with the same tag is at home.
  constexpr std::uint64_t kNextHome = 0x5e'0007;
  ASSERT_TRUE(table.insert(flows.hashes[0], 0));
  ASSERT_TRUE(table.insert(kNextHome, 1));
  int asked = 0;
  EXPECT_EQ(table.find(7,
                       [&](std::uint32_t) {
                         ++asked;
                         return false;
                       }),
            FlowTable::kNotFound);
  EXPECT_EQ(asked, 1);
}

TEST(FlowTable, ReplacesAReferenceInPlace) {
  FlowTable table;
  ASSERT_TRUE(table.reserve(100));
  constexpr std::uint64_t kHash = 0x1234'5678'9abc'def0;
  ASSERT_TRUE(table.insert(kHash, 1));
  EXPECT_FALSE(table.replace(kHash, 2, 3));
  EXPECT_TRUE(table.replace(kHash, 1, 0x8000'0003));
  EXPECT_EQ(table.find(kHash, [](std::uint32_t) { return true; }), 0x8000'0003U);
  EXPECT_FALSE(table.erase(kHash, 1));
  EXPECT_TRUE(table.erase(kHash, 0x8000'0003));
  EXPECT_EQ(table.size(), 0U);
}

TEST(FlowTable, OffersTheCandidatesOfTheHomeBucket) {
  FlowTable table;
  ASSERT_TRUE(table.reserve(1000));
  ASSERT_TRUE(table.insert(0x11, 4));
  ASSERT_TRUE(table.insert(0x1'0000'0011, 5));
  ASSERT_TRUE(table.insert(0x12, 6));
  std::vector<std::uint32_t> offered;
  table.prefetch(0x11);
  table.prefetch_candidates(0x11, [&](std::uint32_t reference) { offered.push_back(reference); });
  std::ranges::sort(offered);
  EXPECT_EQ(offered, (std::vector<std::uint32_t>{4, 5}));
}

// All flows of one worker resemble each other in the high half: it must not matter.
TEST(FlowTable, IgnoresTheHalfThatChoosesTheWorker) {
  base::Random random(9);
  FlowTable table;
  ASSERT_TRUE(table.reserve(50'000));
  for (std::uint32_t i = 0; i < 50'000; ++i) {
    ASSERT_TRUE(table.insert(0xabcd'0000'0000'0000 | (random.next() >> 32), i));
  }
}

}  // namespace
}  // namespace handfast::table
