// What an acknowledgement says and when it goes: delayed acknowledgements (RFC 9293 section
// 3.8.6.3, RFC 5681 section 4.2), SACK and D-SACK blocks (RFC 2018, RFC 2883), and the echo of
// congestion marks (RFC 3168 section 6.1.3, RFC 8257 section 3.2). Called where text arrives and
// where a segment is planned.
//
// What is owed is kept in the Tcb: ack_pending (an ACK goes at the end of the burst), ack_at (it
// may wait until then), extra_acks (more than one is to go), dsack_length. Only
// complete_acknowledgement() settles it.
#pragma once

#include "base/segment.hpp"
#include "tcp/parameters.hpp"
#include "tcp/tcb.hpp"

namespace handfast::tcp {

// Text has been taken in order, with no gap behind it: an ACK is owed at the end of the burst, or
// until Tcb::ack_at if it may wait.
void owe_acknowledgement(Tcb& tcb, std::uint32_t text_length, const Context& context);

// Text has been kept beyond a gap, from `seq` on: an ACK is owed at once. Without SACK one for each
// segment (RFC 5681 section 4.2); with SACK as many as it takes to report each run that it changed.
void owe_report(Tcb& tcb, Seq seq);

// Text from `left` to `right` has arrived before: the next ACK says so. What was noted and not told
// yet grows if the two touch, and otherwise stays: one ACK tells of one range.
void note_duplicate(Tcb& tcb, Seq left, Seq right);

// The same for the part of an arriving segment below RCV.NXT. Before the segment is trimmed, and
// for one that is not acceptable too.
void note_old_text(Tcb& tcb, const base::Segment& seg);

// Every segment with an ACK comes here once, as the last that is done to its header: SEG.SEQ,
// SEG.ACK = RCV.NXT, the window and the timestamps are set, SND.MAX and Last.ACK.sent are still
// those of before. Sets ECE and CWR as owed, puts SACK blocks where they fit beside `text_length`
// bytes in one segment of the effective MSS, sets Last.ACK.sent, and settles what was owed:
// ack_pending is true afterwards only if another ACK must follow. Lowers SEG.ACK where DCTCP needs
// two ACKs for what arrived with and without marks.
void complete_acknowledgement(Tcb& tcb, std::uint32_t text_length, base::Segment& out);

// The delayed acknowledgement's time has come: it is owed now.
void acknowledgement_due(Tcb& tcb, const Context& context);

// The IP header's mark on an arriving segment, and its CWR: what is to be echoed. For acceptable
// segments only (RFC 3168 section 6.1.5), before their text is taken.
void note_congestion_mark(Tcb& tcb, const base::Segment& seg, const Context& context);

}  // namespace handfast::tcp
