#include "apps/options/transport.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace handfast::apps {
namespace {

// In the order of the enumerators.
constexpr std::array<std::string_view, 5> kCongestionControls = {"new_reno", "cubic", "dctcp",
                                                                 "bbr", "none"};
constexpr std::array<std::string_view, 2> kIdleModes = {"poll", "sleep"};
constexpr std::array<std::string_view, 3> kOffloads = {"auto", "off", "on"};

}  // namespace

Parsed<CongestionControl> parse_congestion(std::string_view text) {
  const auto found = std::find(kCongestionControls.begin(), kCongestionControls.end(), text);
  if (found != kCongestionControls.end()) {
    return static_cast<CongestionControl>(found - kCongestionControls.begin());
  }
  return std::unexpected(
      fmt::format("'{}' is none of {}", text, fmt::join(kCongestionControls, ", ")));
}

std::string_view to_string(CongestionControl algorithm) {
  return kCongestionControls[static_cast<std::size_t>(algorithm)];
}

Parsed<IdleMode> parse_idle(std::string_view text) {
  const auto found = std::find(kIdleModes.begin(), kIdleModes.end(), text);
  if (found != kIdleModes.end()) return static_cast<IdleMode>(found - kIdleModes.begin());
  return std::unexpected(fmt::format("'{}' is none of {}", text, fmt::join(kIdleModes, ", ")));
}

std::string_view to_string(IdleMode mode) {
  return kIdleModes[static_cast<std::size_t>(mode)];
}

Parsed<Offload> parse_offload(std::string_view text) {
  const auto found = std::find(kOffloads.begin(), kOffloads.end(), text);
  if (found != kOffloads.end()) return static_cast<Offload>(found - kOffloads.begin());
  return std::unexpected(fmt::format("'{}' is none of {}", text, fmt::join(kOffloads, ", ")));
}

std::string_view to_string(Offload mode) {
  return kOffloads[static_cast<std::size_t>(mode)];
}

Parsed<std::uint16_t> parse_mtu(std::string_view text) {
  constexpr std::uint64_t kLeast = 576;  // RFC 791: what every host takes
  constexpr std::uint64_t kMost = 9000;
  const auto mtu = parse_count(text);
  if (!mtu || *mtu < kLeast || *mtu > kMost) {
    return std::unexpected(fmt::format("'{}' is no MTU; give {} to {}", text, kLeast, kMost));
  }
  return static_cast<std::uint16_t>(*mtu);
}

}  // namespace handfast::apps
