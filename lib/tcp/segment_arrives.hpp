// SEGMENT ARRIVES for a full Tcb (RFC 9293 sections 3.10.7.3 and 3.10.7.4). LISTEN, SYN-RECEIVED
// of a passive open and TIME-WAIT have records of their own: half_open.hpp, time_wait.hpp.
// Nothing is sent and no one is called from here: the result says what is now due, in the order in
// which the caller tells it to the application, and the Tcb says what output.hpp is to send.
#pragma once

#include "base/segment.hpp"
#include "tcp/parameters.hpp"
#include "tcp/tcb.hpp"

namespace handfast::tcp {

struct Arrival {
  bool established = false;  // reached ESTABLISHED with this segment
  bool space_freed = false;  // data of ours was acknowledged
  bool text_queued = false;  // receive_queue grew: deliver from it after `text`
  bool packet_kept = false;  // the packet is in one of the queues now; otherwise the caller's
  bool reset = false;        // answer with reset_for(segment); the connection is not touched
  bool challenge = false;    // answer with a challenge ACK, if their rate allows (RFC 5961)
  bool closed = false;       // Tcb::state is CLOSED, for `reason`
  bool time_wait = false;    // Tcb::state is TIME-WAIT: both FINs are done
  CloseReason reason = CloseReason::finished;
  std::uint32_t urgent = 0;  // the peer has marked more: so many bytes, `text` the first of them
  std::span<const std::byte> text;  // new data in order, inside the packet: deliver it first
};

// `seg.payload` lies in `packet`. The Tcb is in any state but LISTEN, CLOSED and TIME-WAIT.
Arrival segment_arrives(Tcb& tcb, const base::Segment& seg, const base::Packet& packet,
                        Context& context);

// Puts what the handler did not take of Arrival::text at the front of receive_queue. The packet is
// kept.
void hold_text(Tcb& tcb, const base::Packet& packet, std::span<const std::byte> rest);

// Packets are scarce: if `seg` has the text that is missing at RCV.NXT, all that stands beyond the
// gap is given back for it. The peer has it still (RFC 2018 section 8), and sends it again.
void make_room_for(const base::Segment& seg, Tcb& tcb, Context& context);

}  // namespace handfast::tcp
