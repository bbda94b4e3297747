#include "tcp/output.hpp"

#include <algorithm>

#include "tcp/acknowledge.hpp"
#include "tcp/congestion/congestion.hpp"
#include "tcp/handshake_options.hpp"
#include "tcp/path_mtu.hpp"
#include "tcp/receive_window.hpp"
#include "tcp/recovery.hpp"
#include "tcp/rtt.hpp"
#include "tcp/timeouts.hpp"
#include "tcp/urgent.hpp"

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
void begin_segment(Tcb& tcb, const Context& context, Seq seq, std::uint32_t text_length,
                   Segment& out) {
  out = Segment{};
  out.seq = seq;
  out.ack = tcb.rcv_nxt;
  out.flags = base::kAck;
  out.window = advertise_window(tcb, context.parameters);
  add_timestamps(tcb, context, out);
  complete_acknowledgement(tcb, text_length, out);
  add_urgent_pointer(tcb, out);
}

void add_ecn_offer(const Tcb& tcb, Segment& out) {
  if (!tcb.ecn) return;
  out.flags |= base::kEce;
  if (tcb.state == State::syn_sent) out.flags |= base::kCwr;
}

void plan_syn_ack(Tcb& tcb, Context& context, Segment& out) {
  out.flags |= base::kAck;
  out.ack = tcb.rcv_nxt;
  out.window = advertise_syn_window(tcb, context.parameters);
  const auto leave_out = [&out](TcpOptions::Present option) {
    out.options.present &= static_cast<std::uint8_t>(~option);
  };
  if (!tcb.window_scaling) leave_out(TcpOptions::kWindowScale);
  if (!tcb.timestamps) leave_out(TcpOptions::kTimestamps);
  if (!tcb.sack) leave_out(TcpOptions::kSackPermitted);
  out.options.ts_echo = tcb.ts_recent;
  tcb.ack_pending = false;
  if (tcb.retransmits > 0) ++context.counters.syn_ack_retransmitted;
}

void plan_syn(Tcb& tcb, Context& context, Segment& out) {
  out = Segment{};
  out.seq = tcb.snd_una;
  out.options = syn_options(tcb.key.local.is_v4(), context);
  out.flags = base::kSyn;
  if (tcb.state == State::syn_received) {
    plan_syn_ack(tcb, context, out);
  } else {
    out.window = static_cast<std::uint16_t>(std::min(context.parameters.receive_buffer, 65'535U));
    if (tcb.retransmits > 0) {
      ++context.counters.syn_retransmitted;
      tcb.ecn = false;  // a box on the way may drop what offers it (RFC 3168 section 6.1.1.1)
    }
  }
  add_ecn_offer(tcb, out);
  tcb.syn_pending = false;
  if (tcb.snd_max == tcb.snd_una) {
    tcb.snd_nxt = tcb.snd_max = tcb.snd_una + 1;
    tcb.heard(context.tick);
    start_syn_measurement(tcb, context);
  }
}

bool has_unsent_fin(const Tcb& tcb) {
  return tcb.fin_queued && tcb.snd_nxt.is_at_or_before(tcb.snd_end);
}

// The FIN joins the data it follows, unless textbooks are asked for.
bool fin_follows(const Tcb& tcb, const Context& context, Seq end) {
  return tcb.fin_queued && end == tcb.snd_end && !context.parameters.textbook;
}

void count_new_text(Tcb& tcb, const Context& context, Seq end, bool fin) {
  if (!end.is_after(tcb.snd_max)) return;
  context.counters.payload_bytes_sent += (end - tcb.snd_max) - (fin ? 1 : 0);
  tcb.snd_max = end;
}

// The text of `node`, and what the end of the data brings with it.
void add_node(Tcb& tcb, Context& context, SendNode* node, Outgoing& out) {
  const bool is_new = !node->is_sent;
  Segment& segment = out.segment;
  out.length += node->length;
  const bool ends_data = node->end() == tcb.snd_end;
  if (ends_data) segment.flags |= base::kPsh;  // MUST-61
  if (fin_follows(tcb, context, node->end()) && (is_new || tcb.fin_sent())) {
    segment.flags |= base::kFin;
    tcb.fin_lost = false;
  }
  note_sent(tcb, node, context);
  note_sent_in_recovery(tcb, node->length);
  if (!is_new) {
    ++context.counters.data_retransmitted;
    return;
  }
  if (tcb.in_flight() == 0) tcb.heard(context.tick);
  Transfer& t = *tcb.transfer;
  t.unsent = tcb.send_queue.after(node);
  if (node->length < tcb.snd_mss) t.small_end = node->end();
  const Seq end = node->end() + (segment.has(base::kFin) ? 1 : 0);
  count_new_text(tcb, context, end, segment.has(base::kFin));
  tcb.snd_nxt = end;
}

// `node` whole, for the first time or again.
void plan_node(Tcb& tcb, Context& context, SendNode* node, Outgoing& out) {
  Segment& segment = out.segment;
  begin_segment(tcb, context, node->seq, node->length, segment);
  segment.payload = {node->text, node->length};
  out.node = node;
  // RFC 3168 section 6.1.5: what is sent again cannot be marked. DCTCP's queues drop what cannot.
  const bool is_ect = tcb.ecn && (!node->is_sent || congestion_of(tcb.congestion).needs_ecn);
  if (is_ect) segment.ecn = base::Ecn::ect_0;
  add_node(tcb, context, node, out);
}

void plan_fin(Tcb& tcb, Context& context, Outgoing& out) {
  begin_segment(tcb, context, tcb.snd_end, 0, out.segment);
  out.segment.flags |= base::kFin;
  out.node = nullptr;
  if (tcb.fin_sent()) ++context.counters.fin_retransmitted;
  if (tcb.in_flight() == 0) tcb.heard(context.tick);
  tcb.fin_lost = false;
  tcb.snd_nxt = tcb.snd_max = base::later_of(tcb.snd_max, tcb.snd_end + 1);
}

bool fits_congestion_window(const Tcb& tcb, std::uint32_t length) {
  const std::uint32_t in_network = pipe(tcb);
  return in_network == 0 || in_network + length <= tcb.cwnd;
}

// --- pacing

constexpr Duration kPacingSlack = std::chrono::microseconds(500);

bool may_leave_now(Tcb& tcb, const Context& context) {
  Transfer& t = *tcb.transfer;
  t.is_paced = t.pacing_rate != 0 && t.pace_next > context.now;
  return !t.is_paced;
}

// What the clock's grain held back may catch up, up to the slack.
void pace(Tcb& tcb, std::uint32_t length, const Context& context) {
  Transfer& t = *tcb.transfer;
  if (t.pacing_rate == 0) return;
  const auto ns = static_cast<std::int64_t>(std::uint64_t{length} * 1'000'000'000 / t.pacing_rate);
  t.pace_next = std::max(t.pace_next, context.now - kPacingSlack) + Duration(ns);
}

// --- what may leave

// New data while F-RTO waits to learn whether the time-out was spurious (RFC 5682 section 3.1).
bool frto_prefers_new_data(const Tcb& tcb) {
  const Transfer& t = *tcb.transfer;
  return t.is_rto_suspect && tcb.snd_una.is_after(t.recovery_start) && t.unsent != nullptr &&
         !t.resend_forced;
}

bool plan_lost(Tcb& tcb, Context& context, Outgoing& out) {
  Transfer* const t = tcb.transfer;
  SendNode* const node = t == nullptr ? nullptr : first_lost(tcb);
  if (node == nullptr || frto_prefers_new_data(tcb)) return false;
  if (!t->resend_forced) {
    if (!fits_congestion_window(tcb, node->length) || !may_leave_now(tcb, context)) return false;
  }
  if (node->length > tcb.snd_mss && !split(tcb, node, tcb.snd_mss, context)) return false;
  t->resend_forced = false;
  plan_node(tcb, context, node, out);
  pace(tcb, node->length, context);
  return true;
}

// How much of `node` the peer's window and the sender's silly window avoidance let go now
// (RFC 9293 section 3.8.6.2.1, MUST-38): a full segment, all there is, or half of the largest
// window ever offered. 0: none.
std::uint32_t sendable(const Tcb& tcb, const SendNode& node) {
  const std::uint32_t wanted = std::min<std::uint32_t>(node.length, tcb.snd_mss);
  const Seq edge = tcb.snd_una + tcb.snd_wnd;
  const std::uint32_t room = edge.is_after(tcb.snd_nxt) ? edge - tcb.snd_nxt : 0;
  if (room >= wanted) return wanted;
  return room > 0 && room >= tcb.max_snd_wnd / 2 ? room : 0;
}

// Nagle (RFC 9293 section 3.7.4) in Minshall's sense: a small segment waits while another small one
// is unacknowledged. What the application completed with CLOSE does not wait.
bool nagle_holds(const Tcb& tcb, const SendNode& node) {
  return tcb.nagle && node.length < tcb.snd_mss && node.end() == tcb.snd_end && !tcb.fin_queued &&
         tcb.transfer->small_end.is_after(tcb.snd_una);
}

// For a port with TSO: the nodes behind, as far as they may leave now, into the same segment. The
// port cuts at equal distances, so only the last may be less than full.
void add_following_nodes(Tcb& tcb, Context& context, Outgoing& out) {
  const Parameters& p = context.parameters;
  const std::uint32_t full = tcb.snd_mss;
  if (out.length != full || out.segment.has(base::kUrg)) return;
  std::uint32_t last_length = full;
  for (std::uint16_t packets = 1; packets < p.large_packets_max && last_length == full; ++packets) {
    SendNode* const node = tcb.transfer->unsent;
    if (node == nullptr || out.length + node->length > p.large_text_max ||
        sendable(tcb, *node) != node->length || nagle_holds(tcb, *node) ||
        !fits_congestion_window(tcb, node->length) || !may_leave_now(tcb, context)) {
      break;
    }
    last_length = node->length;
    add_node(tcb, context, node, out);
    pace(tcb, last_length, context);
    out.segment_size = tcb.snd_mss;
  }
}

bool plan_new_data(Tcb& tcb, Context& context, Outgoing& out) {
  Transfer& t = *tcb.transfer;
  SendNode* const node = t.unsent;
  const std::uint32_t length = sendable(tcb, *node);
  if (length == 0 || nagle_holds(tcb, *node)) return false;
  const bool is_fenced = !fits_congestion_window(tcb, length) && !frto_prefers_new_data(tcb);
  if (is_fenced || !may_leave_now(tcb, context)) return false;
  if (length < node->length && !split(tcb, node, length, context)) return false;
  if (tcb.is_persisting() || tcb.timer_is == TimerIs::loss_probe) tcb.stop_timer();
  plan_node(tcb, context, node, out);
  pace(tcb, length, context);
  if (context.parameters.large_text_max != 0) add_following_nodes(tcb, context, out);
  return true;
}

bool plan_fin_alone(Tcb& tcb, Context& context, Outgoing& out) {
  if (!tcb.fin_lost && !has_unsent_fin(tcb)) return false;
  if (!tcb.fin_lost && tcb.snd_wnd == 0 && tcb.in_flight() == 0)
    return false;  // persist asks first
  if (tcb.is_persisting()) tcb.stop_timer();
  plan_fin(tcb, context, out);
  return true;
}

// One byte, or the FIN, beyond a closed window (RFC 9293 section 3.8.6.1). SND.NXT stays: what the
// peer does not take is not in flight. With nothing to send it is a keep-alive (section 3.8.4): a
// number the peer has acknowledged already, so that it must answer.
bool plan_probe(Tcb& tcb, Context& context, Outgoing& out) {
  tcb.probe_pending = false;
  out.node = nullptr;
  const SendNode* const node = tcb.transfer == nullptr ? nullptr : tcb.transfer->unsent;
  const bool has_fin = node == nullptr && has_unsent_fin(tcb);
  if (tcb.in_flight() > 0) return false;
  if (node == nullptr && !has_fin) {
    begin_segment(tcb, context, tcb.snd_una - 1, 0, out.segment);
    ++context.counters.keep_alive_probes;
    return true;
  }
  std::uint32_t length = 0;
  if (node != nullptr) {
    const Seq edge = tcb.snd_una + tcb.snd_wnd;
    const std::uint32_t room = edge.is_after(tcb.snd_nxt) ? edge - tcb.snd_nxt : 0;
    length = std::min({std::max(1U, room), node->length, std::uint32_t{tcb.snd_mss}});
    if (is_probe_suspect(tcb)) length = 1;
  }
  begin_segment(tcb, context, tcb.snd_nxt, length, out.segment);
  if (node != nullptr) out.segment.payload = {node->text, length};
  const Seq end = tcb.snd_nxt + length;
  if (has_fin || (fin_follows(tcb, context, end))) out.segment.flags |= base::kFin;
  if (tcb.snd_nxt.is_before(tcb.snd_max)) {
    ++(length > 0 ? context.counters.data_retransmitted : context.counters.fin_retransmitted);
  }
  count_new_text(tcb, context, end + (out.segment.has(base::kFin) ? 1 : 0),
                 out.segment.has(base::kFin));
  ++context.counters.zero_window_probes;
  return true;
}

// RFC 8985 section 7.3: new data if there is some, else the newest segment again. Neither asks the
// congestion window.
bool plan_loss_probe(Tcb& tcb, Context& context, Outgoing& out) {
  tcb.loss_probe_pending = false;
  if (tcb.transfer == nullptr) return false;
  Transfer& t = *tcb.transfer;
  SendNode* node = t.unsent;
  t.probe_is_retransmission = node == nullptr || sendable(tcb, *node) < node->length;
  if (t.probe_is_retransmission) node = t.in_time.newest();
  if (node == nullptr) return false;
  plan_node(tcb, context, node, out);
  t.probe_outstanding = true;
  t.probe_end = tcb.snd_nxt;
  ++context.counters.tail_loss_probes;
  return true;
}

bool may_send_data(const Tcb& tcb) {
  switch (tcb.state) {
    case State::established:
    case State::close_wait:
    case State::fin_wait_1:
    case State::closing:
    case State::last_ack:
      return true;
    case State::syn_received:
      return tcb.passive && tcb.fast_open;  // RFC 7413 section 4.2.2
    default:
      return false;
  }
}

bool plan_data(Tcb& tcb, Context& context, Outgoing& out) {
  if (tcb.transfer != nullptr) tcb.transfer->is_paced = false;
  if ((tcb.loss_probe_pending && plan_loss_probe(tcb, context, out)) ||
      plan_lost(tcb, context, out) || (tcb.probe_pending && plan_probe(tcb, context, out))) {
    return true;
  }
  const bool alone = context.parameters.textbook && tcb.ack_pending && has_unsent_fin(tcb);
  if (alone || tcb.extra_acks > 1) return false;
  return tcb.transfer != nullptr && tcb.transfer->unsent != nullptr
             ? plan_new_data(tcb, context, out)
             : plan_fin_alone(tcb, context, out);
}

}  // namespace

Segment ack_of(Tcb& tcb, const Context& context) {
  Segment out;
  // SND.MAX: the peer may have all of it and would find less unacceptable. A probe of a closed
  // window, though, it has not taken.
  begin_segment(tcb, context, tcb.is_persisting() ? tcb.snd_nxt : tcb.snd_max, 0, out);
  return out;
}

bool has_output(const Tcb& tcb) {
  if (tcb.ack_pending || tcb.syn_pending || tcb.fin_lost || tcb.probe_pending ||
      tcb.loss_probe_pending) {
    return true;
  }
  if (!may_send_data(tcb)) return false;
  return tcb.snd_end.is_after(tcb.snd_nxt) || has_unsent_fin(tcb) ||
         (tcb.transfer != nullptr && tcb.transfer->lost_bytes > 0);
}

bool next_segment(Tcb& tcb, Context& context, Outgoing& out) {
  out.node = nullptr;
  out.length = 0;
  out.segment_size = 0;
  if (tcb.syn_pending) {
    plan_syn(tcb, context, out.segment);
    return true;
  }
  if (may_send_data(tcb)) {
    if (plan_data(tcb, context, out)) return true;
  } else if (tcb.probe_pending && plan_probe(tcb, context, out)) {
    return true;  // a keep-alive in FIN-WAIT-2
  }
  if (!tcb.ack_pending) return false;
  out.node = nullptr;
  out.segment = ack_of(tcb, context);
  return true;
}

void finish_output(Tcb& tcb, Context& context) {
  if (Transfer* const t = tcb.transfer) {
    const std::uint32_t in_network = pipe(tcb);
    t->cwnd_limited = in_network + tcb.snd_mss > tcb.cwnd;
    if (t->unsent == nullptr && t->lost_bytes == 0 && !t->cwnd_limited) {
      t->app_limited_until = std::max<std::uint64_t>(t->delivered + in_network, 1);
    }
  }
  arm_sending_timer(tcb, context);
}

std::optional<Segment> reset_of_abort(const Tcb& tcb, const Context& context) {
  switch (tcb.state) {
    case State::syn_received:
    case State::established:
    case State::fin_wait_1:
    case State::fin_wait_2:
    case State::close_wait:
      break;
    case State::closing:
    case State::last_ack:
      // Deviation: the RFC has the Tcb deleted without a word, as if all text had been sent. With
      // some of it left, the peer would wait for it.
      if (tcb.snd_una.is_before(tcb.snd_end)) break;
      return std::nullopt;
    default:
      return std::nullopt;
  }
  Segment rst;
  // Exactly what the peer expects next, or it does not believe it (RFC 5961 section 3.2). A probe
  // of a closed window it has not taken.
  rst.seq = tcb.is_persisting() ? tcb.snd_nxt : tcb.snd_max;
  rst.ack = tcb.rcv_nxt;
  rst.flags = base::kRst | base::kAck;
  add_timestamps(tcb, context, rst);
  return rst;
}

}  // namespace handfast::tcp
