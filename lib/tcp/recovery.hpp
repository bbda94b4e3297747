// Loss recovery: what an ACK and a time-out do to the sending side. Fast recovery on what RACK and
// SACK have told (RFC 6675, RFC 8985; RFC 6582 for a peer without SACK), its window by proportional
// rate reduction (RFC 6937), time-outs with F-RTO (RFC 5682), and the undoing of what was for
// nothing (RFC 3522 by timestamps, RFC 3708 by D-SACK).
#pragma once

#include "base/segment.hpp"
#include "tcp/parameters.hpp"
#include "tcp/scoreboard.hpp"
#include "tcp/tcb.hpp"

namespace handfast::tcp {

// An acceptable ACK (SND.UNA =< SEG.ACK =< SND.MAX) has arrived at a Tcb that has a Transfer.
// `is_duplicate` in the sense of RFC 5681 section 2.
AckNews take_ack(Tcb& tcb, const base::Segment& seg, bool is_duplicate, Context& context);

// The retransmission timer has run out on data: the window closes, what is not known to have
// arrived is lost.
void retransmission_timed_out(Tcb& tcb, Context& context);

// RACK's reordering timer has run out.
void reordering_timed_out(Tcb& tcb, Context& context);

// `bytes` leave: PRR counts them.
void note_sent_in_recovery(Tcb& tcb, std::uint32_t bytes);

}  // namespace handfast::tcp
