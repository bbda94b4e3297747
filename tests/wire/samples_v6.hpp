// The same for IPv6: valid frames made by the emitters, and ways to put extension headers in.
#pragma once

#include "tests/wire/samples.hpp"

namespace handfast::wire {

// 2001:db8::1 and 2001:db8::2.
inline constexpr Address kOurs6 =
    Address::from_bytes({0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
inline constexpr Address kPeers6 =
    Address::from_bytes({0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2});
inline constexpr std::size_t kIpv6PayloadAt = kIpAt + kIpv6HeaderSize;

inline Buffer tcp6_frame(const base::Segment& segment,
                         std::optional<std::uint16_t> vlan = std::nullopt) {
  const LinkHeader link = link_from_peer(kEtherTypeIpv6, vlan);
  base::Packet packet;
  return emit_to_buffer(
      {.link = link,
       .ip = {.source = kPeers6, .destination = kOurs6, .traffic_class = 2, .flow_label = 0xabcde},
       .ports = kPorts,
       .segment = segment},
      packet);
}

// Makes the ICMPv6 checksum of an untagged frame without extension headers right.
inline void repair_icmpv6_checksum(Buffer& frame) {
  const auto message = base::Bytes{frame}.subspan(kIpv6PayloadAt);
  const auto address_at = [&frame](std::size_t at) {
    return Address::from_bytes(load_native<std::array<std::uint8_t, 16>>(&frame[at]));
  };
  base::store_be16(&frame[kIpv6PayloadAt + 2], 0);
  const std::uint64_t pseudo =
      pseudo_header_sum(address_at(kIpAt + 8), address_at(kIpAt + 24), kProtocolIcmpv6,
                        static_cast<std::uint32_t>(message.size()));
  store_checksum(&frame[kIpv6PayloadAt + 2], fold(sum(message, pseudo)));
}

inline Buffer icmpv6_frame(std::uint8_t type, std::uint8_t code, std::uint32_t rest,
                           base::Bytes body, const Address& source = kPeers6,
                           const Address& destination = kOurs6, std::uint8_t hop_limit = 64) {
  Buffer frame(kIpv6PayloadAt + kIcmpHeaderSize + body.size());
  std::byte* const at =
      emit_ip(emit_link(frame.data(), link_from_peer(kEtherTypeIpv6)), kProtocolIcmpv6,
              {.source = source, .destination = destination, .hop_limit = hop_limit},
              static_cast<std::uint32_t>(kIcmpHeaderSize + body.size()));
  at[0] = std::byte{type};
  at[1] = std::byte{code};
  base::store_be32(at + 4, rest);
  if (!body.empty()) std::memcpy(at + kIcmpHeaderSize, body.data(), body.size());
  repair_icmpv6_checksum(frame);
  return frame;
}

inline Buffer solicitation_frame(const NeighbourSolicitation& message,
                                 const Address& source = kPeers6,
                                 const Address& destination = solicited_node(kOurs6)) {
  Buffer frame(kDiscoveryFrameMax);
  frame.resize(emit_solicitation(frame.data(), link_from_peer(kEtherTypeIpv6),
                                 {.source = source, .destination = destination}, message));
  frame.shrink_to_fit();
  return frame;
}

inline Buffer advertisement_frame(const NeighbourAdvertisement& message,
                                  const Address& source = kPeers6,
                                  const Address& destination = kOurs6) {
  Buffer frame(kDiscoveryFrameMax);
  frame.resize(emit_advertisement(frame.data(), link_from_peer(kEtherTypeIpv6),
                                  {.source = source, .destination = destination}, message));
  frame.shrink_to_fit();
  return frame;
}

// Puts extension headers in front of an untagged frame's payload; `first` is the type of the
// first. Whoever writes them has to make the last one name the payload's protocol.
inline Buffer with_extension_headers(Buffer frame, std::uint8_t first, const Buffer& headers) {
  frame.insert(frame.begin() + static_cast<std::ptrdiff_t>(kIpv6PayloadAt), headers.begin(),
               headers.end());
  frame[kIpAt + 6] = std::byte{first};
  base::store_be16(&frame[kIpAt + 4], static_cast<std::uint16_t>(frame.size() - kIpv6PayloadAt));
  frame.shrink_to_fit();
  return frame;
}

// What a router quotes of a segment we sent: IPv6 header and the first bytes of TCP.
[[gnu::noinline]] inline Buffer quote_of_v6(const Buffer& frame, std::size_t tcp_bytes = 8) {
  const auto quoted = base::Bytes{frame}.subspan(kIpAt, kIpv6HeaderSize + tcp_bytes);
  return {quoted.begin(), quoted.end()};
}

}  // namespace handfast::wire
