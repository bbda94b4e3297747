// handfast-wire: joins two ports and is a bad network in between. Exit code 0: ended as asked; 1:
// something went wrong; 2: it was not started.
#include "apps/wire/run.hpp"

namespace {

constexpr std::string_view kProgram = "handfast-wire";

int run(std::span<const char* const> arguments) {
  namespace apps = handfast::apps;
  namespace emulator = handfast::emulator;
  const auto options = emulator::parse_options(arguments);
  if (!options) return apps::finish(kProgram, options.error());
  const auto exit_code = emulator::run(*options);
  if (!exit_code) return apps::finish(kProgram, apps::refusal(exit_code.error()));
  return *exit_code;
}

}  // namespace

int main(int count, char** values) {
  return handfast::apps::run_main(kProgram, run, count, values);
}
