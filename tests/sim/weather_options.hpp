// The options of sim_weather, and the command that runs one line of the recovery table again.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

#include "tests/sim/weather.hpp"

namespace handfast::sim {

// "new_reno", "cubic", "dctcp", "bbr", "none".
std::string_view name_of(CongestionControl algorithm);

// `config` must outlive the parsing; its values are the defaults.
void add_weather_options(CLI::App& app, WeatherConfig& config);

// The command that runs just this again.
std::string command_of(const WeatherConfig& config);

}  // namespace handfast::sim
