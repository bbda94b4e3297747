// NewReno congestion control: slow start, congestion avoidance, fast retransmit and fast recovery
// (RFC 5681, RFC 6582, initial window RFC 6928). Decides on cwnd and ssthresh only; what is sent
// again is decided where it is called.
#pragma once

#include "tcp/tcb.hpp"

namespace handfast::tcp::new_reno {

inline constexpr std::uint8_t kDuplicateAckThreshold = 3;

// When the connection is established. `syn_lost`: the handshake needed a retransmission, so the
// initial window is one segment (RFC 5681 section 3.1).
void start(Tcb& tcb, bool syn_lost);

// `acked` bytes were newly acknowledged, SND.UNA has moved. True: the ACK was partial, so the
// segment now at SND.UNA is lost too and is to be sent again (RFC 6582 section 3.2 step 3).
bool on_ack(Tcb& tcb, std::uint32_t acked);

// A duplicate ACK. True: the segment at SND.UNA is to be sent again.
bool on_duplicate_ack(Tcb& tcb);

// The retransmission timer ran out (RFC 5681 section 3.1 equation 4, RFC 6582 section 4).
void on_timeout(Tcb& tcb);

}  // namespace handfast::tcp::new_reno
