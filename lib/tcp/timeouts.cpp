#include "tcp/timeouts.hpp"

#include "tcp/congestion/new_reno.hpp"
#include "tcp/rtt.hpp"

namespace handfast::tcp {

namespace {

void send_again(Tcb& tcb, Context& context) {
  ++context.counters.retransmission_timeouts;
  if (tcb.state == State::syn_sent || tcb.state == State::syn_received) {
    tcb.syn_pending = true;
  } else {
    new_reno::on_timeout(tcb);
    tcb.snd_nxt = tcb.snd_una;
    tcb.send_cursor = nullptr;
    tcb.retransmit_pending = true;
  }
  if (tcb.retransmits < 0xff) ++tcb.retransmits;
  back_off(tcb, context.parameters);
}

}  // namespace

Timeouts timer_expired(Tcb& tcb, Context& context) {
  Timeouts out;
  if (base::is_due(tcb.app_timer_at, context.tick)) {
    tcb.app_timer_at = base::kNoTick;
    out.application = true;
  }
  if (!base::is_due(tcb.retransmit_at, context.tick)) return out;
  tcb.retransmit_at = base::kNoTick;
  if (base::is_due(patience_ends(tcb), context.tick)) {
    tcb.state = State::closed;
    out.gave_up = true;
    return out;
  }
  if (tcb.persisting) {
    tcb.probe_pending = true;
    if (tcb.retransmits < 0xff) ++tcb.retransmits;
  } else {
    send_again(tcb, context);
  }
  return out;
}

}  // namespace handfast::tcp
