// The laws that a connection's record keeps whatever arrives: order of its sequence numbers, shape
// of its queues, and a deadline for all that it waits for. Each is an assertion. To be asked
// whenever the record is at rest: between two calls into lib/tcp.
#pragma once

#include "tcp/tcb.hpp"

namespace handfast::fuzz {

void check_sequence_numbers(const tcp::Tcb& tcb);
void check_send_queue(const tcp::Tcb& tcb);
void check_receive_queue(const tcp::Tcb& tcb);
void check_reassembly(const tcp::Tcb& tcb);
// Something is owed to us: then a timer runs. Only when nothing that could leave was held back.
void check_deadline(const tcp::Tcb& tcb);

inline void check_tcb(const tcp::Tcb& tcb) {
  check_sequence_numbers(tcb);
  check_send_queue(tcb);
  check_receive_queue(tcb);
  check_reassembly(tcb);
}

}  // namespace handfast::fuzz
