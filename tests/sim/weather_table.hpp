// The recovery table: which weathers, algorithms and flows it has, and how a line reads. What it
// runs is tests/sim/weather and traces; who compares it with weather_table.txt is
// weather_table_test.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/traces.hpp"
#include "tests/sim/weather.hpp"

namespace handfast::sim {

struct WeatherRow {
  std::string key;
  WeatherConfig config;
};

// Lines of one path belong together.
struct WeatherPath {
  std::uint64_t bits_per_second;
  std::int64_t delay_ms;  // one way
};
inline constexpr WeatherPath kWeatherPaths[] = {
    {100'000'000, 1},   {100'000'000, 10},   {100'000'000, 50},
    {1'000'000'000, 1}, {1'000'000'000, 10}, {1'000'000'000, 50},
};

// One flow: every weather, with every algorithm.
std::vector<WeatherRow> recovery_rows(const WeatherPath& path);
// Several flows that share a line.
std::vector<WeatherRow> fairness_rows();
// The traces of tests/sim/traces have a line each, too, with the default algorithm.
std::string key_of(const Trace& trace);
std::vector<std::string> all_keys();

std::string table_heading();
std::string values_of(const WeatherRow& row, const WeatherReport& report);
std::string values_of(const TraceReport& report);

}  // namespace handfast::sim
