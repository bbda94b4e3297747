// Settings of the transport that both programs offer, as words on a command line.
#pragma once

#include <cstdint>
#include <string_view>

#include "apps/options/quantity.hpp"
#include "handfast/config.hpp"

namespace handfast::apps {

// "new_reno", "cubic", "dctcp", "bbr" or "none".
Parsed<CongestionControl> parse_congestion(std::string_view text);
std::string_view to_string(CongestionControl algorithm);

// 576 to 9000: bytes of IP packet.
Parsed<std::uint16_t> parse_mtu(std::string_view text);

}  // namespace handfast::apps
