// Errors that calls return, and the reasons for which connections end.
#pragma once

#include <cstdint>
#include <string_view>

namespace handfast {

enum class Error : std::uint8_t {
  stale_connection,    // the connection has ended; its reference names nothing any more
  wrong_state,         // not allowed in the connection's state (sending after close(), for example)
  no_connection_slot,  // max_connections are open
  no_free_port,        // every source port towards this remote endpoint is in use or in TIME-WAIT
  no_route,            // neither an on-link prefix nor a gateway leads there
  invalid_address,     // not an address one can connect to or listen on (RFC 9293 MUST-46)
  address_in_use,      // another listener or connection already has it
  not_our_address,     // the local address is none of the interface's
  too_many_listeners,  // max_listeners are open
  invalid_option,      // a value out of its range: ConnectionOptions::check() says which
  no_packet_buffer,    // the worker's packets are in use: wait until some are acknowledged
  send_buffer_full,    // as much is queued as may be: wait for on_writable
  too_many_handlers,   // 256 types of handler have been used on this worker
};

std::string_view to_string(Error error);

enum class CloseReason : std::uint8_t {
  finished,     // both sides sent FIN and both were acknowledged
  reset,        // the peer sent RST
  refused,      // the peer answered our SYN with RST
  timed_out,    // unanswered past R2 or past the user timeout
  aborted,      // abort() was called
  unreachable,  // an ICMP error said so before the connection was synchronized
  stopped,      // the worker stopped
};

std::string_view to_string(CloseReason reason);

// What the network said last of a connection's segments, by ICMP, or our own resolution of its next
// hop. It ends nothing that is synchronized (RFC 9293 section 3.9.2.2, RFC 5927): it tells why a
// connection waits, or why it was given up.
enum class NetworkError : std::uint8_t {
  none,
  network_unreachable,  // no route leads to the peer's network
  host_unreachable,     // a router got no answer from the peer
  prohibited,           // a filter or policy stands in between
  not_listening,        // the peer speaks no TCP, or its port is closed
  time_exceeded,        // hop limit or reassembly: a routing loop, perhaps
  malformed,            // a parameter problem
  next_hop_silent,      // it answers no ARP request or Neighbour Solicitation
};

std::string_view to_string(NetworkError error);

// RFC 9293 section 3.3.2. LISTEN belongs to a listener, CLOSED to no record at all.
enum class State : std::uint8_t {
  closed,
  listen,
  syn_sent,
  syn_received,
  established,
  fin_wait_1,
  fin_wait_2,
  close_wait,
  closing,
  last_ack,
  time_wait,
};
inline constexpr int kStateCount = 11;

// The RFC's own spelling: "SYN-RECEIVED".
std::string_view to_string(State state);

}  // namespace handfast
