// Urgent data (RFC 9293 section 3.8.5, RFC 6093): a mark in the stream, nothing more. Text is
// delivered in line whatever is marked; the application is told that a mark is ahead and can ask
// how far. A mark is the number of the byte behind the last urgent one, as RFC 6093 section 3.1
// found everybody to have it. Marks live in the Transfer; without a free one there are none.
#pragma once

#include "base/segment.hpp"
#include "tcp/parameters.hpp"
#include "tcp/tcb.hpp"

namespace handfast::tcp {

// SEND with the urgent flag: what has been queued up to now is urgent. Sent in the header of every
// segment until the peer has acknowledged it. False when no Transfer was free: the data goes
// without the mark.
bool mark_urgent(Tcb& tcb, Context& context);

// Sets URG and the pointer on a segment that starts before SND.UP, with text or without. SEG.SEQ is
// set.
void add_urgent_pointer(const Tcb& tcb, base::Segment& out);

// SEGMENT ARRIVES, sixth step; trimming has shortened the pointer with the text. Returns how many
// bytes up to the mark the application has not taken yet, if it is to be told of it (MUST-32): a
// mark is ahead, and none was, or the mark has advanced. Otherwise 0.
std::uint32_t note_urgent(Tcb& tcb, const base::Segment& seg, Context& context);

// Bytes up to the mark that the application has not taken yet (MUST-33); 0: nothing is urgent.
// Text offered right out of a segment counts as taken, that in the receive queue does not. While
// this is not 0 the Transfer must stay.
std::uint32_t urgent_bytes(const Tcb& tcb);

// RCV.NXT moves: a mark left behind is forgotten, before the numbers come round to it again.
void pass_urgent_mark(Tcb& tcb);

}  // namespace handfast::tcp
