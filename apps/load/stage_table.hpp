// StageTable: the stage profile of a run, for programs built with the option `stage_profile`. A
// stage's cycles are divided by the frames that pass through it: those received, sent, or both.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "apps/load/books.hpp"

namespace handfast::load {

// Of one stage: its cycles for each frame that it handles; 0 without frames.
double cycles_per_frame(const Side& side, Stage stage);

// Empty when nothing was measured.
std::string stage_table(const Books& books);
// null when nothing was measured.
nlohmann::ordered_json stages_json(const Books& books);

}  // namespace handfast::load
