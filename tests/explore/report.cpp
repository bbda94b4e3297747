#include "tests/explore/report.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tests/explore/ladder.hpp"
#include "tests/explore/options.hpp"

namespace handfast::explore {

namespace {

const Expectation* expectation_of(const Setting& setting) {
  return explore::expectation_of(*setting.scenario, setting.without, setting.budget);
}

// 12,345,678.
std::string with_commas(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string counted(unsigned count, std::string_view what, std::string_view plural) {
  return count == 0 ? std::string{} : fmt::format(", {} {}", count, count == 1 ? what : plural);
}

std::string_view verdict_of(const Outcome& outcome) {
  if (outcome.is_full) return "stopped: as many states as were allowed";
  if (outcome.found.empty()) {
    return is_as_expected(outcome) ? "nothing is wrong" : "NOT found what should be";
  }
  return is_as_expected(outcome) ? "found, as it should be" : "FOUND";
}

}  // namespace

FaultSet wanted_faults(const Setting& setting) {
  const Expectation* const expected = expectation_of(setting);
  return expected == nullptr ? FaultSet{} : FaultSet{expected->fault};
}

bool is_as_expected(const Outcome& outcome) {
  if (const Expectation* const expected = expectation_of(outcome.setting)) {
    return outcome.found.size() == 1 && outcome.found[0].fault == expected->fault;
  }
  // Where something is taken away and it is not known what for, either may be.
  if (outcome.setting.without != Without::nothing) return !outcome.is_full;
  return outcome.is_complete;
}

std::string title_of(const Setting& setting) {
  const Budget& budget = setting.budget;
  std::string title{setting.scenario->name};
  title += counted(budget.losses, "loss", "losses");
  title += counted(budget.duplicates, "duplicate", "duplicates");
  title += counted(budget.reorderings, "reordering", "reorderings");
  title += counted(budget.bursts, "burst", "bursts");
  if (setting.timestamps) title += ", with timestamps";
  if (setting.without != Without::nothing) {
    title += fmt::format(", without {}", to_string(setting.without));
  }
  return title;
}

std::string to_text(const Outcome& outcome) {
  std::string text = fmt::format("{}: {} states, {} transitions, {} ends, depth {}, {:.1f} s: {}\n",
                                 title_of(outcome.setting), with_commas(outcome.states),
                                 with_commas(outcome.transitions), with_commas(outcome.ends),
                                 outcome.depth, outcome.seconds, verdict_of(outcome));
  for (const Found& found : outcome.found) {
    text += fmt::format("\n{}\n", ladder(outcome.setting, found.way));
  }
  return text;
}

nlohmann::json to_json(const Outcome& outcome) {
  const Setting& setting = outcome.setting;
  nlohmann::json found = nlohmann::json::array();
  for (const Found& f : outcome.found) {
    found.push_back({{"fault", to_string(f.fault)},
                     {"steps", f.way.size()},
                     {"ladder", ladder(setting, f.way)}});
  }
  return {{"scenario", setting.scenario->name},
          {"losses", setting.budget.losses},
          {"duplicates", setting.budget.duplicates},
          {"reorderings", setting.budget.reorderings},
          {"bursts", setting.budget.bursts},
          {"timestamps", setting.timestamps},
          {"without", to_string(setting.without)},
          {"states", outcome.states},
          {"transitions", outcome.transitions},
          {"ends", outcome.ends},
          {"depth", outcome.depth},
          {"is_complete", outcome.is_complete},
          {"seconds", outcome.seconds},
          {"peak_bytes", outcome.peak_bytes},
          {"found", found},
          {"is_as_expected", is_as_expected(outcome)}};
}

}  // namespace handfast::explore
