// Round-trip times and the retransmission time-out (RFC 6298), in microseconds.
#pragma once

#include "tcp/parameters.hpp"
#include "tcp/tcb.hpp"

namespace handfast::tcp {

// Starts timing the segment that ends before `end`, unless one is being timed (section 3: one
// measurement a round trip is enough). Never for a retransmission (Karn's rule).
void start_rtt_measurement(Tcb& tcb, Seq end, const Context& context);

// Takes the sample if `ack` covers what is being timed.
void finish_rtt_measurement(Tcb& tcb, Seq ack, const Context& context);

// RTO as measured, without backoff (section 2).
void update_rto(Tcb& tcb, std::uint32_t sample_us, const Parameters& parameters);

// Doubles RTO up to its maximum (section 5.5) and forgets the measurement under way (Karn).
void back_off(Tcb& tcb, const Parameters& parameters);

}  // namespace handfast::tcp
