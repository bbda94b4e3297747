#include "tests/explore/options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <sstream>
#include <thread>

namespace handfast::explore {

namespace {

struct Wanted {
  std::string scenario = "all";
  std::string without;
  Budget budget{.losses = 1, .duplicates = 1, .reorderings = 1};
  bool has_budget = false;
  bool timestamps = false;
};

Without without_of(const std::string& name) {
  if (name == "third-segment") return Without::third_segment;
  return name == "time-wait" ? Without::time_wait : Without::nothing;
}

std::string scenario_help() {
  std::string text = "all, or one of:";
  for (const Scenario& scenario : scenarios()) {
    text += fmt::format("\n  {:18} {}", scenario.name, scenario.about);
  }
  return text;
}

void add_options(CLI::App& app, Wanted& wanted, Options& options) {
  std::vector<std::string> names{"all"};
  for (const Scenario& scenario : scenarios()) names.emplace_back(scenario.name);
  app.add_option("--scenario", wanted.scenario, scenario_help())->check(CLI::IsMember(names));
  const auto add_budget = [&](const char* name, std::uint8_t& count, const char* meaning) {
    app.add_option_function<unsigned>(
           name,
           [&wanted, &count](unsigned value) {
             count = static_cast<std::uint8_t>(value);
             wanted.has_budget = true;
           },
           meaning)
        ->check(CLI::Range(0, 8));
  };
  add_budget("--losses", wanted.budget.losses, "segments lost, at most");
  add_budget("--duplicates", wanted.budget.duplicates, "segments that arrive twice, at most");
  add_budget("--reorderings", wanted.budget.reorderings,
             "segments held back beyond others and beyond timers, at most");
  add_budget("--bursts", wanted.budget.bursts,
             "segments that are answered together with what comes behind them, at most");
  app.add_option("--max-states", options.limits.max_states, "stop there, as a failure")
      ->check(CLI::Range(1'000ULL, 4'000'000'000ULL));
  app.add_option("--threads", options.limits.threads, "all cores if left out")
      ->check(CLI::Range(1, 256));
  app.add_option("--without", wanted.without,
                 "take it away, and find what it is for: third-segment, time-wait")
      ->check(CLI::IsMember({"third-segment", "time-wait"}));
  app.add_flag("--timestamps", wanted.timestamps, "both ends offer RFC 7323's");
  app.add_flag("--straight", options.draws_straight_way,
               "draw the way on which nothing goes wrong, and explore nothing");
  app.add_option("--json", options.json_file, "write the figures there");
}

// All scenarios; without something, those of which it is known what is then found.
void list_runs(const Wanted& wanted, Options& options) {
  const Without without = without_of(wanted.without);
  const auto add = [&](const Scenario& scenario, const Budget& budget) {
    options.runs.push_back({&scenario, budget, without, wanted.timestamps});
  };
  if (wanted.scenario != "all") return add(*find_scenario(wanted.scenario), wanted.budget);
  if (without == Without::nothing) {
    for (const Scenario& scenario : scenarios()) add(scenario, wanted.budget);
    return;
  }
  for (const Expectation& e : expectations()) {
    if (e.without != without) continue;
    add(*find_scenario(e.scenario), wanted.has_budget ? wanted.budget : e.budget);
  }
}

}  // namespace

std::string_view to_string(Without without) {
  switch (without) {
    case Without::third_segment:
      return "third-segment";
    case Without::time_wait:
      return "time-wait";
    case Without::nothing:
      break;
  }
  return "";
}

std::expected<Options, Refusal> parse_options(const std::vector<std::string>& arguments) {
  CLI::App app{"Visits every state that two real endpoints and a bad network can reach.",
               "explore"};
  Wanted wanted;
  Options options;
  options.limits.threads = std::max(1U, std::thread::hardware_concurrency());
  add_options(app, wanted, options);
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    std::ostringstream text;
    const int code = app.exit(error, text, text);
    return std::unexpected(Refusal{code == 0 ? 0 : 2, text.str()});
  }
  list_runs(wanted, options);
  return options;
}

}  // namespace handfast::explore
