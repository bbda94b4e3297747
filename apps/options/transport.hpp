// Settings of the transport that both programs offer, as words on a command line.
#pragma once

#include <string_view>

#include "apps/options/quantity.hpp"
#include "handfast/config.hpp"

namespace handfast::apps {

// "new_reno", "cubic", "dctcp", "bbr" or "none".
Parsed<CongestionControl> parse_congestion(std::string_view text);
std::string_view to_string(CongestionControl algorithm);

}  // namespace handfast::apps
