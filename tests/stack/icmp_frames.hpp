// Frames with ICMP messages in them, as routers and other hosts would send them.
#pragma once

#include <cstring>

#include "two_hosts.hpp"
#include "wire/icmp.hpp"
#include "wire/ip.hpp"

namespace handfast::stack {

// Of a frame without VLAN tag.
inline constexpr std::size_t kIpAt = 14;

inline base::MacAddress destination_of(const Frame& frame) {
  base::MacAddress mac;
  std::memcpy(mac.data(), frame.data(), mac.size());
  return mac;
}

// An ICMP message to whom `like` was sent, from `source` to `destination`.
inline Frame icmp_to(const Frame& like, const Address& source, const Address& destination,
                     std::uint8_t type, std::uint8_t code, std::uint32_t rest, Bytes body) {
  const bool is_v4 = source.is_v4();
  const wire::LinkHeader link =
      wire::make_link_header(destination_of(like), {2, 0, 0, 0, 0, 0x99}, std::nullopt,
                             is_v4 ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6);
  const auto length = static_cast<std::uint32_t>(wire::kIcmpHeaderSize + body.size());
  const std::uint8_t protocol = is_v4 ? wire::kProtocolIcmp : wire::kProtocolIcmpv6;
  Frame frame(sizeof(link.bytes) + wire::kIpv6HeaderSize + length);
  std::byte* const message = wire::emit_ip(wire::emit_link(frame.data(), link), protocol,
                                           {.source = source, .destination = destination}, length);
  message[0] = std::byte{type};
  message[1] = std::byte{code};
  base::store_be16(message + 2, 0);
  base::store_be32(message + 4, rest);
  if (!body.empty()) std::memcpy(message + wire::kIcmpHeaderSize, body.data(), body.size());
  const std::uint64_t pseudo =
      is_v4 ? 0 : wire::pseudo_header_sum(source, destination, protocol, length);
  wire::store_checksum(message + 2, wire::fold(wire::sum({message, length}, pseudo)));
  frame.resize(static_cast<std::size_t>(message - frame.data()) + length);
  return frame;
}

// What a router quotes of a frame: its IP header and the first bytes of TCP.
inline Bytes quote_of(const Frame& frame) {
  return Bytes{frame}.subspan(kIpAt, tcp_at(frame) - kIpAt + 8);
}

// Makes the checksum of an IPv4 header without options right after a change.
inline void repair_ip_checksum(Frame& frame) {
  base::store_be16(&frame[kIpAt + 10], 0);
  wire::store_checksum(&frame[kIpAt + 10],
                       wire::fold(wire::sum(Bytes{frame}.subspan(kIpAt, wire::kIpv4HeaderSize))));
}

}  // namespace handfast::stack
