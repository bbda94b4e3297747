// The settings that a script may give with "config NAME VALUE": fields of StackConfig, by name.
#pragma once

#include "handfast/config.hpp"
#include "tests/script/language/line.hpp"

namespace handfast::script {

// What scripts begin with: two ends of one network, every acknowledgement at once.
StackConfig default_settings(bool is_v6);

void parse_setting(Line& line, std::string_view name, StackConfig& config);

// The tested stack's address and the peer's, both of one /24 or /64.
Address local_address(bool is_v6);
Address peer_address(bool is_v6);

}  // namespace handfast::script
