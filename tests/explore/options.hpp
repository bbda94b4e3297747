// The explorer's command line, as a list of runs. The test of the page reads the commands that
// stand there with it too.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "tests/explore/search.hpp"

namespace handfast::explore {

struct Options {
  std::vector<Setting> runs;
  Limits limits;
  bool draws_straight_way = false;  // instead: the way on which nothing goes wrong
  std::string json_file;
};

// What is not run, with the exit code: a usage error, or --help.
struct Refusal {
  int exit_code;
  std::string text;
};
std::expected<Options, Refusal> parse_options(const std::vector<std::string>& arguments);

// "third-segment", "time-wait", "" for nothing.
std::string_view to_string(Without without);

}  // namespace handfast::explore
