// Settings of the transport and of its workers that both programs offer, as words on a command
// line.
#pragma once

#include <cstdint>
#include <string_view>

#include "apps/options/quantity.hpp"
#include "handfast/config.hpp"
#include "handfast/runtime.hpp"

namespace handfast::apps {

// "new_reno", "cubic", "dctcp", "bbr" or "none".
Parsed<CongestionControl> parse_congestion(std::string_view text);
std::string_view to_string(CongestionControl algorithm);

// "poll" or "sleep".
Parsed<IdleMode> parse_idle(std::string_view text);
std::string_view to_string(IdleMode mode);
inline constexpr const char* kIdleHelp =
    "what a worker does without work: poll (default) or sleep, which frees its core and adds up to "
    "a millisecond to what comes next";

inline constexpr const char* kNoPrefaultHelp =
    "do not take the tables' memory at start but as it is used: starts sooner, and now and then a "
    "frame waits for the kernel to clear a page";

// "auto", "off" or "on".
Parsed<Offload> parse_offload(std::string_view text);
std::string_view to_string(Offload mode);
inline constexpr const char* kTsoHelp =
    "whether the port cuts large segments into frames: auto (default: where its hardware does), "
    "off, or on (an error where it cannot)";

// 576 to 9000: bytes of IP packet.
Parsed<std::uint16_t> parse_mtu(std::string_view text);

}  // namespace handfast::apps
