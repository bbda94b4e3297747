// Which states may follow which in one step of ours (RFC 9293 figure 5): one segment may do more
// than one transition's work, so the law is the figure's transitive closure as far as one arrival
// or one call goes.
#pragma once

#include <initializer_list>

#include "handfast/error.hpp"

namespace handfast::fuzz {

constexpr unsigned state_bit(State state) {
  return 1U << static_cast<unsigned>(state);
}

constexpr unsigned states(std::initializer_list<State> of) {
  unsigned bits = 0;
  for (const State state : of) bits |= state_bit(state);
  return bits;
}

constexpr unsigned followers_of(State state) {
  using enum State;
  switch (state) {
    case syn_sent:
      return states({syn_received, established, close_wait, closed});
    case syn_received:  // CLOSE may have been called: then FIN-WAIT-1, and the peer's FIN may come
      return states({established, close_wait, fin_wait_1, fin_wait_2, closing, closed});
    case established:
      return states({close_wait, fin_wait_1, closed});
    case fin_wait_1:
      return states({fin_wait_2, closing, time_wait, closed});
    case fin_wait_2:
      return states({time_wait, closed});
    case close_wait:
      return states({last_ack, closed});
    case closing:
      return states({time_wait, closed});
    case last_ack:
      return states({closed});
    default:
      return 0;
  }
}

constexpr bool is_legal_change(State from, State to) {
  return from == to || (followers_of(from) & state_bit(to)) != 0;
}

}  // namespace handfast::fuzz
