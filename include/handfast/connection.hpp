// Connection: a handler's reference to one TCP connection. A plain value of 16 bytes: copy it,
// keep it, compare it. It holds {index, generation}, so one whose connection has ended answers
// Error::stale_connection and never touches another's record.
//
// Every call belongs to the owning worker's thread: a callback, or a function given to post().
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>

#include "handfast/address.hpp"
#include "handfast/error.hpp"
#include "handfast/time.hpp"

namespace handfast {

class Worker;
namespace stack {
class Stack;
}

// What can be read of a live connection. Names that Linux's tcp_info has mean the same as there.
struct ConnectionInfo {
  Endpoint local;
  Endpoint remote;
  State state = State::closed;
  std::uint32_t snd_mss = 0;       // payload bytes a segment may carry
  std::uint32_t snd_cwnd = 0;      // bytes
  std::uint32_t snd_ssthresh = 0;  // bytes
  std::uint32_t snd_wnd = 0;       // peer's window, bytes
  std::uint32_t rcv_wnd = 0;       // our window, bytes
  std::uint32_t unacked = 0;       // bytes sent and not acknowledged
  std::uint32_t notsent = 0;       // bytes accepted and not yet sent
  std::uint32_t rtt_us = 0;        // smoothed round-trip time; 0 before the first sample
  std::uint32_t rttvar_us = 0;
  std::uint32_t rto_us = 0;
  std::uint32_t retransmits = 0;  // of the segment at SND.UNA, since it was last acknowledged
  bool timestamps = false;        // negotiated (RFC 7323)
  bool window_scaling = false;
};

class Connection {
 public:
  // Names no connection.
  constexpr Connection() = default;

  // Queues bytes for transmission, as many as the send buffer can hold; they leave at the end of
  // the burst. Allowed in SYN-SENT, SYN-RECEIVED, ESTABLISHED and CLOSE-WAIT. `bytes` is borrowed
  // for the call only. Returns how many were accepted; fewer than given means full: wait for
  // on_writable. `stale_connection`: it has ended. `wrong_state`: close() was called before.
  // Cost: a copy, no heap allocation. RFC 9293 section 3.10.2.
  std::expected<std::size_t, Error> send(std::span<const std::byte> bytes);

  // Finishes our sending: FIN follows the bytes already queued. Receiving goes on until the peer's
  // FIN (half-close). Calling it twice is not an error. `stale_connection`: it has ended.
  // In SYN-SENT it ends the attempt with CloseReason::aborted. RFC 9293 section 3.10.4.
  std::expected<void, Error> close();

  // Sends RST where the state asks for it and discards what is queued both ways. on_closed follows
  // at the end of the burst, never inside this call; no other event comes before it.
  // `stale_connection`: it has ended. RFC 9293 section 3.10.5.
  std::expected<void, Error> abort();

  // After on_data took less than it was offered: asks for the rest to be offered again, at the end
  // of this burst. Without it nothing more is delivered and the window closes by itself.
  std::expected<void, Error> resume_receive();

  // Calls on_timer once, `after` from now (granularity 65.536 us, rounded up; at most 24 hours). A
  // second call moves it; Duration::max() cancels it.
  std::expected<void, Error> set_timer(Duration after);

  // Gives up when data stays unacknowledged for so long (RFC 9293 section 3.9.1, "timeout"; at most
  // 24 hours). Replaces the stack's user_timeout for this connection.
  std::expected<void, Error> set_user_timeout(Duration timeout);

  // A word of the handler's own, kept in the connection's record. Zero at first. A stale reference
  // reads zero and writes nothing; inside on_closed it can still be read.
  std::uint64_t context() const;
  void set_context(std::uint64_t word);

  // Bytes accepted by send() and not yet acknowledged by the peer; 0 for a stale reference.
  std::size_t bytes_queued() const;

  bool is_alive() const;
  std::expected<ConnectionInfo, Error> info() const;

  // The worker this connection lives on. Not for the default-constructed value.
  Worker& worker() const;

  // For tables of the handler's own: unique among the worker's live connections.
  std::uint32_t index() const { return index_; }
  bool operator==(const Connection&) const = default;

 private:
  friend class stack::Stack;
  constexpr Connection(stack::Stack* stack, std::uint32_t index, std::uint32_t generation)
      : stack_(stack), index_(index), generation_(generation) {}

  stack::Stack* stack_ = nullptr;
  std::uint32_t index_ = 0;
  std::uint32_t generation_ = 0;
};

}  // namespace handfast
