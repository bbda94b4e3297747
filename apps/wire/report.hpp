// What happened on a link, for people and for programs.
#pragma once

#include <string>

#include "apps/wire/direction.hpp"
#include "apps/wire/options.hpp"

namespace handfast::emulator {

struct Report {
  Duration run_time{0};
  DirectionCounters a_to_b;
  DirectionCounters b_to_a;
};

std::string to_text(const Report& report);
std::string to_json(const Report& report, const Options& options);

}  // namespace handfast::emulator
