#include "apps/options/transport.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace handfast::apps {
namespace {

// In the order of the enumerators.
constexpr std::array<std::string_view, 5> kCongestionControls = {"new_reno", "cubic", "dctcp",
                                                                 "bbr", "none"};

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

}  // namespace handfast::apps
