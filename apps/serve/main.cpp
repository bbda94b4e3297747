// handfast-serve: TCP services on a stack of its own. Exit code 0: ended as asked; 1: the dialled
// connection failed; 2: it was not started.
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
  return handfast::apps::run_main(kProgram, run, count, values);
}
