// Settings of connections, and of the headers before their segments, that both programs offer, as
// options that write into a StackConfig. The ranges of the first are StackConfig::check()'s
// business.
#pragma once

#include "apps/options/command_line.hpp"
#include "handfast/config.hpp"

namespace handfast::apps {

// `into` is borrowed until the command line is parsed.
void add_connection_settings(CLI::App& app, StackConfig& into);

// "off", "accept" or "offer".
Parsed<EcnMode> parse_ecn(std::string_view text);

}  // namespace handfast::apps
