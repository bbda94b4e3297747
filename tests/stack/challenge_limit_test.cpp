// Each record's own limit of challenge ACKs, and the one of all that is drawn anew each second.
#include "stack/challenge_limit.hpp"

#include <gtest/gtest.h>

#include <set>

namespace handfast::stack {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kLimitedRecords = 4000;
constexpr Instant kStart = Instant::from_ns(7'000'000'000);

class ChallengeLimitTest : public testing::Test {
 public:
  ChallengeLimitTest() { EXPECT_TRUE(limit.reserve(kLimitedRecords, {1, 2})); }
  // Of so many records, each asking once.
  std::uint32_t taken_by_all(Instant now) {
    std::uint32_t taken = 0;
    for (std::uint32_t i = 0; i < kLimitedRecords; ++i) taken += limit.take(i, 1, now) ? 1 : 0;
    return taken;
  }
  ChallengeLimit limit;
};

TEST_F(ChallengeLimitTest, OneARecordInHalfASecond) {
  EXPECT_TRUE(limit.take(5, 1, kStart));
  EXPECT_FALSE(limit.take(5, 1, kStart));
  EXPECT_TRUE(limit.take(6, 1, kStart));
  EXPECT_FALSE(limit.take(5, 1, kStart + 499ms));
  EXPECT_TRUE(limit.take(5, 1, kStart + 501ms));
}

TEST_F(ChallengeLimitTest, APlaceTakenAnewBeginsAnew) {
  EXPECT_TRUE(limit.take(5, 1, kStart));
  EXPECT_TRUE(limit.take(5, 3, kStart));
  EXPECT_FALSE(limit.take(5, 3, kStart));
}

TEST_F(ChallengeLimitTest, WhoDrawsAllCannotSayHowManyThereWere) {
  std::set<std::uint32_t> seen;
  for (int second = 0; second < 60; ++second) {
    const std::uint32_t taken = taken_by_all(kStart + second * 1s);
    EXPECT_GE(taken, ChallengeLimit::kLeast);
    EXPECT_LT(taken, ChallengeLimit::kLeast + ChallengeLimit::kSpread);
    seen.insert(taken);
  }
  EXPECT_GT(seen.size(), 50U);
}

TEST_F(ChallengeLimitTest, OtherStacksDrawOtherNumbers) {
  ChallengeLimit other;
  ASSERT_TRUE(other.reserve(1, {1, 3}));
  int same = 0;
  for (std::uint64_t second = 0; second < 100; ++second) {
    same += limit.quantum(second) == other.quantum(second) ? 1 : 0;
  }
  EXPECT_LT(same, 5);
}

}  // namespace
}  // namespace handfast::stack
