// Path MTU: how large a segment the path takes. It is told by ICMP (RFC 1191, RFC 8201), believed
// only about a segment that was sent, is unanswered and is larger than what it says (RFC 5927
// section 7.2); or found out when routers keep silent and full segments never arrive (RFC 4821's
// black holes). It is nothing about congestion: the window stays.
//
// Each connection learns for itself. What it has learned stands in its Transfer, which it then
// keeps while idle, and is tried anew by SEND: after ten minutes (RFC 1191 section 6.3, RFC 8201
// section 5.3), for a black hole twice as long each time it is found again.
#pragma once

#include "tcp/icmp_error.hpp"
#include "tcp/parameters.hpp"
#include "tcp/tcb.hpp"

namespace handfast::tcp {

// An ICMP error says that the segment with `quoted` was too big for a hop of `mtu` bytes of IP
// packet; 0 comes from an old router that does not say. What was too big is marked to be sent again
// in smaller pieces.
IcmpVerdict packet_too_big(Tcb& tcb, Seq quoted, std::uint16_t mtu, Context& context);

// A retransmission time-out, before it does anything else: after three of one large segment the
// next are smaller, as Linux has it with tcp_mtu_probing = 1; after six where segments of that size
// have arrived before.
void suspect_black_hole(Tcb& tcb, Context& context);

// SEND with a Transfer: full size again, if it is time.
void try_full_size(Tcb& tcb, Context& context);

inline bool knows_smaller_path(const Tcb& tcb) {
  return tcb.transfer != nullptr && tcb.transfer->full_mss != 0;
}

// Bytes of IP packet that are thought to get through.
std::uint32_t path_mtu(const Tcb& tcb, const Parameters& parameters);

}  // namespace handfast::tcp
