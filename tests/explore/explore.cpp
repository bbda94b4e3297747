// explore: visits every state that two real endpoints and a network that loses, duplicates and
// holds back can reach, and checks each. Exit code 0: what was found is what is known to be found,
// which is nothing unless something was taken away; 1: otherwise; 2: a usage error.
//
//   explore --scenario open --losses 2 --duplicates 1
//   explore --without time-wait
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/explore/ladder.hpp"
#include "tests/explore/options.hpp"
#include "tests/explore/report.hpp"

namespace handfast::explore {
namespace {

bool write_json(const nlohmann::json& runs, const std::string& path) {
  std::ofstream file(path);
  file << runs.dump(2) << '\n';
  file.close();
  return file.good();
}

int run(const Options& options) {
  nlohmann::json runs = nlohmann::json::array();
  bool all_as_expected = true;
  for (const Setting& setting : options.runs) {
    if (options.draws_straight_way) {
      fmt::print("{}\n", straight_ladder(setting));
      continue;
    }
    const auto outcome = search(setting, options.limits, wanted_faults(setting));
    if (!outcome) {
      fmt::print(stderr, "explore: {}\n", outcome.error());
      return 1;
    }
    fmt::print("{}", to_text(*outcome));
    std::fflush(stdout);
    runs.push_back(to_json(*outcome));
    all_as_expected = all_as_expected && is_as_expected(*outcome);
  }
  if (!options.json_file.empty() && !write_json(runs, options.json_file)) {
    fmt::print(stderr, "explore: cannot write '{}'\n", options.json_file);
    return 1;
  }
  return all_as_expected ? 0 : 1;
}

}  // namespace
}  // namespace handfast::explore

int main(int count, char** values) {
  try {
    const auto options = handfast::explore::parse_options({values + 1, values + count});
    if (options) return handfast::explore::run(*options);
    fmt::print(options.error().exit_code == 0 ? stdout : stderr, "{}", options.error().text);
    return options.error().exit_code;
  } catch (const std::exception& error) {
    fmt::print(stderr, "explore: {}\n", error.what());
    return 1;
  }
}
