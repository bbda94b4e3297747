// Ethernet headers, with or without one IEEE 802.1Q tag. A LinkHeader is made once per neighbour
// and copied in front of every frame that goes there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

#include "base/device.hpp"

namespace handfast::wire {

using base::MacAddress;

inline constexpr std::uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr std::uint16_t kEtherTypeArp = 0x0806;
inline constexpr std::uint16_t kEtherTypeIpv6 = 0x86dd;
inline constexpr std::uint16_t kEtherTypeVlan = 0x8100;
inline constexpr MacAddress kBroadcastMac{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

inline constexpr std::size_t kEthernetHeaderSize = 14;
inline constexpr std::size_t kVlanTagSize = 4;
// The shortest frame of IEEE 802.3, without its frame check sequence.
inline constexpr std::size_t kEthernetFrameMin = 60;

// Destination, source, optional tag, EtherType: `length` of `bytes` are used, 14 or 18.
struct LinkHeader {
  std::array<std::byte, kEthernetHeaderSize + kVlanTagSize> bytes;
  std::uint8_t length;
};

// `vlan` is a VLAN identifier, 1 to 4094; its tag has priority 0.
LinkHeader make_link_header(const MacAddress& destination, const MacAddress& source,
                            std::optional<std::uint16_t> vlan, std::uint16_t ethertype);

// Writes the header and returns where the next one begins. All 18 bytes are stored whatever the
// length, which is cheaper than asking: an IP or ARP header always overwrites the rest.
inline std::byte* emit_link(std::byte* at, const LinkHeader& header) {
  std::memcpy(at, header.bytes.data(), header.bytes.size());
  return at + header.length;
}

// The group bit: broadcast is the case of all ones.
constexpr bool is_multicast(const MacAddress& mac) {
  return (mac[0] & 1) != 0;
}

}  // namespace handfast::wire
