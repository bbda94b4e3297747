#include "wire/discovery.hpp"

#include <array>
#include <cstring>

#include "wire/checksum.hpp"
#include "wire/discovery_options.hpp"

namespace handfast::wire {
namespace {

// RFC 4861 sections 4.3 and 4.4, behind the type, code and checksum:
//
//   4       8             24         26
//   | flags | target      | option: type, length in units of 8 bytes, link address | ...
constexpr std::size_t kTargetSize = 16;
constexpr std::size_t kMessageSize = kIcmpHeaderSize + kTargetSize;

enum AdvertisementFlag : std::uint32_t {
  kRouterFlag = 1U << 31,
  kSolicitedFlag = 1U << 30,
  kOverrideFlag = 1U << 29,
};

// Takes the link address of type `wanted`. Unknown options are ignored.
bool parse_options(base::Bytes options, DiscoveryOption wanted, std::optional<MacAddress>& mac) {
  mac.reset();
  return walk_discovery_options(options, [&](std::uint8_t type, base::Bytes option) {
    return type != wanted || take_link_address(option, mac);
  });
}

// What both messages have in common.
bool parse_target(const Icmp& message, const Frame& frame, DiscoveryOption option, Address& target,
                  std::optional<MacAddress>& mac) {
  if (frame.hop_limit != kDiscoveryHopLimit || message.code != 0 ||
      message.body.size() < kTargetSize) {
    return false;
  }
  target = Address::from_bytes(load_native<std::array<std::uint8_t, 16>>(message.body.data()));
  return !target.is_multicast() && !target.is_v4() &&
         parse_options(message.body.subspan(kTargetSize), option, mac);
}

std::uint32_t emit_message(std::byte* at, const LinkHeader& link, IpFields ip, Icmpv6Type type,
                           std::uint32_t flags, const Address& target, DiscoveryOption option,
                           const std::optional<MacAddress>& mac) {
  const std::size_t length = kMessageSize + (mac ? kDiscoveryOptionUnit : 0);
  ip.hop_limit = kDiscoveryHopLimit;
  std::byte* const message =
      emit_ip(emit_link(at, link), kProtocolIcmpv6, ip, static_cast<std::uint32_t>(length));
  base::store_be32(message, std::uint32_t{type} << 24);
  base::store_be32(message + 4, flags);
  std::memcpy(message + kIcmpHeaderSize, target.bytes().data(), kTargetSize);
  if (mac) {
    message[kMessageSize] = std::byte{option};
    message[kMessageSize + 1] = std::byte{1};
    std::memcpy(message + kMessageSize + 2, mac->data(), mac->size());
  }
  const std::uint64_t pseudo = pseudo_header_sum(ip.source, ip.destination, kProtocolIcmpv6,
                                                 static_cast<std::uint32_t>(length));
  store_checksum(message + 2, fold(sum({message, length}, pseudo)));
  return static_cast<std::uint32_t>(link.length + kIpv6HeaderSize + length);
}

}  // namespace

Address solicited_node(const Address& address) {
  const auto& from = address.bytes();
  return Address::from_bytes(
      {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, from[13], from[14], from[15]});
}

bool is_solicited_node(const Address& address) {
  return solicited_node(address) == address;
}

MacAddress multicast_mac(const Address& group) {
  const auto& from = group.bytes();
  return {0x33, 0x33, from[12], from[13], from[14], from[15]};
}

Address link_local_address(const MacAddress& mac) {
  constexpr std::uint8_t kUniversal = 0x02;  // inverted in an interface identifier
  return Address::from_bytes({0xfe, 0x80, 0, 0, 0, 0, 0, 0,
                              static_cast<std::uint8_t>(mac[0] ^ kUniversal), mac[1], mac[2], 0xff,
                              0xfe, mac[3], mac[4], mac[5]});
}

Drop parse_solicitation(const Icmp& message, const Frame& frame, NeighbourSolicitation& out) {
  if (!parse_target(message, frame, kSourceLinkAddress, out.target, out.source_mac)) {
    return Drop::discovery_malformed;
  }
  // RFC 4861 section 7.1.1: a probe for duplicates goes to the solicited-node group and tells no
  // link address.
  const bool is_probe = frame.source.is_unspecified();
  if (is_probe && (!is_solicited_node(frame.destination) || out.source_mac)) {
    return Drop::discovery_malformed;
  }
  return Drop::none;
}

Drop parse_advertisement(const Icmp& message, const Frame& frame, NeighbourAdvertisement& out) {
  if (!parse_target(message, frame, kTargetLinkAddress, out.target, out.target_mac)) {
    return Drop::discovery_malformed;
  }
  out.is_router = (message.rest & kRouterFlag) != 0;
  out.solicited = (message.rest & kSolicitedFlag) != 0;
  out.override_cached = (message.rest & kOverrideFlag) != 0;
  // RFC 4861 section 7.1.2: nobody asks for many to be answered.
  const bool is_impossible = out.solicited && frame.destination.is_multicast();
  return is_impossible || frame.source.is_unspecified() ? Drop::discovery_malformed : Drop::none;
}

std::uint32_t emit_solicitation(std::byte* at, const LinkHeader& link, const IpFields& ip,
                                const NeighbourSolicitation& message) {
  return emit_message(at, link, ip, kIcmpv6NeighbourSolicitation, 0, message.target,
                      kSourceLinkAddress, message.source_mac);
}

std::uint32_t emit_advertisement(std::byte* at, const LinkHeader& link, const IpFields& ip,
                                 const NeighbourAdvertisement& message) {
  const std::uint32_t flags = (message.is_router ? kRouterFlag : 0U) |
                              (message.solicited ? kSolicitedFlag : 0U) |
                              (message.override_cached ? kOverrideFlag : 0U);
  return emit_message(at, link, ip, kIcmpv6NeighbourAdvertisement, flags, message.target,
                      kTargetLinkAddress, message.target_mac);
}

}  // namespace handfast::wire
