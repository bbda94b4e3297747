// Router solicitations and advertisements (RFC 4861 sections 4.1 and 4.2) as values. No policy:
// what is believed of them, and for how long, is lib/net's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "handfast/address.hpp"
#include "wire/discovery.hpp"

namespace handfast::wire {

// ff02::2.
inline constexpr Address kAllRouters =
    Address::from_bytes({0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2});

// Further ones in the same message are left out.
inline constexpr std::size_t kAdvertisedPrefixesMax = 8;

struct AdvertisedPrefix {
  Prefix prefix;
  std::uint32_t valid_s = 0;  // 0xffffffff: for ever
  bool is_on_link = false;
  bool operator==(const AdvertisedPrefix&) const = default;
};

struct RouterAdvertisement {
  std::uint16_t lifetime_s = 0;  // as a default router; 0: it is none
  std::optional<MacAddress> source_mac;
  std::optional<std::uint32_t> mtu;
  std::array<AdvertisedPrefix, kAdvertisedPrefixesMax> prefixes;
  std::size_t prefix_count = 0;
  bool operator==(const RouterAdvertisement&) const = default;
};

// Reads a message that parse_icmpv6 took from `frame`, type known; all validity checks of RFC 4861
// section 6.1.2 are made.
Drop parse_router_advertisement(const Icmp& message, const Frame& frame, RouterAdvertisement& out);

// Writes a whole frame to all routers; returns its length. `at` has room for kDiscoveryFrameMax.
// The hop limit is 255 whatever `ip` says.
std::uint32_t emit_router_solicitation(std::byte* at, const LinkHeader& link, const IpFields& ip,
                                       const MacAddress& source_mac);

}  // namespace handfast::wire
