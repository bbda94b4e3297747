#include "handfast/error.hpp"

namespace handfast {

std::string_view to_string(Error error) {
  switch (error) {
    case Error::stale_connection:
      return "stale connection";
    case Error::wrong_state:
      return "wrong state";
    case Error::no_connection_slot:
      return "no connection slot";
    case Error::no_free_port:
      return "no free port";
    case Error::no_route:
      return "no route";
    case Error::invalid_address:
      return "invalid address";
    case Error::address_in_use:
      return "address in use";
    case Error::not_our_address:
      return "not our address";
    case Error::too_many_listeners:
      return "too many listeners";
    case Error::invalid_option:
      return "invalid option";
    case Error::no_packet_buffer:
      return "no packet buffer";
    case Error::send_buffer_full:
      return "send buffer full";
    case Error::too_many_handlers:
      return "too many types of handler";
  }
  return "unknown error";
}

std::string_view to_string(CloseReason reason) {
  switch (reason) {
    case CloseReason::finished:
      return "finished";
    case CloseReason::reset:
      return "reset";
    case CloseReason::refused:
      return "refused";
    case CloseReason::timed_out:
      return "timed out";
    case CloseReason::aborted:
      return "aborted";
    case CloseReason::unreachable:
      return "unreachable";
    case CloseReason::stopped:
      return "stopped";
  }
  return "unknown reason";
}

std::string_view to_string(NetworkError error) {
  switch (error) {
    case NetworkError::none:
      return "none";
    case NetworkError::network_unreachable:
      return "network unreachable";
    case NetworkError::host_unreachable:
      return "host unreachable";
    case NetworkError::prohibited:
      return "prohibited";
    case NetworkError::not_listening:
      return "not listening";
    case NetworkError::time_exceeded:
      return "time exceeded";
    case NetworkError::malformed:
      return "malformed";
    case NetworkError::next_hop_silent:
      return "next hop silent";
  }
  return "unknown error";
}

std::string_view to_string(State state) {
  switch (state) {
    case State::closed:
      return "CLOSED";
    case State::listen:
      return "LISTEN";
    case State::syn_sent:
      return "SYN-SENT";
    case State::syn_received:
      return "SYN-RECEIVED";
    case State::established:
      return "ESTABLISHED";
    case State::fin_wait_1:
      return "FIN-WAIT-1";
    case State::fin_wait_2:
      return "FIN-WAIT-2";
    case State::close_wait:
      return "CLOSE-WAIT";
    case State::closing:
      return "CLOSING";
    case State::last_ack:
      return "LAST-ACK";
    case State::time_wait:
      return "TIME-WAIT";
  }
  return "unknown state";
}

}  // namespace handfast
