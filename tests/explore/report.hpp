// What a search has shown, for people and for programs, and whether that is what it should.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "tests/explore/search.hpp"

namespace handfast::explore {

// What a setting's search is to find before it stops.
FaultSet wanted_faults(const Setting& setting);

// Found just what is known to be found and, where that is nothing, looked everywhere.
bool is_as_expected(const Outcome& outcome);

// "again, 1 duplicate, without time-wait".
std::string title_of(const Setting& setting);
// The figures in one line, then each counter-example as a ladder.
std::string to_text(const Outcome& outcome);
nlohmann::json to_json(const Outcome& outcome);

}  // namespace handfast::explore
