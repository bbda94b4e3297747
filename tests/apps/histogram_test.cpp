#include "apps/load/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

namespace handfast::load {
namespace {

TEST(Histogram, EmptyIsZero) {
  const auto times = std::make_unique<Histogram>();
  EXPECT_EQ(times->percentile(50), 0U);
  EXPECT_EQ(times->max(), 0U);
  EXPECT_EQ(times->min(), 0U);
  EXPECT_EQ(times->mean(), 0);
}

TEST(Histogram, EveryValueIsReadBackWithinOnePercent) {
  for (unsigned shift = 0; shift < 64; ++shift) {
    for (const std::uint64_t offset : {0U, 1U, 3U}) {
      const std::uint64_t value = (std::uint64_t{1} << shift) + offset * ((1ULL << shift) / 5);
      auto times = std::make_unique<Histogram>();
      times->record(value);
      times->record(~std::uint64_t{0});  // so that max() does not stand in for the bucket
      const std::uint64_t read = times->percentile(50);
      EXPECT_GE(read, value);
      EXPECT_LE(static_cast<double>(read - value), 0.01 * static_cast<double>(value)) << value;
    }
  }
}

// A ping-pong of one connection takes a microsecond; steps of a tenth of that must show.
TEST(Histogram, StepsAreFineAroundAMicrosecond) {
  for (std::uint64_t ns = 400; ns < 3200; ns += 8) {
    auto times = std::make_unique<Histogram>();
    times->record(ns);
    times->record(~std::uint64_t{0});
    EXPECT_GE(times->percentile(50), ns);
    EXPECT_LE(times->percentile(50), ns + 15) << ns;
  }
}

TEST(Histogram, PercentilesOfKnownValues) {
  auto times = std::make_unique<Histogram>();
  for (std::uint64_t i = 1; i <= 100; ++i) times->record(i);
  EXPECT_EQ(times->percentile(50), 50U);
  EXPECT_EQ(times->percentile(99), 99U);
  EXPECT_EQ(times->percentile(100), 100U);
  EXPECT_EQ(times->percentile(0), 1U);
  EXPECT_EQ(times->min(), 1U);
  EXPECT_EQ(times->max(), 100U);
  EXPECT_DOUBLE_EQ(times->mean(), 50.5);
}

TEST(Histogram, MergedEqualsRecordedTogether) {
  std::mt19937_64 random(7);
  auto one = std::make_unique<Histogram>();
  auto other = std::make_unique<Histogram>();
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t value = random() >> (random() % 50 + 10);
    values.push_back(value);
    (i % 3 == 0 ? one : other)->record(value);
  }
  one->merge(*other);
  std::sort(values.begin(), values.end());
  ASSERT_EQ(one->count(), values.size());
  for (const double percent : {10.0, 50.0, 90.0, 99.0, 99.9}) {
    const auto rank = static_cast<std::size_t>(percent / 100 * 20'000) - 1;
    const auto exact = static_cast<double>(values[rank]);
    EXPECT_GE(static_cast<double>(one->percentile(percent)), exact);
    EXPECT_LE(static_cast<double>(one->percentile(percent)), exact * 1.01 + 1);
  }
  EXPECT_EQ(one->percentile(100), values.back());
}

}  // namespace
}  // namespace handfast::load
