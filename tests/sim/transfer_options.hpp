// The options of sim_transfer: on its command line, in regression_seeds.txt, and in the command
// that a failing test prints.
#pragma once

#include <CLI/CLI.hpp>
#include <expected>
#include <string>

#include "tests/sim/transfer.hpp"

namespace handfast::sim {

void add_options(CLI::App& app, TransferConfig& config);

// Reads one line of options. The error is CLI11's sentence.
std::expected<TransferConfig, std::string> parse_options(const std::string& line);

// The command that runs just this again.
std::string command_of(const TransferConfig& config);

}  // namespace handfast::sim
