#include "tcp/output.hpp"

#include <algorithm>

#include "tcp/handshake_options.hpp"
#include "tcp/receive_window.hpp"
#include "tcp/rtt.hpp"
#include "tcp/timeouts.hpp"

namespace handfast::tcp {

using base::Segment;
using base::TcpOptions;

namespace {

void add_timestamps(const Tcb& tcb, const Context& context, Segment& out) {
  if (!tcb.timestamps) return;
  out.options.present |= TcpOptions::kTimestamps;
  out.options.ts_value = context.timestamp;
  out.options.ts_echo = tcb.ts_recent;
}

// The fields every segment of a synchronized connection has. It carries the acknowledgement.
void begin_segment(Tcb& tcb, const Context& context, Seq seq, Segment& out) {
  out = Segment{};
  out.seq = seq;
  out.ack = tcb.rcv_nxt;
  out.flags = base::kAck;
  out.window = advertise_window(tcb, context.parameters);
  add_timestamps(tcb, context, out);
  tcb.last_ack_sent = tcb.rcv_nxt;
  tcb.ack_pending = false;
}

// No later than when patience ends, so that the user timeout is kept to the tick.
Tick deadline_after(const Tcb& tcb, std::uint64_t us, const Context& context) {
  const Tick at = base::tick_at_or_after(context.now + std::chrono::microseconds(us));
  return base::earlier_of(at, patience_ends(tcb));
}

// Something that is to be acknowledged goes out: the clock of R2 and of RFC 6298 section 5.1 runs.
void arm_retransmission(Tcb& tcb, const Context& context) {
  if (tcb.retransmit_at != base::kNoTick) return;
  if (tcb.retransmits == 0) tcb.waiting_since = context.tick;
  tcb.retransmit_at = deadline_after(tcb, tcb.rto_us, context);
}

void plan_syn(Tcb& tcb, Context& context, Segment& out) {
  out = Segment{};
  out.seq = tcb.snd_una;
  out.options = syn_options(context);
  out.flags = base::kSyn;
  if (tcb.state == State::syn_received) {
    out.flags |= base::kAck;
    out.ack = tcb.rcv_nxt;
    out.window = advertise_syn_window(tcb, context.parameters);
    if (!tcb.window_scaling)
      out.options.present &= static_cast<std::uint8_t>(~TcpOptions::kWindowScale);
    if (!tcb.timestamps) out.options.present &= static_cast<std::uint8_t>(~TcpOptions::kTimestamps);
    out.options.ts_echo = tcb.ts_recent;
    tcb.ack_pending = false;
    if (tcb.retransmits > 0) ++context.counters.syn_ack_retransmitted;
  } else {
    out.window = static_cast<std::uint16_t>(std::min(context.parameters.receive_buffer, 65'535U));
    if (tcb.retransmits > 0) ++context.counters.syn_retransmitted;
  }
  tcb.syn_pending = false;
  if (tcb.snd_max == tcb.snd_una) {
    tcb.snd_nxt = tcb.snd_max = tcb.snd_una + 1;
    start_rtt_measurement(tcb, tcb.snd_max, context);
  }
  arm_retransmission(tcb, context);
}

// The queued packet that holds `seq`, searched from `from` or from the front.
QueuedPacket* find_queued(const Tcb& tcb, QueuedPacket* from, Seq seq) {
  QueuedPacket* node = from != nullptr ? from : tcb.send_queue.front();
  while (node != nullptr && node->end().is_at_or_before(seq)) node = tcb.send_queue.after(node);
  return node;
}

// One segment from `seq` on, of at most `limit` payload bytes and at most what one packet holds.
// The FIN follows when the data ends here.
void plan_data(Tcb& tcb, Context& context, Seq seq, std::uint32_t limit, QueuedPacket* node,
               Segment& out) {
  begin_segment(tcb, context, seq, out);
  std::uint32_t length = 0;
  if (node != nullptr && limit > 0) {
    const std::uint32_t offset = seq - node->seq;
    length = std::min({limit, std::uint32_t{tcb.snd_mss}, node->length - offset});
    out.payload = {node->text + offset, length};
  }
  const bool ends_data = seq + length == tcb.snd_end;
  if (length > 0 && ends_data) out.flags |= base::kPsh;  // MUST-61
  const bool may_join = length == 0 || !context.parameters.textbook;
  if (tcb.fin_queued && ends_data && may_join) out.flags |= base::kFin;

  const Seq end = seq + out.len();
  if (seq.is_before(tcb.snd_max)) {
    ++(length > 0 ? context.counters.data_retransmitted : context.counters.fin_retransmitted);
  } else {
    start_rtt_measurement(tcb, end, context);
  }
  if (end.is_after(tcb.snd_max)) {
    const Seq first_new = base::later_of(seq, tcb.snd_max);
    const std::uint32_t fin = out.has(base::kFin) ? 1 : 0;
    context.counters.payload_bytes_sent += (end - first_new) - fin;
    tcb.snd_max = end;
  }
  arm_retransmission(tcb, context);
}

bool has_unsent_fin(const Tcb& tcb) {
  return tcb.fin_queued && tcb.snd_nxt.is_at_or_before(tcb.snd_end);
}

std::uint32_t usable_window(const Tcb& tcb) {
  const std::uint32_t limit = std::min(tcb.snd_wnd, tcb.cwnd);
  const std::uint32_t used = tcb.snd_nxt - tcb.snd_una;
  return limit > used ? limit - used : 0;
}

// What goes out now is to be retransmitted, not probed for.
void stop_persisting(Tcb& tcb) {
  if (!tcb.persisting) return;
  tcb.persisting = false;
  tcb.retransmit_at = base::kNoTick;
}

// New data, or after a time-out old data again, as far as the windows allow.
bool plan_from_nxt(Tcb& tcb, Context& context, Segment& out) {
  const std::uint32_t available = tcb.snd_end.is_after(tcb.snd_nxt) ? tcb.snd_end - tcb.snd_nxt : 0;
  if (available == 0) {
    if (!has_unsent_fin(tcb)) return false;
    if (tcb.snd_wnd == 0 && tcb.snd_nxt == tcb.snd_una) return false;  // persist asks first
    stop_persisting(tcb);
    plan_data(tcb, context, tcb.snd_nxt, 0, nullptr, out);
    tcb.snd_nxt += out.len();
    return true;
  }
  QueuedPacket* const node = find_queued(tcb, tcb.send_cursor, tcb.snd_nxt);
  const std::uint32_t wanted = std::min<std::uint32_t>(tcb.snd_mss, node->end() - tcb.snd_nxt);
  const std::uint32_t usable = usable_window(tcb);
  // Sender's silly window avoidance (MUST-38): a full segment, or all there is, or half of the
  // largest window ever offered. Less waits for an ACK, or for the persist timer.
  if (usable < wanted && (usable == 0 || usable < tcb.max_snd_wnd / 2)) return false;
  tcb.send_cursor = node;
  stop_persisting(tcb);
  plan_data(tcb, context, tcb.snd_nxt, usable, node, out);
  tcb.snd_nxt += out.len();
  return true;
}

bool plan_retransmission(Tcb& tcb, Context& context, Segment& out) {
  tcb.retransmit_pending = false;
  if (tcb.snd_una == tcb.snd_max) return false;
  tcb.retransmit_at = base::kNoTick;
  plan_data(tcb, context, tcb.snd_una, tcb.snd_mss,
            tcb.snd_una == tcb.snd_end ? nullptr : find_queued(tcb, nullptr, tcb.snd_una), out);
  tcb.timing = false;  // Karn's rule
  tcb.snd_nxt = base::later_of(tcb.snd_nxt, tcb.snd_una + out.len());
  return true;
}

// One byte, or the FIN, beyond a closed window (RFC 9293 section 3.8.6.1). SND.NXT stays: what the
// peer does not take is not in flight.
bool plan_probe(Tcb& tcb, Context& context, Segment& out) {
  tcb.probe_pending = false;
  const bool has_data = tcb.snd_end.is_after(tcb.snd_nxt);
  if (!has_data && !has_unsent_fin(tcb)) return false;
  const std::uint32_t limit = std::max(1U, usable_window(tcb));
  plan_data(tcb, context, tcb.snd_nxt, has_data ? limit : 0,
            has_data ? find_queued(tcb, nullptr, tcb.snd_nxt) : nullptr, out);
  tcb.timing = false;
  tcb.retransmit_at = base::kNoTick;  // finish_output() arms it with persist's own backoff
  ++context.counters.zero_window_probes;
  return true;
}

bool may_send_data(State state) {
  return state == State::established || state == State::close_wait || state == State::fin_wait_1 ||
         state == State::closing || state == State::last_ack;
}

}  // namespace

Segment ack_of(Tcb& tcb, const Context& context) {
  Segment out;
  // SND.MAX and not a pulled-back SND.NXT: the peer may have all of it and would find less
  // unacceptable. A probe of a closed window, though, it has not taken.
  begin_segment(tcb, context, tcb.persisting ? tcb.snd_nxt : tcb.snd_max, out);
  return out;
}

bool has_output(const Tcb& tcb) {
  if (tcb.ack_pending || tcb.syn_pending || tcb.retransmit_pending || tcb.probe_pending)
    return true;
  return may_send_data(tcb.state) && (tcb.snd_end.is_after(tcb.snd_nxt) || has_unsent_fin(tcb));
}

bool next_segment(Tcb& tcb, Context& context, Segment& out) {
  if (tcb.syn_pending) {
    plan_syn(tcb, context, out);
    return true;
  }
  if (may_send_data(tcb.state)) {
    if ((tcb.retransmit_pending && plan_retransmission(tcb, context, out)) ||
        (tcb.probe_pending && plan_probe(tcb, context, out))) {
      // Neither is a duplicate ACK to the peer: those owed for gaps are still to be sent.
      tcb.ack_pending = tcb.extra_acks > 0;
      return true;
    }
    const bool alone = context.parameters.textbook && tcb.ack_pending && has_unsent_fin(tcb);
    if (!alone && tcb.extra_acks <= 1 && plan_from_nxt(tcb, context, out)) {
      tcb.extra_acks = 0;
      return true;
    }
  }
  if (!tcb.ack_pending) return false;
  out = ack_of(tcb, context);
  // Each segment beyond a gap is acknowledged by one ACK of its own (RFC 5681 section 4.2).
  if (tcb.extra_acks > 0) --tcb.extra_acks;
  tcb.ack_pending = tcb.extra_acks > 0;
  return true;
}

void finish_output(Tcb& tcb, const Context& context) {
  if (tcb.retransmit_at != base::kNoTick) return;
  if (tcb.in_flight() > 0 && tcb.snd_nxt != tcb.snd_una) {
    arm_retransmission(tcb, context);
    return;
  }
  // The window holds everything back: ask about it (MUST-36, SHLD-29, SHLD-30).
  const bool waiting = tcb.snd_end.is_after(tcb.snd_nxt) || has_unsent_fin(tcb);
  if (!waiting || !may_send_data(tcb.state)) return;
  if (!tcb.persisting) {
    tcb.persisting = true;
    tcb.retransmits = 0;
    tcb.waiting_since = context.tick;
  }
  const std::uint64_t wait_us =
      std::min<std::uint64_t>(std::uint64_t{tcb.rto_us} << std::min<unsigned>(tcb.retransmits, 20),
                              context.parameters.rto_max_us);
  tcb.retransmit_at = deadline_after(tcb, wait_us, context);
}

std::optional<Segment> reset_of_abort(const Tcb& tcb, const Context& context) {
  switch (tcb.state) {
    case State::syn_received:
    case State::established:
    case State::fin_wait_1:
    case State::fin_wait_2:
    case State::close_wait:
      break;
    default:
      return std::nullopt;
  }
  Segment rst;
  rst.seq = tcb.snd_max;
  rst.ack = tcb.rcv_nxt;
  rst.flags = base::kRst | base::kAck;
  add_timestamps(tcb, context, rst);
  return rst;
}

}  // namespace handfast::tcp
