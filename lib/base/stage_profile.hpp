// StageProfile: how many cycles a stack's polls spend in each stage. A stack has one, and opens a
// StageScope where a stage begins; scopes nest, and the time of an inner one is taken out of the
// outer. Built only with the option `stage_profile`: otherwise NoStageProfile takes its place, and
// every call compiles to nothing.
//
//   const base::StageScope scope(stages_, Stage::demux);
//
// Each scope reads the counter twice. A reading costs some 10 ns, which is much beside a stage: it
// is measured at the start, and taken off for each. The processor does not wait at a reading for
// what came before it, so some ns of a stage may count as its neighbour's.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <utility>

#include "handfast/stages.hpp"

namespace handfast::base {

// The time-stamp counter where there is one, else nanoseconds.
struct CycleCounter {
  std::uint64_t operator()() const {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::nanoseconds(now).count());
#endif
  }
};

template <class Cycles>
class StageRecorder {
 public:
  explicit StageRecorder(Cycles cycles = {})
      : cycles_(std::move(cycles)), reading_cycles_(measure_reading()) {
    turn_ = {};
    begin_turn();
  }

  // What has passed since the turn before is nobody's: the worker may have slept, or given way.
  void begin_turn() { since_ = cycles_(); }

  // What passes from now on belongs to `stage`; returns whose it was.
  Stage enter(Stage stage) {
    const std::uint64_t now = cycles_();
    Spent& spent = turn_[place(current_)];
    spent.cycles += now - since_;
    ++spent.readings;
    since_ = now;
    return std::exchange(current_, stage);
  }

  // A turn that moved nothing is forgotten, or waiting would count as the stages'.
  void end_turn(bool moved) {
    enter(Stage::loop);
    if (moved) {
      for (std::size_t i = 0; i < kStageCount; ++i) {
        all_[i].cycles += turn_[i].cycles;
        all_[i].readings += turn_[i].readings;
      }
    }
    turn_ = {};
  }

  StageTimes times() const {
    StageTimes out{.is_measured = true, .reading_cycles = reading_cycles_};
    for (std::size_t i = 0; i < kStageCount; ++i) {
      const double read = reading_cycles_ * static_cast<double>(all_[i].readings);
      out.cycles[i] = std::max(0.0, static_cast<double>(all_[i].cycles) - read);
      out.readings[i] = all_[i].readings;
    }
    return out;
  }

 private:
  struct Spent {
    std::uint64_t cycles = 0;
    std::uint64_t readings = 0;
  };

  static constexpr std::size_t place(Stage stage) { return static_cast<std::size_t>(stage); }

  // The least of many batches: the others were interrupted.
  double measure_reading() {
    constexpr int kBatches = 64;
    constexpr int kReadings = 256;
    std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
    for (int batch = 0; batch < kBatches; ++batch) {
      enter(Stage::loop);
      const std::uint64_t before = since_;
      for (int i = 0; i < kReadings; ++i) enter(Stage::loop);
      least = std::min(least, since_ - before);
    }
    return static_cast<double>(least) / kReadings;
  }

  Cycles cycles_;
  Stage current_ = Stage::loop;
  std::uint64_t since_ = 0;
  std::array<Spent, kStageCount> turn_{};
  std::array<Spent, kStageCount> all_{};
  double reading_cycles_;
};

struct NoStageProfile {
  static constexpr Stage enter(Stage stage) { return stage; }
  static constexpr void begin_turn() {}
  static constexpr void end_turn(bool) {}
  static constexpr StageTimes times() { return {}; }
};

#ifdef HANDFAST_STAGE_PROFILE
using StageProfile = StageRecorder<CycleCounter>;
#else
using StageProfile = NoStageProfile;
#endif

// From here to the end of the block it is `stage`, but for what scopes within take out.
template <class Profile>
class StageScope {
 public:
  [[gnu::always_inline]] StageScope(Profile& profile, Stage stage)
      : profile_(profile), outer_(profile.enter(stage)) {}
  [[gnu::always_inline]] ~StageScope() { profile_.enter(outer_); }
  StageScope(const StageScope&) = delete;
  StageScope& operator=(const StageScope&) = delete;

  // The same block goes on with another stage.
  void next(Stage stage) { profile_.enter(stage); }

 private:
  Profile& profile_;
  Stage outer_;
};

}  // namespace handfast::base
