// TCP segments between bytes and values (RFC 9293 section 3.1): header, options, checksum. It knows
// formats only; what a segment means is lib/tcp's. The stack calls parse_tcp for each Frame of
// kind tcp and emit_tcp for each segment that lib/tcp plans.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/packet.hpp"
#include "base/segment.hpp"
#include "wire/drop.hpp"
#include "wire/ethernet.hpp"
#include "wire/frame.hpp"
#include "wire/ipv4.hpp"

namespace handfast::wire {

inline constexpr std::uint32_t kTcpHeaderSize = 20;
inline constexpr std::uint32_t kTcpOptionsMax = 40;

struct TcpPorts {
  std::uint16_t source = 0;
  std::uint16_t destination = 0;
  bool operator==(const TcpPorts&) const = default;
};

// Fills `ports` and `out` from `segment`, which is `frame`'s payload, or says why the segment is to
// be dropped (both are then unspecified). The checksum is verified here unless the device has
// done it. Of `out.options` only what `present` and `sack_count` name is written. `out.payload`
// points into the packet.
//
// Options (RFC 9293 section 3.1): unknown ones are skipped by their length, a known one of a wrong
// length is ignored, and an impossible length (0, 1, past the header) ends them, keeping those
// before it (MUST-7). MSS, window scale, SACK-permitted and Fast Open mean nothing without
// SYN and are ignored.
Drop parse_tcp(base::Bytes segment, const Frame& frame, TcpPorts& ports, base::Segment& out);

struct TcpEmit {
  const LinkHeader& link;
  Ipv4Fields ip;  // `protocol` is ignored
  TcpPorts ports;
  const base::Segment& segment;
  bool offload_ip_checksum = false;
  bool offload_tcp_checksum = false;
};

// How many SACK blocks (RFC 2018 section 3) go into one header beside the other options.
inline std::uint32_t sack_blocks_that_fit(const base::TcpOptions& options,
                                          std::uint32_t other_bytes) {
  const std::uint32_t room =
      other_bytes + 4 > kTcpOptionsMax ? 0 : (kTcpOptionsMax - other_bytes - 4) / 8;
  return std::min<std::uint32_t>(options.sack_count, room);
}

// Bytes of a Fast Open option (RFC 7413 section 4.1.1), padding included.
inline std::uint32_t fast_open_length(const base::TcpOptions& options) {
  return (2U + options.cookie_length + 3U) & ~3U;
}

// Bytes of all options but SACK, padding included. The layout is Linux's: every option begins at
// a multiple of 4 bytes, SACK-permitted taking the place of the two NOPs before timestamps.
inline std::uint32_t fixed_options_length(const base::TcpOptions& options) {
  using enum base::TcpOptions::Present;
  std::uint32_t length = 0;
  if (options.has(kMss)) length += 4;
  if (options.has(kTimestamps)) {
    length += 12;
  } else if (options.has(kSackPermitted)) {
    length += 4;
  }
  if (options.has(kWindowScale)) length += 4;
  if (options.has(kFastOpen)) length += fast_open_length(options);
  return length;
}

// Bytes of the TCP header that emit_tcp writes for these options: 20 to 60.
inline std::uint32_t tcp_header_length(const base::TcpOptions& options) {
  if (options.present == 0 && options.sack_count == 0) return kTcpHeaderSize;
  const std::uint32_t fixed = fixed_options_length(options);
  const std::uint32_t blocks = sack_blocks_that_fit(options, fixed);
  return kTcpHeaderSize + fixed + (blocks == 0 ? 0 : 4 + 8 * blocks);
}

// Writes the whole frame (Ethernet, IPv4, TCP, a copy of the payload) at `packet.data` and sets the
// packet's length, flags and, with an offload, header lengths. The caller has made sure of the
// room: link.length + 20 + tcp_header_length() + payload, at most 65535 bytes from the IPv4 header
// on. Options are written whatever the flags: leaving MSS out of a segment without SYN is the
// caller's. SACK blocks beyond those that fit are left out. Cost: O(payload), no allocation.
void emit_tcp(base::Packet& packet, const TcpEmit& emit);

}  // namespace handfast::wire
