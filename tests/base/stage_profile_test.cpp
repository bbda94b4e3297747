#include "base/stage_profile.hpp"

#include <gtest/gtest.h>

#include <type_traits>

namespace handfast::base {
namespace {

// A counter that moves when it is told to, and by `each` at every reading.
struct Hands {
  std::uint64_t now = 0;
  std::uint64_t each = 0;
};
struct Clock {
  Hands* hands;
  std::uint64_t operator()() const { return hands->now += hands->each; }
};
using Recorder = StageRecorder<Clock>;

TEST(StageProfile, InnerTimeIsTakenOutOfTheOuter) {
  Hands hands;
  Recorder recorder(Clock{&hands});
  {
    const StageScope demux(recorder, Stage::demux);
    hands.now += 10;
    {
      const StageScope protocol(recorder, Stage::protocol);
      hands.now += 200;
      {
        const StageScope callback(recorder, Stage::callback);
        hands.now += 3000;
      }
      hands.now += 40'000;
    }
    hands.now += 5;
  }
  hands.now += 7;
  recorder.end_turn(true);
  const StageTimes times = recorder.times();
  EXPECT_TRUE(times.is_measured);
  EXPECT_EQ(times.of(Stage::demux), 15);
  EXPECT_EQ(times.of(Stage::protocol), 40'200);
  EXPECT_EQ(times.of(Stage::callback), 3000);
  EXPECT_EQ(times.of(Stage::loop), 7);
  EXPECT_EQ(times.of(Stage::emit), 0);
  EXPECT_EQ(times.sum(), 43'222);
}

TEST(StageProfile, ABlockMayGoOnWithAnotherStage) {
  Hands hands;
  Recorder recorder(Clock{&hands});
  {
    StageScope scope(recorder, Stage::parse);
    hands.now += 3;
    scope.next(Stage::demux);
    hands.now += 4;
  }
  recorder.end_turn(true);
  EXPECT_EQ(recorder.times().of(Stage::parse), 3);
  EXPECT_EQ(recorder.times().of(Stage::demux), 4);
}

TEST(StageProfile, ATurnThatMovedNothingIsForgotten) {
  Hands hands;
  Recorder recorder(Clock{&hands});
  for (const bool moved : {false, true, false}) {
    {
      const StageScope scope(recorder, Stage::receive);
      hands.now += 100;
    }
    recorder.end_turn(moved);
  }
  EXPECT_EQ(recorder.times().of(Stage::receive), 100);
}

TEST(StageProfile, TimeBetweenTurnsIsNobodys) {
  Hands hands;
  Recorder recorder(Clock{&hands});
  for (int i = 0; i < 2; ++i) {
    hands.now += 1000;
    recorder.begin_turn();
    hands.now += 7;
    recorder.end_turn(true);
  }
  EXPECT_EQ(recorder.times().sum(), 14);
  EXPECT_EQ(recorder.times().of(Stage::loop), 14);
}

TEST(StageProfile, WhatTheReadingsCostIsTakenOff) {
  Hands hands{.each = 38};
  Recorder recorder(Clock{&hands});
  for (int i = 0; i < 1000; ++i) {
    const StageScope outer(recorder, Stage::emit);
    hands.now += 50;
    const StageScope inner(recorder, Stage::callback);
    hands.now += 20;
  }
  recorder.end_turn(true);
  const StageTimes times = recorder.times();
  EXPECT_EQ(times.reading_cycles, 38);
  EXPECT_EQ(times.of(Stage::emit), 50'000);
  EXPECT_EQ(times.of(Stage::callback), 20'000);
  EXPECT_EQ(times.of(Stage::loop), 0);
  EXPECT_EQ(times.readings[static_cast<std::size_t>(Stage::callback)], 1000U);
}

TEST(StageProfile, WorkersAddUp) {
  StageTimes sum;
  sum += StageTimes{};
  EXPECT_FALSE(sum.is_measured);
  StageTimes one{.is_measured = true, .reading_cycles = 38};
  one.cycles[0] = 5;
  sum += one;
  sum += one;
  EXPECT_TRUE(sum.is_measured);
  EXPECT_EQ(sum.of(Stage::receive), 10);
  EXPECT_EQ(sum.reading_cycles, 38);
}

TEST(StageProfile, WithoutTheOptionThereIsNone) {
  static_assert(std::is_empty_v<NoStageProfile>);
  NoStageProfile none;
  const StageScope scope(none, Stage::demux);
  none.begin_turn();
  none.end_turn(true);
  EXPECT_FALSE(none.times().is_measured);
}

TEST(StageProfile, EveryStageHasAName) {
  EXPECT_EQ(to_string(Stage::receive), "receive");
  EXPECT_EQ(to_string(Stage::loop), "loop");
}

}  // namespace
}  // namespace handfast::base
