// What a Tcb sends: called after the burst's callbacks, segment by segment, until there is nothing
// more. Acknowledgements ride on data and FIN where they can; a pure ACK is the last resort.
#pragma once

#include <optional>

#include "base/segment.hpp"
#include "tcp/parameters.hpp"
#include "tcp/tcb.hpp"

namespace handfast::tcp {

struct Outgoing {
  base::Segment segment;
  // Where the payload stays until it is acknowledged; null: nowhere (a probe), or there is none.
  const SendNode* node = nullptr;
  // Bytes of text. With a port that has TSO it goes on in the nodes behind `node`, of which
  // `segment.payload` is the first's; then each but the last has `segment_size`.
  std::uint32_t length = 0;
  std::uint16_t segment_size = 0;
};

// The next segment due, counted as sent: the Tcb has moved on when this returns true. The payload
// points into the send queue and is good until the next call on this Tcb. False: nothing may leave
// now, whatever has_output() says.
bool next_segment(Tcb& tcb, Context& context, Outgoing& out);

// Whether next_segment() may have something: cheap, and never false when it has.
bool has_output(const Tcb& tcb);

// After the last next_segment() of a burst: arms the one timer of the sending side as needed.
void finish_output(Tcb& tcb, Context& context);

// RFC 5961 section 7's challenge ACK, and the answer to what is outside the window.
base::Segment ack_of(Tcb& tcb, const Context& context);

// The RST of ABORT, in the states that ask for one (RFC 9293 section 3.10.5).
std::optional<base::Segment> reset_of_abort(const Tcb& tcb, const Context& context);

}  // namespace handfast::tcp
