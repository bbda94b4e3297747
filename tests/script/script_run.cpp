// script_run: plays segment scripts against lib/stack in virtual time or against Linux's TCP in
// network namespaces of its own, and says how many went as written.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "tests/script/runner/batch.hpp"

namespace {

constexpr int kSkipped = 77;  // Meson's exit code for a skipped test

}  // namespace

int main(int argc, char** argv) {
  using namespace handfast::script;
  CLI::App app("Plays segment scripts (docs/segment_scripts.md)", "script_run");
  BatchOptions options;
  std::string end = "handfast";
  std::vector<std::string> places;
  app.add_option("--end", end, "whose TCP is tested")->check(CLI::IsMember({"handfast", "linux"}));
  app.add_option("--jobs", options.jobs, "scripts played at once against Linux")
      ->check(CLI::Range(1U, 64U));
  app.add_flag("--trace", options.trace, "show statements and segments as they come");
  app.add_option("FILE", places, "scripts, or folders of them")->required();
  CLI11_PARSE(app, argc, argv);
  options.is_linux = end == "linux";
  if (options.is_linux && geteuid() != 0) {
    fmt::print("skipped: scripts against Linux need network namespaces, and those need root\n");
    return kSkipped;
  }
  const auto files = find_scripts(places);
  if (!files) {
    fmt::print(stderr, "script_run: {}\n", files.error());
    return 2;
  }
  const Tally tally = play_all(*files, options);
  const std::string skipped = tally.skipped == 0 ? "" : fmt::format(", {} skipped", tally.skipped);
  fmt::print("{} passed, {} failed{}\n", tally.passed, tally.failed, skipped);
  return tally.failed == 0 ? 0 : 1;
}
