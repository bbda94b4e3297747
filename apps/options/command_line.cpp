#include "apps/options/command_line.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <system_error>

namespace handfast::apps {
namespace {

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

}  // namespace

int finish(std::string_view program, const Ending& ending) {
  if (ending.exit_code == 0) {
    fmt::print("{}", ending.text);
  } else {
    fmt::print(stderr, "{}: {}\n", program, ending.text);
  }
  return ending.exit_code;
}

int run_main(std::string_view program, int (*run)(std::span<const char* const>), int count,
             char** values) {
  try {
    const std::span<char* const> all(values, static_cast<std::size_t>(count));
    return run(std::span<const char* const>(all.data(), all.size()).subspan(1));
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", program, error.what());
    return kExitFailed;
  }
}

Arguments split_arguments(std::span<const char* const> arguments) {
  Arguments split;
  std::vector<std::string>* into = &split.own;
  for (const char* const argument : arguments) {
    if (into == &split.own && std::string_view(argument) == "--") {
      into = &split.eal;
    } else {
      into->emplace_back(argument);
    }
  }
  return split;
}

std::expected<void, Ending> parse_command_line(CLI::App& app,
                                               const std::vector<std::string>& arguments) {
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // CLI11's order
    app.parse(std::move(reversed));
    return {};
  } catch (const CLI::ExtrasError&) {
    const std::vector<std::string> extras = app.remaining();
    const std::string first = extras.empty() ? "" : extras.front();
    return std::unexpected(
        refusal(fmt::format("unknown {} '{}'; --help lists what there is",
                            first.starts_with("-") ? "option" : "argument", first)));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) return std::unexpected(refusal(one_line(error.what())));
    const bool version = std::string_view(error.get_name()) == "CallForVersion";
    return std::unexpected(Ending{0, version ? std::string(error.what()) + "\n" : app.help()});
  }
}

std::expected<void, std::string> check_writable(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const fs::path file(path);
  const auto bad = [&](std::string_view why) {
    return std::unexpected(fmt::format("cannot write '{}': {}", path, why));
  };
  if (fs::is_directory(file, ignored)) return bad("it is a directory; name a file in it");
  if (fs::exists(file, ignored)) {
    if (::access(path.c_str(), W_OK) != 0) return bad("no permission; name another file");
    return {};
  }
  const fs::path parent = file.has_parent_path() ? file.parent_path() : fs::path(".");
  if (!fs::is_directory(parent, ignored)) {
    return bad(fmt::format("there is no directory '{}'", parent.string()));
  }
  if (::access(parent.c_str(), W_OK | X_OK) != 0) {
    return bad(fmt::format("no permission in directory '{}'", parent.string()));
  }
  return {};
}

Parsed<Address> parse_address(std::string_view text) {
  return Address::parse(text);
}

Parsed<Prefix> parse_prefix(std::string_view text) {
  return Prefix::parse(text);
}

Parsed<Prefix> parse_own_address(std::string_view text) {
  if (text.find('/') == std::string_view::npos) {
    return std::unexpected(
        fmt::format("'{}' lacks the length of its network; write it like 198.18.0.1/24", text));
  }
  return Prefix::parse(text);
}

Parsed<Endpoint> parse_endpoint(std::string_view text) {
  auto endpoint = Endpoint::parse(text);
  if (endpoint && endpoint->port == 0) {
    return std::unexpected(fmt::format("'{}' has port 0; write one from 1 to 65535", text));
  }
  return endpoint;
}

}  // namespace handfast::apps
