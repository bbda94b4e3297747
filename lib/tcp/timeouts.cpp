#include "tcp/timeouts.hpp"

#include <algorithm>

#include "tcp/acknowledge.hpp"
#include "tcp/path_mtu.hpp"
#include "tcp/rack.hpp"
#include "tcp/recovery.hpp"
#include "tcp/rtt.hpp"
#include "tcp/transfer_pool.hpp"
#include "tcp/urgent.hpp"

namespace handfast::tcp {

namespace {

// A Transfer outlives the data by a little: requests that follow each other do not take a new one.
constexpr std::uint32_t kTransferKeptUs = 1'000'000;

void give_up(Tcb& tcb, Timeouts& out) {
  tcb.state = State::closed;
  out.gave_up = true;
}

void send_again(Tcb& tcb, Context& context) {
  ++context.counters.retransmission_timeouts;
  if (tcb.state == State::syn_sent || tcb.state == State::syn_received) {
    tcb.syn_pending = true;
  } else {
    if (tcb.transfer != nullptr) {
      suspect_black_hole(tcb, context);
      retransmission_timed_out(tcb, context);
    }
    // With data before it, the FIN goes along with the last of it.
    tcb.fin_lost = tcb.fin_sent() && tcb.snd_una == tcb.snd_end;
  }
  if (tcb.retransmits < 0xff) ++tcb.retransmits;
  back_off(tcb, context.parameters);
}

Tick ticks_ahead(std::uint64_t us, const Context& context) {
  return base::tick_at_or_after(context.now + std::chrono::microseconds(us));
}

// No later than when patience ends, so that the user timeout is kept to the tick.
void arm_impatient(Tcb& tcb, TimerIs timer, std::uint64_t us, const Context& context) {
  tcb.timer_is = timer;
  tcb.retransmit_at = base::earlier_of(ticks_ahead(us, context), patience_ends(tcb));
}

void arm_for_flight(Tcb& tcb, Context& context) {
  // Unanswered probes of the time before do not count.
  if (tcb.timer_is == TimerIs::keep_alive) tcb.retransmits = 0;
  if (tcb.transfer != nullptr && tcb.transfer->reordering_timer) {
    const std::uint32_t wait_us = rack_detect_loss(tcb, context);
    if (wait_us > 0 && wait_us < tcb.rto_us) {
      return arm_impatient(tcb, TimerIs::reordering, wait_us, context);
    }
  }
  if (may_probe_tail(tcb)) {
    return arm_impatient(tcb, TimerIs::loss_probe, tail_probe_time_out_us(tcb, context), context);
  }
  arm_impatient(tcb, TimerIs::retransmission, tcb.rto_us, context);
}

// The window holds everything back: ask about it (MUST-36, SHLD-29, SHLD-30).
void arm_persist(Tcb& tcb, const Context& context) {
  if (!tcb.is_persisting()) {
    tcb.retransmits = 0;
    tcb.heard(context.tick);
  }
  const std::uint64_t wait_us =
      std::min<std::uint64_t>(std::uint64_t{tcb.rto_us} << std::min<unsigned>(tcb.retransmits, 20),
                              context.parameters.rto_max_us);
  arm_impatient(tcb, TimerIs::persist, wait_us, context);
}

bool may_keep_alive(const Tcb& tcb) {
  return tcb.keep_alive_s != 0 &&
         (tcb.state == State::established || tcb.state == State::close_wait ||
          tcb.state == State::fin_wait_2);
}

Tick keep_alive_begins(const Tcb& tcb) {
  return base::tick_from_raw(std::int64_t{tcb.waiting_since} +
                             base::ticks_in(std::chrono::seconds(tcb.keep_alive_s)));
}

void arm_idle(Tcb& tcb, const Context& context) {
  if (tcb.transfer != nullptr && !knows_smaller_path(tcb)) {
    tcb.timer_is = TimerIs::idle;
    tcb.retransmit_at = ticks_ahead(std::max(tcb.rto_us, kTransferKeptUs), context);
  } else if (may_keep_alive(tcb)) {
    tcb.timer_is = TimerIs::keep_alive;
    tcb.retransmits = 0;
    tcb.retransmit_at = keep_alive_begins(tcb);
  }
}

// RFC 9293 section 3.8.4. What the peer sends meanwhile only moves `waiting_since`: so this looks
// first whether it has (MUST-26). `retransmits` counts the probes without an answer; more than one
// must be unanswered (MUST-29).
void keep_alive_due(Tcb& tcb, const Context& context, Timeouts& out) {
  if (tcb.retransmits == 0 && !base::is_due(keep_alive_begins(tcb), context.tick)) {
    tcb.retransmit_at = keep_alive_begins(tcb);
    return;
  }
  if (tcb.retransmits >= context.parameters.keep_alive_probes) return give_up(tcb, out);
  ++tcb.retransmits;
  tcb.probe_pending = true;
  tcb.retransmit_at =
      base::tick_from_raw(std::int64_t{context.tick} + context.parameters.keep_alive_interval);
}

bool has_unsent(const Tcb& tcb) {
  return tcb.snd_end.is_after(tcb.snd_nxt) ||
         (tcb.fin_queued && tcb.snd_nxt.is_at_or_before(tcb.snd_end));
}

bool may_wait_for_window(State state) {
  return state == State::established || state == State::close_wait || state == State::fin_wait_1 ||
         state == State::closing || state == State::last_ack;
}

void timer_ran_out(Tcb& tcb, Context& context, Timeouts& out) {
  tcb.retransmit_at = base::kNoTick;
  if (tcb.timer_is == TimerIs::idle) {
    if (tcb.send_queue.is_empty() && urgent_bytes(tcb) == 0) give_transfer_back(tcb, context);
    tcb.timer_is = TimerIs::retransmission;
    return;
  }
  if (tcb.timer_is == TimerIs::keep_alive) return keep_alive_due(tcb, context, out);
  if (base::is_due(patience_ends(tcb), context.tick)) {
    out.linger_over = tcb.lingers;
    return tcb.lingers ? void() : give_up(tcb, out);
  }
  switch (tcb.timer_is) {
    case TimerIs::persist:
      tcb.probe_pending = true;
      if (tcb.retransmits < 0xff) ++tcb.retransmits;
      break;
    case TimerIs::loss_probe:
      tcb.loss_probe_pending = true;
      break;
    case TimerIs::reordering:
      reordering_timed_out(tcb, context);
      break;
    default:
      send_again(tcb, context);
      break;
  }
}

}  // namespace

Timeouts timer_expired(Tcb& tcb, Context& context) {
  Timeouts out;
  if (base::is_due(tcb.app_timer_at, context.tick)) {
    tcb.app_timer_at = base::kNoTick;
    out.application = true;
  }
  if (base::is_due(tcb.ack_at, context.tick)) {
    tcb.ack_at = base::kNoTick;
    acknowledgement_due(tcb, context);
  }
  if (base::is_due(tcb.retransmit_at, context.tick)) timer_ran_out(tcb, context, out);
  // What was paced may leave; and if it has been acknowledged meanwhile, nothing is.
  Transfer* const t = tcb.transfer;
  if (t != nullptr && t->is_paced && t->pace_next <= context.now) t->is_paced = false;
  return out;
}

void arm_sending_timer(Tcb& tcb, Context& context) {
  if (tcb.retransmit_at != base::kNoTick && !tcb.waits_idly()) return;
  if (tcb.in_flight() > 0) return arm_for_flight(tcb, context);
  if (has_unsent(tcb) && may_wait_for_window(tcb.state)) return arm_persist(tcb, context);
  if (tcb.retransmit_at == base::kNoTick) arm_idle(tcb, context);
}

Tick next_deadline(const Tcb& tcb) {
  Tick next = base::earlier_of(tcb.retransmit_at, tcb.app_timer_at);
  next = base::earlier_of(next, tcb.ack_at);
  const Transfer* const t = tcb.transfer;
  const bool is_paced = t != nullptr && t->is_paced;
  return is_paced ? base::earlier_of(next, base::tick_at_or_after(t->pace_next)) : next;
}

}  // namespace handfast::tcp
