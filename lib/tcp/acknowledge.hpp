// What an acknowledgement says and when it goes: delayed acknowledgements (RFC 9293 section
// 3.8.6.3, RFC 5681 section 4.2), SACK and D-SACK blocks (RFC 2018, RFC 2883), and the echo of
// congestion marks (RFC 3168 section 6.1.3, RFC 8257 section 3.2). Called where text arrives and
// where a segment is planned.
#pragma once

#include "base/segment.hpp"
#include "tcp/parameters.hpp"
#include "tcp/tcb.hpp"

namespace handfast::tcp {

// Text has been taken in order: an ACK is owed at the end of the burst (Tcb::ack_pending), or until
// Tcb::ack_at if it may wait.
void owe_acknowledgement(Tcb& tcb, std::uint32_t text_length, const Context& context);

// Every segment with an ACK calls it before its options are counted: sets ECE and CWR as owed. The
// SACK blocks go where they fit beside `text_length` bytes in one segment of the effective MSS; a
// pure ACK takes as many as the header holds.
void complete_acknowledgement(Tcb& tcb, std::uint32_t text_length, base::Segment& out);

// The delayed acknowledgement's time has come: it is owed now.
void acknowledgement_due(Tcb& tcb, const Context& context);

// The IP header's mark on an arriving segment, and its CWR: what is to be echoed.
void note_congestion_mark(Tcb& tcb, const base::Segment& seg, const Context& context);

}  // namespace handfast::tcp
