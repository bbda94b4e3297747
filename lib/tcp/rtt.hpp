// Round-trip times and the retransmission time-out (RFC 6298), in microseconds.
#pragma once

#include "base/segment.hpp"
#include "tcp/parameters.hpp"
#include "tcp/tcb.hpp"

namespace handfast::tcp {

// The SYN, or SYN-ACK, goes out for the first time / is acknowledged by `seg`. Its own measurement
// ends with a retransmission (Karn's rule): then the timestamp tells, if there is one. Data is
// timed by the send queue's nodes.
void start_syn_measurement(Tcb& tcb, const Context& context);
void finish_syn_measurement(Tcb& tcb, const base::Segment& seg, const Context& context);

// In microseconds, of what the segment acknowledges: counted in milliseconds (RFC 7323
// section 4.1); 0: it does not say.
std::uint32_t round_trip_by_timestamp(const Tcb& tcb, const base::Segment& seg,
                                      const Context& context);

// RTO as measured, without backoff (section 2).
void update_rto(Tcb& tcb, std::uint32_t sample_us, const Parameters& parameters);

// Doubles RTO up to its maximum (section 5.5); a SYN is timed no longer (Karn).
void back_off(Tcb& tcb, const Parameters& parameters);

}  // namespace handfast::tcp
