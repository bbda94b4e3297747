// Frames for the wire tests: valid ones of every kind, made by the emitters, and what it takes to
// break them. Each is in a heap buffer of exactly its size, so that a read past it is caught.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/packet.hpp"
#include "wire/arp.hpp"
#include "wire/checksum.hpp"
#include "wire/discovery.hpp"
#include "wire/frame.hpp"
#include "wire/icmp.hpp"
#include "wire/tcp.hpp"

namespace handfast::wire {

using Buffer = std::vector<std::byte>;

inline constexpr MacAddress kOurMac{0x02, 0, 0, 0, 0, 0x01};
inline constexpr MacAddress kPeerMac{0x02, 0, 0, 0, 0, 0x02};
inline constexpr Address kOurs = Address::v4(0xc6120001);   // 198.18.0.1
inline constexpr Address kPeers = Address::v4(0xc6120002);  // 198.18.0.2
inline constexpr TcpPorts kPorts{.source = 40'000, .destination = 80};

// Offsets in an untagged frame without IP options.
inline constexpr std::size_t kIpAt = kEthernetHeaderSize;
inline constexpr std::size_t kTcpAt = kIpAt + kIpv4HeaderSize;

inline Buffer bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span{text});
  return {bytes.begin(), bytes.end()};
}
inline const Buffer kHello = bytes_of("hello");

inline Buffer to_buffer(std::initializer_list<unsigned> values) {
  Buffer out;
  out.reserve(values.size());
  for (const unsigned value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}

inline LinkHeader link_from_peer(std::uint16_t ethertype,
                                 std::optional<std::uint16_t> vlan = std::nullopt) {
  return make_link_header(kOurMac, kPeerMac, vlan, ethertype);
}

// Emits into a buffer of exactly the frame's size.
inline Buffer emit_to_buffer(const TcpEmit& emit, base::Packet& packet) {
  Buffer frame(headers_length(emit) + emit.segment.payload.size());
  packet.data = frame.data();
  emit_tcp(packet, emit);
  return frame;
}

inline Buffer tcp_frame(const base::Segment& segment,
                        std::optional<std::uint16_t> vlan = std::nullopt) {
  const LinkHeader link = link_from_peer(kEtherTypeIpv4, vlan);
  base::Packet packet;
  return emit_to_buffer({.link = link,
                         .ip = {.source = kPeers, .destination = kOurs, .traffic_class = 2},
                         .ports = kPorts,
                         .segment = segment},
                        packet);
}

inline base::Segment data_segment(base::Bytes payload) {
  base::Segment segment;
  segment.seq = base::Seq{0x12345678};
  segment.ack = base::Seq{0x9abcdef0};
  segment.window = 502;
  segment.flags = base::kAck | base::kPsh;
  segment.payload = payload;
  return segment;
}

inline base::Segment syn_segment() {
  base::Segment segment;
  segment.seq = base::Seq{0xfffffffe};
  segment.window = 64'240;
  segment.flags = base::kSyn;
  segment.options.present = base::TcpOptions::kMss | base::TcpOptions::kWindowScale |
                            base::TcpOptions::kSackPermitted | base::TcpOptions::kTimestamps;
  segment.options.mss = 1460;
  segment.options.window_scale = 7;
  segment.options.ts_value = 0x00bc614e;
  return segment;
}

inline base::Segment sack_segment() {
  base::Segment segment = data_segment({});
  segment.flags = base::kAck;
  segment.options.present = base::TcpOptions::kTimestamps;
  segment.options.ts_value = 1;
  segment.options.ts_echo = 2;
  segment.options.sack_count = 3;
  for (std::uint32_t i = 0; i < 3; ++i) {
    segment.options.sack[i] = {.left = base::Seq{1000 * i}, .right = base::Seq{1000 * i + 500}};
  }
  return segment;
}

inline Arp arp_request() {
  return {.operation = Arp::Operation::request,
          .sender_mac = kPeerMac,
          .sender_ip = kPeers,
          .target_mac = {},
          .target_ip = kOurs};
}

inline Buffer arp_frame(const Arp& arp) {
  Buffer frame(kEthernetFrameMin);
  emit_arp(frame.data(), make_link_header(kBroadcastMac, kPeerMac, std::nullopt, kEtherTypeArp),
           arp);
  return frame;
}

// An ICMP message in its frame.
inline Buffer icmp_frame(std::uint8_t type, std::uint8_t code, std::uint32_t rest,
                         base::Bytes body) {
  Buffer frame(kTcpAt + kIcmpHeaderSize + body.size());
  std::byte* at = emit_link(frame.data(), link_from_peer(kEtherTypeIpv4));
  at = emit_ip(at, kProtocolIcmp, {.source = kPeers, .destination = kOurs},
               static_cast<std::uint32_t>(frame.size() - kTcpAt));
  at[0] = std::byte{type};
  at[1] = std::byte{code};
  base::store_be16(at + 2, 0);
  base::store_be32(at + 4, rest);
  if (!body.empty()) std::memcpy(at + kIcmpHeaderSize, body.data(), body.size());
  store_checksum(at + 2, fold(sum(base::Bytes{frame}.subspan(kTcpAt))));
  return frame;
}

// What a router quotes of a segment we sent: IPv4 header and the first 8 bytes of TCP.
// Not inlined: GCC 12 would warn of copying from the buffer as if it were empty.
[[gnu::noinline]] inline Buffer quote_of(const Buffer& frame, std::size_t tcp_bytes = 8) {
  const auto quoted = base::Bytes{frame}.subspan(kIpAt, kIpv4HeaderSize + tcp_bytes);
  return {quoted.begin(), quoted.end()};
}

// Makes an untagged frame's IPv4 checksum right again after a change.
inline void repair_ip_checksum(Buffer& frame) {
  const auto header_length = (std::to_integer<std::size_t>(frame[kIpAt]) & 0xf) * 4;
  base::store_be16(&frame[kIpAt + 10], 0);
  store_checksum(&frame[kIpAt + 10], fold(sum(base::Bytes{frame}.subspan(kIpAt, header_length))));
}

// The same for the TCP checksum of a frame without IP options.
inline void repair_tcp_checksum(Buffer& frame) {
  const auto segment = base::Bytes{frame}.subspan(kTcpAt);
  base::store_be16(&frame[kTcpAt + 16], 0);
  const std::uint64_t pseudo =
      pseudo_header_sum(kPeers, kOurs, kProtocolTcp, static_cast<std::uint32_t>(segment.size()));
  store_checksum(&frame[kTcpAt + 16], fold(sum(segment, pseudo)));
}

// Everything the parsers make of one frame.
struct Parsed {
  Drop drop = Drop::none;
  Frame frame{};
  TcpPorts ports;
  base::Segment segment;
  Arp arp;
  Icmp icmp;
  std::optional<QuotedTcp> quoted;
  NeighbourSolicitation solicitation;
  NeighbourAdvertisement advertisement;
};

inline void parse_ipv6_message(Parsed& out) {
  out.drop = parse_icmpv6(out.frame, out.icmp);
  if (out.drop != Drop::none) return;
  if (out.icmp.type == kIcmpv6NeighbourSolicitation) {
    out.drop = parse_solicitation(out.icmp, out.frame, out.solicitation);
  } else if (out.icmp.type == kIcmpv6NeighbourAdvertisement) {
    out.drop = parse_advertisement(out.icmp, out.frame, out.advertisement);
  } else {
    out.quoted = parse_quoted_tcp_v6(out.icmp);
  }
}

inline Parsed parse(Buffer& bytes, std::optional<std::uint16_t> vlan = std::nullopt,
                    std::uint8_t flags = 0) {
  base::Packet packet;
  packet.data = bytes.data();
  packet.length = static_cast<std::uint32_t>(bytes.size());
  packet.flags = flags;
  Parsed out;
  out.drop = parse_frame(packet, {.mac = kOurMac, .vlan = vlan}, out.frame);
  if (out.drop != Drop::none) return out;
  switch (out.frame.kind) {
    case FrameKind::arp:
      out.drop = parse_arp(out.frame.payload, out.arp);
      break;
    case FrameKind::icmp:
      out.drop = parse_icmp(out.frame.payload, out.icmp);
      if (out.drop == Drop::none) out.quoted = parse_quoted_tcp(out.icmp);
      break;
    case FrameKind::icmpv6:
      parse_ipv6_message(out);
      break;
    case FrameKind::tcp:
      out.drop = parse_tcp(out.frame.payload, out.frame, out.ports, out.segment);
      break;
  }
  return out;
}

}  // namespace handfast::wire
