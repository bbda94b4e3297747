// Frame: a received frame as far as Ethernet and IP go, checked: nothing behind parse_frame meets a
// malformed header. What it does not know is which addresses are ours; lib/net decides that. The
// stack calls it first for every packet, then the parser of the frame's kind.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/packet.hpp"
#include "handfast/address.hpp"
#include "wire/drop.hpp"
#include "wire/ethernet.hpp"

namespace handfast::wire {

using base::Bytes;

enum class FrameKind : std::uint8_t { arp, icmp, icmpv6, tcp };

// What a refused IP packet's sender may be told (RFC 792, RFC 4443 section 3.4).
enum class Complaint : std::uint8_t {
  none,
  protocol,            // of IPv4: a protocol that is not spoken here
  next_header,         // of IPv6: the same, or an extension header that is not known
  header_field,        // a routing header that wants to go on
  option,              // an option that wants its sender told, unless it went to a group
  option_of_any_kind,  // one that wants it even then (RFC 8200 section 4.2)
};

// Plain values without initialisers: only a packet that is refused pays for them.
struct RefusedPacket {
  const std::byte* begin;  // its IP header
  std::uint16_t length;    // as IP says
  std::uint16_t at;        // the byte that was not understood
  std::uint8_t protocol;   // what that says
  Complaint complaint;
};

struct Frame {
  FrameKind kind;
  bool link_broadcast;          // the destination MAC address was broadcast or multicast
  std::uint8_t tos;             // DSCP and ECN
  std::uint8_t hop_limit;       // TTL of IPv4
  std::uint8_t checksum_flags;  // the packet's PacketFlag bits
  MacAddress source_mac;
  Address source;  // unspecified for ARP, as is `destination`
  Address destination;
  // The ARP body, ICMP message or TCP segment: just what IP's length says, behind
  // options and extension headers and without Ethernet's padding. Points into the packet.
  Bytes payload;
  // Of Drop::ip_protocol and Drop::ip_option alone.
  RefusedPacket refused;
};

// Which frames are meant for this interface.
struct LinkFilter {
  MacAddress mac{};
  std::optional<std::uint16_t>
      vlan;  // frames with this tag only; without one, untagged frames only
};

// Fills `out` from the packet's bytes, or says why the frame is to be dropped. `out` is then
// unspecified, but for Drop::ip_protocol and Drop::ip_option: then `refused` says what to complain
// of, and if that is not `none`, `link_broadcast` and the addresses are good, too. A tag with VLAN
// identifier 0 counts as none (IEEE 802.1Q priority tag). IPv4 options are checked and otherwise
// ignored (RFC 9293 MUST-50), IPv6 extension headers as parse_ipv6 says; fragments are refused.
// Cost: no allocation, one read of the headers.
Drop parse_frame(const base::Packet& packet, const LinkFilter& filter, Frame& out);

}  // namespace handfast::wire
