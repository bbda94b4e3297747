// handfast-serve: TCP services on a stack of its own. Exit code 0: ended as asked; 1: the dialled
// connection failed; 2: it was not started.
#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "apps/serve/run.hpp"

namespace {

constexpr std::string_view kProgram = "handfast-serve";

int run(std::span<const char* const> arguments) {
  namespace apps = handfast::apps;
  namespace serve = handfast::serve;
  const auto options = serve::parse_options(arguments);
  if (!options) return apps::finish(kProgram, options.error());
  const auto exit_code = serve::run(*options);
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
