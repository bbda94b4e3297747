// Taking and giving back a connection's Transfer.
#pragma once

#include "tcp/parameters.hpp"
#include "tcp/tcb.hpp"
#include "tcp/transfer.hpp"

namespace handfast::tcp {

// For data to be queued: the connection's Transfer, or a fresh one; null when none is left. The
// window of a connection that was idle is no larger than a new one's (RFC 5681 section 4.1).
Transfer* take_transfer(Tcb& tcb, Context& context);

// The connection has no data of its own left, sent or not.
void give_transfer_back(Tcb& tcb, Context& context);

// ESTABLISHED: the congestion control of data queued before begins.
void start_congestion_control(Tcb& tcb, bool syn_lost, const Context& context);

}  // namespace handfast::tcp
