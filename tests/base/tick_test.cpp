#include "base/tick.hpp"

#include <gtest/gtest.h>

namespace handfast::base {
namespace {

constexpr std::int64_t kTick = std::int64_t{1} << kTickShift;

TEST(Tick, ADeadlineNeverComesEarly) {
  EXPECT_EQ(tick_at_or_after(Instant::from_ns(5 * kTick)), 5U);
  EXPECT_EQ(tick_at_or_after(Instant::from_ns(5 * kTick + 1)), 6U);
  EXPECT_EQ(tick_of(Instant::from_ns(6 * kTick - 1)), 5U);
  EXPECT_EQ(ticks_in(Duration{kTick + 1}), 2U);
}

TEST(Tick, NoneIsNeverATime) {
  EXPECT_EQ(tick_of(Instant{}), 1U);
  EXPECT_EQ(tick_of(Instant::from_ns(kTick << 32)), 1U);
  EXPECT_FALSE(is_due(kNoTick, 1));
}

TEST(Tick, OrderHoldsAcrossTheWrap) {
  EXPECT_TRUE(is_due(0xffffffff, 1));
  EXPECT_FALSE(is_due(1, 0xffffffff));
  EXPECT_EQ(earlier_of(1, 0xffffffff), 0xffffffffU);
  EXPECT_EQ(earlier_of(0xffffffff, 1), 0xffffffffU);
}

TEST(Tick, NoneIsLaterThanAny) {
  for (const Tick tick : {Tick{1}, Tick{0x7fffffff}, Tick{0x80000001}, Tick{0xffffffff}}) {
    EXPECT_EQ(earlier_of(tick, kNoTick), tick);
    EXPECT_EQ(earlier_of(kNoTick, tick), tick);
  }
}

}  // namespace
}  // namespace handfast::base
