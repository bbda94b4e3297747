// What the passing of time does to a Tcb (RFC 9293 section 3.10.8, RFC 6298 section 5), and when it
// next does something. The sending side has one timer, and Tcb::timer_is says what for.
#pragma once

#include "tcp/parameters.hpp"
#include "tcp/tcb.hpp"

namespace handfast::tcp {

struct Timeouts {
  bool gave_up = false;      // R2, the user timeout or the keep-alive has passed: state is CLOSED
  bool linger_over = false;  // limit_close()'s time has passed: ABORT
  bool application = false;  // set_timer() has run out
};

// Handles all that is due; output may follow.
Timeouts timer_expired(Tcb& tcb, Context& context);

// Arms the sending side's timer for what the connection waits for now, unless it runs already.
void arm_sending_timer(Tcb& tcb, Context& context);

// When R2 (MUST-20, MUST-23) or the user timeout ends the connection, if nothing is heard. One tick
// more than asked for, since the tick it began in was under way.
inline Tick patience_ends(const Tcb& tcb) {
  return base::tick_from_raw(std::int64_t{tcb.waiting_since} + tcb.user_timeout + 1);
}

// When it is to be called next: none while the connection waits for nothing.
Tick next_deadline(const Tcb& tcb);

}  // namespace handfast::tcp
