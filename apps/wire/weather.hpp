// The options of handfast-wire that describe the weather in one direction, or in both.
#pragma once

#include <expected>
#include <string>

#include "apps/options/command_line.hpp"
#include "drivers/impair/impairment.hpp"

namespace handfast::emulator {

// Adds each option three times: "--delay" for both directions, and "--ab-delay" and "--ba-delay",
// which win over it wherever they stand. Both are written to while the command line is parsed.
void add_weather_options(CLI::App& app, drivers::Impairment& a_to_b, drivers::Impairment& b_to_a);

// Fills in the default queue, and refuses what cannot have an effect. `prefix` of the options.
std::expected<void, std::string> complete_weather(drivers::Impairment& weather,
                                                  std::string_view prefix);

}  // namespace handfast::emulator
