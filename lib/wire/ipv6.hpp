// IPv6 packets as they are received (RFC 8200): the header, extension headers stepped over, what
// lies behind them. Called by parse_frame only; sending is ip.hpp's.
#pragma once

#include "base/bytes.hpp"
#include "wire/drop.hpp"
#include "wire/frame.hpp"

namespace handfast::wire {

// A packet may come with more extension headers than anybody has a use for, each to be stepped
// over: so many are.
inline constexpr unsigned kExtensionHeadersMax = 8;

// Fills the IP part of `out` from what follows the Ethernet header, or says why the packet is to be
// dropped. Hop-by-hop and destination options are checked, and obeyed as far as an unknown one asks
// for the packet to be discarded (RFC 8200 section 4.2; Frame::refused tells of the ICMP error that
// it may ask for); a routing header is stepped over once it has nothing left to visit. A fragment
// is refused unless it is the whole packet (RFC 6946).
Drop parse_ipv6(base::Bytes packet, Frame& out);

}  // namespace handfast::wire
