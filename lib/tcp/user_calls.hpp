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

// What a fresh Tcb does otherwise than the stack: before open() or promote().
void configure(Tcb& tcb, const ConnectionOptions& options, const Parameters& parameters);

// Active OPEN: CLOSED to SYN-SENT, the SYN to be sent. `tcb` is fresh but for what is not tcp's.
void open(Tcb& tcb, const base::FlowKey& key, Seq iss, const Context& context);

// SEND: queues what fits and returns how much. `wrong_state` after CLOSE.
std::expected<std::size_t, Error> send(Tcb& tcb, std::span<const std::byte> bytes,
                                       Context& context);

// SEND of a packet with `text` in it, which becomes the send queue's; all or nothing, and then the
// packet stays the caller's. `wrong_state`, `send_buffer_full`, `no_packet_buffer`.
std::expected<void, Error> send(Tcb& tcb, const base::Packet& packet, std::span<std::byte> text,
                                Context& context);

// CLOSE: queues the FIN behind what is queued. False in SYN-SENT: the caller deletes the Tcb.
bool close(Tcb& tcb);

// From now on all that is queued has so many ticks to be acknowledged, FIN included; then
// Timeouts::linger_over. After close(), and not in SYN-SENT.
void limit_close(Tcb& tcb, std::uint32_t ticks, const Context& context);

// The user timeout begins anew with what is unanswered (RFC 9293 section 3.9.1).
void set_user_timeout(Tcb& tcb, std::uint32_t ticks);

// Seconds of idleness; 0: none.
void set_keep_alive(Tcb& tcb, std::uint16_t seconds, const Context& context);

// False when the algorithm needs marks that were not negotiated.
bool set_congestion_control(Tcb& tcb, CongestionControl algorithm, const Context& context);

}  // namespace handfast::tcp
