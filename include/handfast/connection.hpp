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
#include <string_view>

#include "handfast/address.hpp"
#include "handfast/buffer.hpp"
#include "handfast/config.hpp"
#include "handfast/error.hpp"
#include "handfast/time.hpp"

namespace handfast {

class Worker;

// What is being done about loss and congestion marks: Linux's tcp_ca_state.
enum class CaState : std::uint8_t {
  open,      // nothing is missing
  disorder,  // something was selectively acknowledged, or acknowledged twice: not lost yet
  cwr,       // the window is being reduced for a mark
  recovery,  // fast recovery
  loss,      // after a retransmission time-out
};

std::string_view to_string(CaState state);

// What can be read of a live connection. Names that Linux's tcp_info has mean the same as there,
// but for their units: windows, `unacked`, `sacked` and `lost` are bytes here, segments there.
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
  bool sack = false;  // negotiated (RFC 2018)
  bool ecn = false;   // negotiated (RFC 3168)
  CaState ca_state = CaState::open;
  std::string_view congestion_control;  // "cubic"
  std::uint32_t pmtu = 0;               // bytes of IP packet that are thought to get through
  std::uint32_t rcv_ooopack = 0;        // segments kept beyond a gap now (in total there)
  NetworkError network_error = NetworkError::none;  // as Connection::network_error()
  // The rest is known of a connection that sends, or has sent less than a second or so ago. One
  // that has been idle for longer begins anew: zero.
  std::uint32_t sacked = 0;         // bytes selectively acknowledged
  std::uint32_t lost = 0;           // bytes thought lost and not sent again yet
  std::uint32_t retrans = 0;        // segments sent again that are unanswered
  std::uint32_t total_retrans = 0;  // segments sent again
  std::uint32_t reordering = 0;     // the largest distance seen, in segments
  std::uint32_t dsack_dups = 0;     // segments that the peer says it got twice
  std::uint32_t min_rtt_us = 0;     // the shortest round trip lately
  std::uint64_t delivered = 0;      // bytes that the peer has
  std::uint64_t delivery_rate = 0;  // bytes a second, of the newest sample that tells of the path
  std::uint64_t pacing_rate = 0;    // bytes a second; 0: not paced
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

  // The same, and marks what was accepted, with all that was queued before, as urgent: the peer is
  // told where it ends, nothing is delivered out of line. RFC 6093 advises new protocols against
  // it. RFC 9293 section 3.8.5.
  std::expected<std::size_t, Error> send_urgent(std::span<const std::byte> bytes);

  // Bytes that on_data has not taken yet up to the end of what the peer marked as urgent; 0 when
  // nothing is, or for a stale reference (MUST-33).
  std::size_t urgent_bytes() const;

  // Queues a whole buffer, without copying what fits one segment; the worker has it back when the
  // peer has acknowledged it. All or nothing: on an error the buffer stays the caller's. An empty
  // one is simply given back. Same states as send(bytes). `send_buffer_full`: wait for on_writable.
  // `no_packet_buffer`: what is longer than a segment needs more packets and there are none; wait
  // for on_writable too. `stale_connection`. `wrong_state`: close() was called before, or the
  // buffer is another worker's. Cost: no heap allocation; a small piece behind other unsent data is
  // copied so as to share its segment.
  std::expected<void, Error> send(Buffer&& buffer);

  // Only inside on_data: keeps the packet that holds the bytes now being offered, all of which
  // count as taken, whatever on_data returns. The view then lives as long as the buffer. Until it
  // is given back the packet is missing from the worker's pool, and no window tells the peer so.
  // `wrong_state`: not inside this connection's on_data, or called twice there. `stale_connection`.
  std::expected<Buffer, Error> retain();

  // Finishes our sending: FIN follows the bytes already queued. Receiving goes on until the peer's
  // FIN (half-close). Calling it twice is not an error. `stale_connection`: it has ended.
  // In SYN-SENT it ends the attempt with CloseReason::aborted. RFC 9293 section 3.10.4.
  std::expected<void, Error> close();

  // close(), and abort() if the peer has not acknowledged everything, FIN included, within
  // `patience`: on_closed then tells `timed_out`, and a RST the peer. What sockets call SO_LINGER,
  // without blocking. At once when it is zero; at most 24 hours. Replaces the user timeout.
  std::expected<void, Error> close_within(Duration patience);

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

  // Whether small segments wait for the acknowledgement of what is in flight (RFC 9293 section
  // 3.7.4; MUST-17). What waits now is sent when it is turned off.
  std::expected<void, Error> set_nagle(bool on);

  // Asks the peer for a sign of life after so much idleness, and then as StackConfig's keep_alive_*
  // say; on_closed tells `timed_out` when none comes. Also in FIN-WAIT-2, where a peer that is gone
  // would otherwise keep the record for ever. Zero turns it off; else in whole seconds, rounded up.
  // `invalid_option`: negative, or more than 65,535 s. RFC 9293 section 3.8.4 (MUST-24, MUST-27,
  // MUST-28).
  std::expected<void, Error> set_keep_alive(Duration idle = std::chrono::hours(2));

  // Another algorithm from now on, beginning with the window as it stands. `wrong_state`: it needs
  // congestion marks and they were not negotiated.
  std::expected<void, Error> set_congestion_control(CongestionControl algorithm);

  // A word of the handler's own, kept in the connection's record. Zero at first. A stale reference
  // reads zero and writes nothing; inside on_closed it can still be read.
  std::uint64_t context() const;
  void set_context(std::uint64_t word);

  // What the network said last of segments that the peer has not acknowledged since; `none` for a
  // stale reference. Inside on_closed it tells why a connection timed out or was unreachable. RFC
  // 9293 section 3.9.2.2 (MUST-54, MUST-56).
  NetworkError network_error() const;

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
