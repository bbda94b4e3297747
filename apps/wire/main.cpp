// handfast-wire: joins two ports and is a bad network in between. Exit code 0: ended as asked; 1:
// something went wrong; 2: it was not started.
#include <fmt/format.h>

#include <cstdio>
#include <exception>

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
  try {
    const std::span<char* const> all(values, static_cast<std::size_t>(count));
    return run(std::span<const char* const>(all.data(), all.size()).subspan(1));
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", kProgram, error.what());
    return handfast::apps::kExitFailed;
  }
}
