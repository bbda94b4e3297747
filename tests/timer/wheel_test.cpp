// The wheel against a plain list of deadlines: each timer fires once, never early, and at the first
// advance at or after its deadline.
#include "timer/wheel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "base/random.hpp"

namespace handfast::timer {
namespace {

constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

// Records with a node each, the wheel, and what the wheel should do.
class Model {
 public:
  Model(std::uint32_t records, std::uint32_t entries_max, Tick now)
      : nodes_(records), expected_(records, 0), now_(now) {
    EXPECT_TRUE(wheel.reserve(entries_max, now));
  }

  auto node_of() {
    return [this](std::uint32_t id) -> TimerNode& { return nodes_[id]; };
  }
  bool arm(std::uint32_t id, Tick deadline) {
    if (deadline == 0) deadline = 1;
    const bool armed = wheel.arm(id, nodes_[id], deadline, node_of());
    if (armed) expected_[id] = deadline;
    return armed;
  }
  void cancel(std::uint32_t id) {
    Wheel::cancel(nodes_[id]);
    expected_[id] = 0;
  }
  void on_expire(std::uint32_t id) {
    EXPECT_NE(expected_[id], 0U) << "fired without being armed: " << id;
    EXPECT_FALSE(is_before(now_, expected_[id])) << "fired early: " << id;
    EXPECT_FALSE(nodes_[id].is_armed());
    expected_[id] = 0;
    ++fired;
  }
  // Advances with no limit on the work and checks that nothing that is due stays behind.
  void advance(Tick now) {
    now_ = now;
    wheel.advance(
        now, node_of(), [this](std::uint32_t id) { on_expire(id); }, kNoLimit);
    expect_none_due();
  }
  void expect_none_due() const {
    const Tick next = wheel.next_deadline();
    for (std::uint32_t id = 0; id < expected_.size(); ++id) {
      if (expected_[id] == 0) continue;
      ASSERT_TRUE(is_before(now_, expected_[id])) << "missed: " << id;
      ASSERT_NE(next, 0U);
      ASSERT_FALSE(is_before(expected_[id], next)) << "next_deadline() is too late for " << id;
    }
  }
  Tick expected(std::uint32_t id) const { return expected_[id]; }
  TimerNode& node(std::uint32_t id) { return nodes_[id]; }
  std::uint32_t armed_count() const {
    return static_cast<std::uint32_t>(
        std::ranges::count_if(expected_, [](Tick t) { return t != 0; }));
  }
  std::uint32_t size() const { return static_cast<std::uint32_t>(expected_.size()); }
  void set_now(Tick now) { now_ = now; }
  Tick now() const { return now_; }

  Wheel wheel;
  std::size_t fired = 0;

 private:
  std::vector<TimerNode> nodes_;
  std::vector<Tick> expected_;
  Tick now_;
};

// Distances of every order of magnitude, from the past to 39 h.
Tick random_distance(base::Random& random) {
  const auto bits = random.below(31);
  return static_cast<Tick>(random.below(std::uint64_t{1} << bits));
}

void run_random(std::uint64_t seed, Tick start, int steps, std::uint32_t entries_max) {
  base::Random random(seed);
  Model model(200, entries_max, start);
  for (int step = 0; step < steps && !testing::Test::HasFatalFailure(); ++step) {
    for (auto n = random.below(8); n > 0; --n) {
      const auto id = static_cast<std::uint32_t>(random.below(model.size()));
      if (random.chance(0.2)) {
        model.cancel(id);
      } else if (random.chance(0.05)) {
        EXPECT_TRUE(model.arm(id, model.now() - static_cast<Tick>(random.below(1000))));
      } else {
        EXPECT_TRUE(model.arm(id, model.now() + random_distance(random)));
      }
    }
    if (random.chance(0.3) && model.wheel.next_deadline() != 0) {
      const Tick next = model.wheel.next_deadline();
      model.advance(is_before(next, model.now()) ? model.now() : next);
    } else {
      model.advance(model.now() + static_cast<Tick>(random.below(1U << random.below(27))));
    }
  }
  EXPECT_GT(model.fired, 0U);
}

TEST(Wheel, AgreesWithTheModelOverDays) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) run_random(seed, 12'345, 2000, 100'000);
}

TEST(Wheel, AgreesWithTheModelFromEveryStart) {
  const Tick starts[] = {0, 1, 255, 256, 0xffff, 0x10000, 0x7fffffff, 0xfffffff0, 0xffffffff};
  for (const Tick start : starts) run_random(start + 99, start, 500, 100'000);
}

TEST(Wheel, AgreesWithTheModelWhenItMustCompact) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) run_random(seed, 777, 1000, 200);
}

TEST(Wheel, FiresAtItsTickAcrossTheWrap) {
  for (const Tick start : {Tick{0xffffff80}, Tick{0xfffeff00}, Tick{0xff000000}}) {
    for (Tick distance = 1; distance < 0x2000000; distance = distance * 3 + 1) {
      Model model(1, 8, start);
      ASSERT_TRUE(model.arm(0, start + distance));
      const Tick deadline = model.expected(0);
      model.advance(deadline - 1);
      EXPECT_EQ(model.fired, 0U);
      model.advance(deadline);
      EXPECT_EQ(model.fired, 1U);
    }
  }
}

TEST(Wheel, FiresOnBothSidesOfEachLevelsEdge) {
  for (const Tick edge : {Tick{1} << 8, Tick{1} << 16, Tick{1} << 24, Wheel::kFileAheadMax}) {
    Model model(3, 16, 0);
    for (std::uint32_t id = 0; id < 3; ++id) ASSERT_TRUE(model.arm(id, edge - 1 + id));
    for (std::uint32_t id = 0; id < 3; ++id) {
      EXPECT_EQ(model.fired, id);
      model.advance(edge - 1 + id);
      EXPECT_EQ(model.fired, id + 1);
    }
  }
}

TEST(Wheel, NextDeadlineLeadsToEveryTimer) {
  Model model(1, 8, 5);
  ASSERT_TRUE(model.arm(0, 40'000'000));
  int jumps = 0;
  while (model.fired == 0) {
    const Tick next = model.wheel.next_deadline();
    ASSERT_NE(next, 0U);
    ASSERT_TRUE(is_before(model.now(), next));
    model.advance(next);
    ASSERT_LT(++jumps, 100);
  }
  EXPECT_EQ(model.now(), 40'000'000U);
  EXPECT_EQ(model.wheel.next_deadline(), 0U);
}

TEST(Wheel, ATimerArmedForThePastFiresInTheNextAdvance) {
  Model model(1, 8, 1000);
  ASSERT_TRUE(model.arm(0, 900));
  EXPECT_EQ(model.wheel.next_deadline(), 1000U);
  model.advance(1000);
  EXPECT_EQ(model.fired, 1U);
}

TEST(Wheel, ArmingForNowInExpireWaitsForTheNextAdvance) {
  Model model(1, 8, 1000);
  ASSERT_TRUE(model.arm(0, 1000));
  for (std::size_t round = 1; round <= 5; ++round) {
    model.wheel.advance(
        1000, model.node_of(),
        [&](std::uint32_t id) {
          model.on_expire(id);
          ASSERT_TRUE(model.arm(id, 1000));
        },
        kNoLimit);
    EXPECT_EQ(model.fired, round);
  }
}

TEST(Wheel, ExpireMayArmCancelAndMoveOthers) {
  Model model(3, 16, 0);
  for (std::uint32_t id = 0; id < 3; ++id) ASSERT_TRUE(model.arm(id, 50));
  std::uint32_t first = 3;
  model.set_now(60);
  model.wheel.advance(
      60, model.node_of(),
      [&](std::uint32_t id) {
        model.on_expire(id);
        if (first != 3) return;
        first = id;
        model.cancel((id + 1) % 3);
        ASSERT_TRUE(model.arm((id + 2) % 3, 300));
      },
      kNoLimit);
  EXPECT_EQ(model.fired, 1U);
  model.advance(299);
  EXPECT_EQ(model.fired, 1U);
  model.advance(300);
  EXPECT_EQ(model.fired, 2U);
}

TEST(Wheel, ContinuesWhereItsBudgetEnded) {
  Model model(1000, 2000, 0);
  for (std::uint32_t id = 0; id < 1000; ++id) ASSERT_TRUE(model.arm(id, 100 + id / 500));
  model.set_now(101);
  std::size_t calls = 0;
  while (model.fired < 1000) {
    const std::size_t before = model.fired;
    const std::size_t expired = model.wheel.advance(
        101, model.node_of(), [&](std::uint32_t id) { model.on_expire(id); }, 64);
    EXPECT_EQ(expired, model.fired - before);
    ASSERT_LE(expired, 64U);
    ASSERT_GT(expired, 0U);
    ++calls;
    if (model.fired < 1000) {
      EXPECT_FALSE(is_before(101, model.wheel.next_deadline()));
    }
  }
  EXPECT_EQ(calls, 16U);
  EXPECT_EQ(model.wheel.next_deadline(), 0U);
}

TEST(Wheel, RandomBudgetsLoseNothing) {
  base::Random random(4);
  Model model(500, 600, 0xffffe000);
  for (int step = 0; step < 20'000; ++step) {
    const auto id = static_cast<std::uint32_t>(random.below(500));
    if (random.chance(0.8)) {
      ASSERT_TRUE(model.arm(id, model.now() + static_cast<Tick>(random.below(3000)) - 10));
    } else {
      model.cancel(id);
    }
    model.set_now(model.now() + static_cast<Tick>(random.below(20)));
    model.wheel.advance(
        model.now(), model.node_of(), [&](std::uint32_t fired) { model.on_expire(fired); },
        random.below(10));
  }
  const std::size_t before = model.fired;
  const std::uint32_t armed = model.armed_count();
  model.advance(model.now() + 10'000);
  EXPECT_EQ(model.fired - before, armed);
  EXPECT_EQ(model.armed_count(), 0U);
}

TEST(Wheel, ARecycledRecordKeepsItsOneEntry) {
  Model model(1, 4, 0);
  for (Tick now = 1; now < 100'000; ++now) {
    ASSERT_TRUE(model.wheel.arm(0, model.node(0), now + 15'000));
    Wheel::cancel(model.node(0));
    model.advance(now);
    ASSERT_EQ(model.wheel.entries() <= 1, true);
  }
  ASSERT_TRUE(model.arm(0, 100'500));
  model.advance(100'499);
  EXPECT_EQ(model.fired, 0U);
  model.advance(100'500);
  EXPECT_EQ(model.fired, 1U);
}

TEST(Wheel, ACancelledEntryIsDroppedWhenItComesRound) {
  Model model(1, 4, 0);
  ASSERT_TRUE(model.arm(0, 500));
  model.cancel(0);
  EXPECT_EQ(model.wheel.entries(), 1U);
  model.advance(500);
  EXPECT_EQ(model.fired, 0U);
  EXPECT_EQ(model.wheel.entries(), 0U);
  EXPECT_EQ(model.wheel.next_deadline(), 0U);
}

TEST(Wheel, RefusesWhenFullAndLeavesTheNodeAsItWas) {
  Model model(3, 2, 0);
  ASSERT_TRUE(model.wheel.arm(0, model.node(0), 5000));
  ASSERT_TRUE(model.wheel.arm(0, model.node(0), 10));  // the entry at 5000 is stale now
  EXPECT_FALSE(model.wheel.arm(1, model.node(1), 20));
  EXPECT_FALSE(model.node(1).is_armed());
  EXPECT_FALSE(model.wheel.arm(0, model.node(0), 5));
  EXPECT_EQ(model.node(0).deadline, 10U);
  // Later deadlines need no entry.
  EXPECT_TRUE(model.wheel.arm(0, model.node(0), 30));
  EXPECT_EQ(model.wheel.entries(), 2U);
  // Compaction drops the stale one, once; then all are live.
  EXPECT_TRUE(model.wheel.arm(1, model.node(1), 20, model.node_of()));
  EXPECT_EQ(model.wheel.entries(), 2U);
  EXPECT_FALSE(model.wheel.arm(2, model.node(2), 20, model.node_of()));
}

TEST(Wheel, CompactionLeavesOneEntryForEachArmedNode) {
  base::Random random(11);
  Model model(300, 50'000, 1000);
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 2000; ++i) {
      const auto id = static_cast<std::uint32_t>(random.below(300));
      ASSERT_TRUE(model.arm(id, model.now() + 100'000));
      ASSERT_TRUE(model.arm(id, model.now() + static_cast<Tick>(random.below(200))));
      if (random.chance(0.1)) model.cancel(id);
      if (random.chance(0.3)) model.advance(model.now() + static_cast<Tick>(random.below(30)));
    }
    // In the middle of a slot as well.
    model.set_now(model.now() + 200);
    model.wheel.advance(
        model.now(), model.node_of(), [&](std::uint32_t id) { model.on_expire(id); }, 20);
    ASSERT_GT(model.wheel.entries(), model.armed_count());
    model.wheel.compact(model.node_of());
    ASSERT_EQ(model.wheel.entries(), model.armed_count());
    model.advance(model.now());
  }
}

TEST(Wheel, StaleEntriesDoNotOutliveTheFilingLimit) {
  Model model(1, 64, 0);
  // An idle deadline of two hours, and a short one within it once every ten seconds.
  constexpr Tick kTwoHours = 109'863'281;
  constexpr Tick kTenSeconds = 152'588;
  std::uint32_t entries_most = 0;
  for (Tick now = 0; now < 20 * kTwoHours / 10; now += kTenSeconds) {
    model.advance(now);
    ASSERT_TRUE(model.wheel.arm(0, model.node(0), now + kTwoHours));
    ASSERT_TRUE(model.wheel.arm(0, model.node(0), now + 3000));
    ASSERT_TRUE(model.wheel.arm(0, model.node(0), now + kTwoHours));
    entries_most = std::max(entries_most, model.wheel.entries());
  }
  EXPECT_LE(entries_most, 16U);
}

TEST(Tick, RoundsUpForDeadlinesAndDownForNow) {
  EXPECT_EQ(tick_at_or_after(Instant::from_ns(0)), 1U);
  EXPECT_EQ(tick_at_or_after(Instant::from_ns(1)), 1U);
  EXPECT_EQ(tick_at_or_after(Instant::from_ns(65'536)), 1U);
  EXPECT_EQ(tick_at_or_after(Instant::from_ns(65'537)), 2U);
  EXPECT_EQ(tick_at_or_before(Instant::from_ns(65'535)), 0U);
  EXPECT_EQ(tick_at_or_before(Instant::from_ns(65'536)), 1U);
  // One whole turn later, 0 is skipped as well.
  EXPECT_EQ(tick_at_or_after(Instant::from_ns(std::int64_t{1} << 48)), 1U);
}

TEST(Tick, ComesBackAsTheNearestInstant) {
  base::Random random(5);
  for (int i = 0; i < 100'000; ++i) {
    const auto near = Instant::from_ns(static_cast<std::int64_t>(random.below(1ULL << 52)));
    const auto within = static_cast<std::int64_t>(random.below(1ULL << 46)) - (1LL << 45);
    const auto at = Instant::from_ns(std::max<std::int64_t>(near.ns() + within, 0));
    const Tick tick = tick_at_or_after(at);
    const Instant back = instant_of(tick, near);
    ASSERT_GE(back, at);
    ASSERT_LE((back - at).count(), 2 * 65'536);
    ASSERT_EQ(tick_at_or_after(back), tick);
  }
}

}  // namespace
}  // namespace handfast::timer
