// When a worker without work goes to sleep, and for how long.
#include "runtime/idle_sleep.hpp"

#include <gtest/gtest.h>

namespace handfast::runtime {
namespace {

constexpr Instant kNow = Instant::from_ns(5'000'000'000);

TEST(IdleSleepTest, OnlyAfterASpellWithoutWork) {
  IdleSleep idle;
  EXPECT_FALSE(idle.is_tired(kNow));
  EXPECT_FALSE(idle.is_tired(kNow + IdleSleep::kSpell - Duration(1)));
  EXPECT_TRUE(idle.is_tired(kNow + IdleSleep::kSpell));
  EXPECT_TRUE(idle.is_tired(kNow + 5 * IdleSleep::kSpell)) << "a look in between needs no spell";
}

TEST(IdleSleepTest, WorkBeginsTheSpellAnew) {
  IdleSleep idle;
  EXPECT_FALSE(idle.is_tired(kNow));
  idle.had_work();
  EXPECT_FALSE(idle.is_tired(kNow + IdleSleep::kSpell));
  EXPECT_TRUE(idle.is_tired(kNow + 2 * IdleSleep::kSpell));
}

// One that has had no work for so long that it sleeps for the longest time.
IdleSleep long_idle() {
  IdleSleep idle;
  EXPECT_FALSE(idle.is_tired(kNow - 10 * IdleSleep::kLongest));
  return idle;
}

TEST(IdleSleepTest, SleepsGrowWithTheIdleTimeUpToTheBound) {
  IdleSleep idle;
  EXPECT_FALSE(idle.is_tired(kNow));
  const Instant then = kNow + IdleSleep::kLongest;
  EXPECT_EQ(idle.time_to_sleep(then, {}), IdleSleep::kLongest / 4);
  EXPECT_EQ(idle.time_to_sleep(kNow + 4 * IdleSleep::kLongest, {}), IdleSleep::kLongest);
  const Instant later = kNow + 10 * IdleSleep::kLongest;
  EXPECT_EQ(long_idle().time_to_sleep(kNow, {}), IdleSleep::kLongest);
  EXPECT_EQ(long_idle().time_to_sleep(kNow, {.stack = later, .application = later}),
            IdleSleep::kLongest);
}

TEST(IdleSleepTest, UntilTheStackIsDue) {
  const Duration ahead = IdleSleep::kLongest / 2;
  EXPECT_EQ(long_idle().time_to_sleep(kNow, {.stack = kNow + ahead}), ahead);
  EXPECT_EQ(long_idle().time_to_sleep(kNow, {.stack = kNow}), Duration::zero());
  EXPECT_EQ(long_idle().time_to_sleep(kNow, {.stack = kNow + IdleSleep::kShortest - Duration(1)}),
            Duration::zero());
}

TEST(IdleSleepTest, AwakeBeforeTheApplicationIsDue) {
  const Duration ahead = IdleSleep::kLongest;
  EXPECT_EQ(long_idle().time_to_sleep(kNow, {.application = kNow + ahead}),
            ahead - IdleSleep::kWakeUp);
  EXPECT_EQ(long_idle().time_to_sleep(kNow, {.application = kNow + IdleSleep::kWakeUp}),
            Duration::zero());
}

TEST(IdleSleepTest, WhatTheApplicationCouldNotDoKeepsNobodyAwake) {
  EXPECT_EQ(long_idle().time_to_sleep(kNow, {.application = kNow}), IdleSleep::kLongest);
  EXPECT_EQ(long_idle().time_to_sleep(kNow, {.application = kNow - Duration(1)}),
            IdleSleep::kLongest);
}

}  // namespace
}  // namespace handfast::runtime
