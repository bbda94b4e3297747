// ICMP for IPv4 (RFC 792) and IPv6 (RFC 4443): messages as a checked view, what an error message
// quotes of a TCP segment of ours, and the echo reply. Whether an error is believed is not decided
// here.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/seq.hpp"
#include "handfast/address.hpp"
#include "wire/drop.hpp"
#include "wire/ethernet.hpp"
#include "wire/frame.hpp"
#include "wire/ip.hpp"

namespace handfast::wire {

inline constexpr std::size_t kIcmpHeaderSize = 8;

// What an error quotes is cut so that its packet has at most so many bytes.
inline constexpr std::size_t kIcmpErrorMax = 576;
inline constexpr std::size_t kIcmpv6ErrorMax = 1280;

enum IcmpType : std::uint8_t {
  kIcmpEchoReply = 0,
  kIcmpDestinationUnreachable = 3,
  kIcmpSourceQuench = 4,
  kIcmpEchoRequest = 8,
  kIcmpTimeExceeded = 11,
  kIcmpParameterProblem = 12,
};

enum Icmpv6Type : std::uint8_t {
  kIcmpv6DestinationUnreachable = 1,
  kIcmpv6PacketTooBig = 2,
  kIcmpv6TimeExceeded = 3,
  kIcmpv6ParameterProblem = 4,
  kIcmpv6EchoRequest = 128,
  kIcmpv6EchoReply = 129,
  kIcmpv6ListenerQuery = 130,
  kIcmpv6ListenerReportV1 = 131,
  kIcmpv6RouterSolicitation = 133,
  kIcmpv6RouterAdvertisement = 134,
  kIcmpv6NeighbourSolicitation = 135,
  kIcmpv6NeighbourAdvertisement = 136,
  kIcmpv6Redirect = 137,
  kIcmpv6ListenerReportV2 = 143,
};

// The messages of RFC 4861.
constexpr bool is_neighbour_discovery(std::uint8_t icmpv6_type) {
  return icmpv6_type >= kIcmpv6RouterSolicitation && icmpv6_type <= kIcmpv6Redirect;
}

struct Icmp {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint32_t rest = 0;  // bytes 4 to 7 as a number in host order
  base::Bytes body;        // behind the 8 header bytes; points into the packet
};

// Reads a Frame's payload; the checksum is always verified.
Drop parse_icmp(base::Bytes message, Icmp& out);
// The same for ICMPv6, whose checksum covers the frame's addresses too (RFC 4443 section 2.3).
Drop parse_icmpv6(const Frame& frame, Icmp& out);

// The segment an error message is about, as we sent it: source is our side.
struct QuotedTcp {
  Address source;
  Address destination;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  base::Seq seq;
};

// Nothing unless the message is an error (Destination Unreachable, Source Quench, Time Exceeded,
// Parameter Problem) that quotes a well-formed IPv4 header and at least the first 8 bytes of
// a TCP segment.
std::optional<QuotedTcp> parse_quoted_tcp(const Icmp& icmp);
// The same for ICMPv6's (Destination Unreachable, Packet Too Big, Time Exceeded, Parameter
// Problem). A quote with extension headers is none of ours: we send none.
std::optional<QuotedTcp> parse_quoted_tcp_v6(const Icmp& icmp);

// The type, code and second word of an error message of ours (RFC 792, RFC 4443).
struct IcmpError {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint32_t rest = 0;
  bool operator==(const IcmpError&) const = default;
};

// An error about `packet`, quoted from its IP header on, as much of it as makes at most 576 bytes
// of IPv4 (RFC 1812 section 4.3.2.3) or 1280 of IPv6 (RFC 4443 section 2.4 (c)), and fits `room`.
// Returns the frame's length; 0, and nothing is written, when `room` has no place for the headers.
std::uint32_t emit_icmp_error(std::byte* at, const LinkHeader& link, const IpFields& ip,
                              const IcmpError& error, base::Bytes packet, std::size_t room);

// Writes the whole frame of the answer to `request`, ICMP or ICMPv6 as the addresses are; returns
// its length. `room` is how many bytes
// there are at `at`; data beyond it is cut off (RFC 1122 section 3.2.2.6), and without room for the
// headers nothing is written and 0 returned. The request's body must not
// overlap `at`.
std::uint32_t emit_echo_reply(std::byte* at, const LinkHeader& link, const IpFields& ip,
                              const Icmp& request, std::size_t room);

}  // namespace handfast::wire
