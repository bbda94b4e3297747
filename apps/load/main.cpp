// handfast-load: opens and closes TCP connections as fast as asked and reports. Exit code 0: all
// went well; 1: connections failed or the books differ; 2: it was not started.
#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "apps/load/run.hpp"

namespace {

constexpr std::string_view kProgram = "handfast-load";

bool write_json(const handfast::load::Report& report, const std::string& path) {
  std::ofstream file(path);
  file << handfast::load::to_json(report).dump(2) << '\n';
  file.close();
  return file.good();
}

int run(std::span<const char* const> arguments) {
  namespace apps = handfast::apps;
  namespace load = handfast::load;
  const auto options = load::parse_options(arguments);
  if (!options) return apps::finish(kProgram, options.error());
  const auto report = load::run(*options);
  if (!report) return apps::finish(kProgram, apps::refusal(report.error()));
  fmt::print("{}", load::to_text(*report));
  if (!options->json_file.empty() && !write_json(*report, options->json_file)) {
    fmt::print(stderr, "{}: cannot write '{}'\n", kProgram, options->json_file);
    return apps::kExitFailed;
  }
  return report->went_well() ? 0 : apps::kExitFailed;
}

}  // namespace

int main(int count, char** values) {
  return handfast::apps::run_main(kProgram, run, count, values);
}
