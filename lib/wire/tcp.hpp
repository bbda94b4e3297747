// TCP segments between bytes and values (RFC 9293 section 3.1): header, options, checksum. It knows
// formats only; what a segment means is lib/tcp's. The stack calls parse_plain_segment for each
// frame that arrives and parse_tcp where that did not suffice, and for each segment that lib/tcp
// plans emit_headers in front of text that lies in place, or emit_tcp to copy it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/packet.hpp"
#include "base/segment.hpp"
#include "wire/drop.hpp"
#include "wire/ethernet.hpp"
#include "wire/frame.hpp"
#include "wire/ip.hpp"

namespace handfast::wire {

inline constexpr std::uint32_t kTcpHeaderSize = 20;
inline constexpr std::uint32_t kTcpOptionsMax = 40;
inline constexpr std::uint32_t kPaddedTimestampsSize = 12;  // with the two NOPs before the option

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
// before it (MUST-7). MSS, window scale, SACK-permitted and Fast Open mean nothing without SYN
// and are ignored.
Drop parse_tcp(base::Bytes segment, const Frame& frame, TcpPorts& ports, base::Segment& out);

// parse_frame() and parse_tcp() in one, for the layout of nearly all frames: untagged, IPv4 without
// options, in one piece. True when the frame has it and passes every check of the two: `key`, as
// seen from here, and `out` are then filled as by them, and `out.ecn` too. False says nothing but
// that they have to be asked; `key` and `out` are unspecified then.
bool parse_plain_segment(const base::Packet& packet, const LinkFilter& filter, base::FlowKey& key,
                         base::Segment& out);

struct TcpEmit {
  const LinkHeader& link;  // with the EtherType of the addresses' family
  IpFields ip;
  TcpPorts ports;
  const base::Segment& segment;
  // The device is to cut the text into segments of so many bytes (TSO); 0: it is one segment.
  std::uint16_t segment_size = 0;
  bool offload_ip_checksum = false;  // of IPv4
  bool offload_tcp_checksum = false;
};

// How many SACK blocks (RFC 2018 section 3) go into one header beside the other options.
inline std::uint32_t sack_blocks_that_fit(const base::TcpOptions& options,
                                          std::uint32_t other_bytes) {
  const std::uint32_t room =
      other_bytes + 4 > kTcpOptionsMax ? 0 : (kTcpOptionsMax - other_bytes - 4) / 8;
  return std::min<std::uint32_t>(options.sack_count, room);
}

// Bytes of the Fast Open option (RFC 7413 section 4.1.1) with its padding.
inline std::uint32_t fast_open_length(const base::TcpOptions& options) {
  return (2U + options.cookie_length + 3U) / 4 * 4;
}

// Bytes of all options but SACK, padding included. The layout is Linux's: every option begins at
// a multiple of 4 bytes, SACK-permitted taking the place of the two NOPs before timestamps.
inline std::uint32_t fixed_options_length(const base::TcpOptions& options) {
  using enum base::TcpOptions::Present;
  std::uint32_t length = 0;
  if (options.has(kMss)) length += 4;
  if (options.has(kTimestamps)) {
    length += kPaddedTimestampsSize;
  } else if (options.has(kSackPermitted)) {
    length += 4;
  }
  if (options.has(kWindowScale)) length += 4;
  if (options.has(kFastOpen)) length += fast_open_length(options);
  return length;
}

// What most segments carry.
inline bool has_timestamps_only(const base::TcpOptions& options) {
  return options.present == base::TcpOptions::kTimestamps && options.sack_count == 0;
}

// Bytes of the TCP header that is written for these options: 20 to 60.
inline std::uint32_t tcp_header_length(const base::TcpOptions& options) {
  if (has_timestamps_only(options)) return kTcpHeaderSize + kPaddedTimestampsSize;
  if (options.present == 0 && options.sack_count == 0) return kTcpHeaderSize;
  const std::uint32_t fixed = fixed_options_length(options);
  const std::uint32_t blocks = sack_blocks_that_fit(options, fixed);
  return kTcpHeaderSize + fixed + (blocks == 0 ? 0 : 4 + 8 * blocks);
}

// Bytes of link, IP and TCP header together, with these options.
inline std::uint32_t headers_length(const TcpEmit& emit) {
  return emit.link.length + ip_header_length(emit.ip) + tcp_header_length(emit.segment.options);
}

// The PacketFlag bits by which the device hears of these offloads.
inline std::uint8_t offload_flags(const TcpEmit& emit) {
  return static_cast<std::uint8_t>(
      (emit.offload_ip_checksum && emit.ip.is_v4 ? base::kOffloadIpChecksum : 0) |
      (emit.offload_tcp_checksum ? base::kOffloadL4Checksum : 0));
}

// Writes the headers of a segment with `text_length` bytes of text, from `first` to `first` +
// headers_length(); the text follows them at once or in packets chained behind. `segment.payload`
// is not looked at. `text_sum` is the text's partial sum(), and means nothing with
// `offload_tcp_checksum`: then the checksum field holds the pseudo-header's sum, not complemented,
// and with `segment_size` that of a pseudo-header of length 0 (what rte_ipv4_phdr_cksum makes for
// TSO). Options are written whatever the flags: leaving MSS out of a segment without SYN is the
// caller's. SACK blocks beyond those that fit are left out. Cost: the headers, no allocation.
void emit_headers(std::byte* first, const TcpEmit& emit, std::uint32_t text_length,
                  std::uint64_t text_sum);

// Writes the whole frame (headers and a copy of the payload) at `packet.data` and sets the packet's
// length and flags. The caller has made sure of the room: headers_length() + payload, at most
// 65,535 bytes from the IP header on. Cost: O(payload), no allocation.
void emit_tcp(base::Packet& packet, const TcpEmit& emit);

}  // namespace handfast::wire
