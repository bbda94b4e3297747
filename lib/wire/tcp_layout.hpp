// TcpLayout: where the headers of a TCP frame lie, found in the frame itself. For what works on
// frames and not on segments: a driver that asks its device for an offload, or does the device's
// part in software. The stack's own way in is parse_frame, which checks more.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"

namespace handfast::wire {

struct TcpLayout {
  bool is_v4;
  std::uint8_t link_length;  // 14, or 18 with a VLAN tag
  std::uint8_t ip_length;    // with IPv4's options
  std::uint8_t tcp_length;   // with options

  std::uint32_t ip_at() const { return link_length; }
  std::uint32_t tcp_at() const { return std::uint32_t{link_length} + ip_length; }
  std::uint32_t text_at() const { return tcp_at() + tcp_length; }
};

// Nothing when it is not TCP, is a fragment, has IPv6 extension headers, or when `frame` ends
// before its headers do. Behind them it may end anywhere: in a frame of several packets it is the
// first's bytes. Cost: three cache lines at most, no sum.
std::optional<TcpLayout> tcp_layout_of(base::Bytes frame);

// Bytes of the whole frame by its IP header's length field, without Ethernet's padding.
std::uint32_t length_on_wire(base::Bytes frame, const TcpLayout& layout);

// What a device does for kOffloadIpChecksum and kOffloadL4Checksum. The TCP field holds the
// pseudo-header's sum; its length is missing there when the frame waits to be cut up (TSO).
void complete_ip_checksum(base::MutableBytes frame, const TcpLayout& layout);
void complete_tcp_checksum(base::MutableBytes frame, const TcpLayout& layout,
                           bool is_length_missing);

// Verifies IPv4's and TCP's checksum, or writes both anew, of a frame that is whole.
bool are_checksums_good(base::Bytes frame, const TcpLayout& layout);
void write_checksums(base::MutableBytes frame, const TcpLayout& layout);

}  // namespace handfast::wire
