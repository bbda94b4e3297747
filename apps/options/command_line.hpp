// The part of command-line handling that our programs share: CLI11 with every refusal turned into
// one line and exit code 2. Which options there are, and what they mean, is each program's own.
#pragma once

#include <CLI/CLI.hpp>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "apps/options/quantity.hpp"
#include "handfast/address.hpp"

namespace handfast::apps {

inline constexpr int kExitFailed = 1;   // it ran, and something went wrong
inline constexpr int kExitRefused = 2;  // it was not started: the input was wrong

// Why a program ends before it starts: help (exit code 0, text for stdout), or one line of refusal.
struct Ending {
  int exit_code = 0;
  std::string text;
};

inline Ending refusal(std::string text) {
  return {kExitRefused, std::move(text)};
}

// Prints `ending` where it belongs, refusals as "PROGRAM: TEXT", and returns the exit code.
int finish(std::string_view program, const Ending& ending);

// What main() does: calls `run` with the arguments, the program's name left out, and returns its
// exit code. An exception is a line on stderr and exit code 1.
int run_main(std::string_view program, int (*run)(std::span<const char* const>), int count,
             char** values);

// The program's own arguments, and those after "--", which are EAL's.
struct Arguments {
  std::vector<std::string> own;
  std::vector<std::string> eal;
};
Arguments split_arguments(std::span<const char* const> arguments);

// Adds an option whose text goes through `parse`; its error refuses the command line.
template <class T, class Parse>
CLI::Option* add_parsed(CLI::App& app, const std::string& name, T& into, Parse parse,
                        const std::string& help, const std::string& type) {
  return app
      .add_option_function<std::string>(
          name,
          [&into, parse, name](const std::string& text) {
            auto value = parse(std::string_view(text));
            if (!value) throw CLI::ValidationError(name, value.error());
            into = *value;
          },
          help)
      ->type_name(type);
}

// Runs CLI11 over `arguments`. An ending when the program is not to go on.
std::expected<void, Ending> parse_command_line(CLI::App& app,
                                               const std::vector<std::string>& arguments);

// Whether a file could be written there; touches nothing.
std::expected<void, std::string> check_writable(const std::string& path);

Parsed<Address> parse_address(std::string_view text);
Parsed<Prefix> parse_prefix(std::string_view text);
// An interface's own address with the length of its network, "198.18.0.1/24"; the length is needed.
Parsed<Prefix> parse_own_address(std::string_view text);
Parsed<Endpoint> parse_endpoint(std::string_view text);

}  // namespace handfast::apps
