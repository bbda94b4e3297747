// OPEN, SEND and CLOSE on a Tcb (RFC 9293 sections 3.10.1, 3.10.2, 3.10.4). ABORT needs only its
// RST, see output.hpp.
#pragma once

#include <cstddef>
#include <expected>
#include <span>

#include "handfast/error.hpp"
#include "tcp/parameters.hpp"
#include "tcp/tcb.hpp"

namespace handfast::tcp {

// Active OPEN: CLOSED to SYN-SENT, the SYN to be sent. `tcb` is fresh but for what is not tcp's.
void open(Tcb& tcb, const base::FlowKey& key, Seq iss, const Context& context);

// SEND: queues what fits and returns how much. `wrong_state` after CLOSE.
std::expected<std::size_t, Error> send(Tcb& tcb, std::span<const std::byte> bytes,
                                       Context& context);

// CLOSE: queues the FIN behind what is queued. False in SYN-SENT: the caller deletes the Tcb.
bool close(Tcb& tcb);

}  // namespace handfast::tcp
