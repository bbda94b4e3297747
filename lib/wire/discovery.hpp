// Neighbour Discovery for IPv6 over Ethernet (RFC 4861): solicitations and advertisements as
// values, parsed and emitted. No table and no policy: those are lib/net's.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "handfast/address.hpp"
#include "wire/drop.hpp"
#include "wire/ethernet.hpp"
#include "wire/frame.hpp"
#include "wire/icmp.hpp"
#include "wire/ip.hpp"

namespace handfast::wire {

// RFC 4861 section 11.2: what comes with less has passed a router, and nobody near us sent it.
inline constexpr std::uint8_t kDiscoveryHopLimit = 255;

// ff02::1.
inline constexpr Address kAllNodes =
    Address::from_bytes({0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});

// ff02::1:ff00:0 and the address's last 24 bits (RFC 4291 section 2.7.1): who has the address
// listens there.
Address solicited_node(const Address& address);
// ff02::1:ff00:0/104.
bool is_solicited_node(const Address& address);
// 33:33 and the group's last 32 bits (RFC 2464 section 7).
MacAddress multicast_mac(const Address& group);
// fe80:: and the modified EUI-64 of the MAC address (RFC 4291 section 2.5.6, appendix A).
Address link_local_address(const MacAddress& mac);

struct NeighbourSolicitation {
  Address target;
  std::optional<MacAddress> source_mac;  // never in a probe for duplicates, whose source is ::
  bool operator==(const NeighbourSolicitation&) const = default;
};

struct NeighbourAdvertisement {
  Address target;
  bool is_router = false;
  bool solicited = false;
  bool override_cached = false;  // replaces another link address that is known already
  std::optional<MacAddress> target_mac;
  bool operator==(const NeighbourAdvertisement&) const = default;
};

// Read a message that parse_icmpv6 took from `frame`, type known; the validity checks of RFC 4861
// sections 7.1.1 and 7.1.2 are all made. A link address that is a group's is malformed.
Drop parse_solicitation(const Icmp& message, const Frame& frame, NeighbourSolicitation& out);
Drop parse_advertisement(const Icmp& message, const Frame& frame, NeighbourAdvertisement& out);

// A frame of either has at most so many bytes.
inline constexpr std::size_t kDiscoveryFrameMax =
    sizeof(LinkHeader::bytes) + kIpv6HeaderSize + kIcmpHeaderSize + 16 + 8;

// Write a whole frame; return its length. `at` has room for kDiscoveryFrameMax. The hop limit is
// 255 whatever `ip` says.
std::uint32_t emit_solicitation(std::byte* at, const LinkHeader& link, const IpFields& ip,
                                const NeighbourSolicitation& message);
std::uint32_t emit_advertisement(std::byte* at, const LinkHeader& link, const IpFields& ip,
                                 const NeighbourAdvertisement& message);

}  // namespace handfast::wire
