// The options of Neighbour Discovery messages (RFC 4861 section 4.6), walked. For the parsers of
// this folder only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "wire/checksum.hpp"
#include "wire/ethernet.hpp"

namespace handfast::wire {

inline constexpr std::size_t kDiscoveryOptionUnit = 8;

enum DiscoveryOption : std::uint8_t {
  kSourceLinkAddress = 1,
  kTargetLinkAddress = 2,
  kPrefixInformation = 3,
  kMtuOption = 5,
};

// Calls take(type, option) for each, `option` with its type and length; false from it ends the
// walk. False then, and when options are malformed (section 6.1: a length of 0, or past the end).
template <class Take>
bool walk_discovery_options(base::Bytes options, Take take) {
  while (!options.empty()) {
    if (options.size() < kDiscoveryOptionUnit) return false;
    const std::size_t length = std::to_integer<std::size_t>(options[1]) * kDiscoveryOptionUnit;
    if (length == 0 || length > options.size()) return false;
    if (!take(std::to_integer<std::uint8_t>(options[0]), options.first(length))) return false;
    options = options.subspan(length);
  }
  return true;
}

// Of an option whose length fits Ethernet; others leave `mac` as it is. False for a group's
// address.
inline bool take_link_address(base::Bytes option, std::optional<MacAddress>& mac) {
  if (option.size() != kDiscoveryOptionUnit) return true;
  mac = load_native<MacAddress>(option.data() + 2);
  return !is_multicast(*mac);
}

}  // namespace handfast::wire
