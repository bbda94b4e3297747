// The recovery table is what it was: every line of weather_table.txt is run again and must come out
// the same, to the byte. Virtual time and seeded lots make that so with any compiler that computes
// doubles as IEEE 754 says, without fused multiply-add (x86-64's baseline; not -ffast-math). A
// build for finding bugs, with assertions or a sanitizer, runs the shortest path only;
// HANDFAST_WEATHER=all runs all.
#include "tests/sim/weather_table.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/sim/snapshot.hpp"
#include "tests/sim/weather_options.hpp"

namespace handfast::sim {
namespace {

bool is_set(const char* name) {
  return std::getenv(name) != nullptr;
}

bool runs_all() {
#ifdef NDEBUG
  return true;
#else
  return is_set("HANDFAST_WEATHER") || is_set("HANDFAST_UPDATE_SNAPSHOTS");
#endif
}

// The program's one snapshot; written at its end, when that was asked for.
struct Table : testing::Environment {
  static Snapshot& snapshot() {
    static Snapshot one(HANDFAST_WEATHER_TABLE, table_heading(), all_keys());
    return one;
  }
  void TearDown() override {
    if (!is_set("HANDFAST_UPDATE_SNAPSHOTS")) return;
    EXPECT_TRUE(snapshot().write());
  }
};
const testing::Environment* const kTable = testing::AddGlobalTestEnvironment(new Table);

void expect_line(const std::string& key, const std::string& values, const std::string& command) {
  const auto difference = Table::snapshot().differs(key, values);
  if (!difference || is_set("HANDFAST_UPDATE_SNAPSHOTS")) return;
  ADD_FAILURE() << *difference << "\nagain with: " << command
                << "\naccept with: HANDFAST_UPDATE_SNAPSHOTS=1, see weather_table.txt";
}

WeatherReport run_row(const WeatherRow& row) {
  const WeatherReport report = run_weather(row.config);
  for (const std::string& failure : report.failures) {
    ADD_FAILURE() << row.key << ": " << failure << "\nagain with: " << command_of(row.config);
  }
  expect_line(row.key, values_of(row, report), command_of(row.config));
  return report;
}

struct OnePath : testing::TestWithParam<WeatherPath> {};

TEST_P(OnePath, IsAsItWas) {
  if (!runs_all() && GetParam().delay_ms != 1) GTEST_SKIP();
  for (const WeatherRow& row : recovery_rows(GetParam())) run_row(row);
}

std::string name_of_path(const testing::TestParamInfo<WeatherPath>& info) {
  return std::to_string(info.param.bits_per_second / 1'000'000) + "Mbit" +
         std::to_string(info.param.delay_ms) + "ms";
}

INSTANTIATE_TEST_SUITE_P(Recovery, OnePath, testing::ValuesIn(kWeatherPaths), name_of_path);

TEST(Fairness, IsAsItWas) {
  if (!runs_all()) GTEST_SKIP();
  // BBR's first version is known for shares that move: flows measure the same rate at other times.
  constexpr double kFair = 0.9;
  constexpr double kFairOfBbr = 0.6;
  for (const WeatherRow& row : fairness_rows()) {
    const bool is_bbr = row.config.senders.front().algorithm == CongestionControl::bbr;
    EXPECT_GE(run_row(row).fairness(), is_bbr ? kFairOfBbr : kFair) << row.key;
  }
}

struct OneTrace : testing::TestWithParam<Trace> {};

TEST_P(OneTrace, IsAsItWas) {
  const TraceReport report = run_trace(GetParam(), StackConfig{}.congestion_control, {});
  EXPECT_EQ(report.failures, std::vector<std::string>{});
  expect_line(key_of(GetParam()), values_of(report),
              "sim_weather --picture 1000 --trace " + std::string{GetParam().name});
}

INSTANTIATE_TEST_SUITE_P(Recovery, OneTrace, testing::ValuesIn(all_traces()));

TEST(WeatherTable, HasNoLineThatNobodyRuns) {
  if (is_set("HANDFAST_UPDATE_SNAPSHOTS")) GTEST_SKIP();  // it is about to lose them
  EXPECT_EQ(Table::snapshot().stale_keys(), std::vector<std::string>{});
}

TEST(WeatherTable, EqualSeedsGiveEqualRuns) {
  WeatherConfig config;
  config.bytes = 2'000'000;
  config.line.drop = 0.02;
  const WeatherReport first = run_weather(config);
  EXPECT_EQ(first.failures, std::vector<std::string>{});
  EXPECT_EQ(run_weather(config).digest, first.digest);
  config.seed = 2;
  EXPECT_NE(run_weather(config).digest, first.digest);
}

}  // namespace
}  // namespace handfast::sim
