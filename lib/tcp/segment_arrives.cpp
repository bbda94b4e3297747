#include "tcp/segment_arrives.hpp"

#include "tcp/acknowledge.hpp"
#include "tcp/arriving.hpp"
#include "tcp/receive_window.hpp"
#include "tcp/recovery.hpp"
#include "tcp/rtt.hpp"
#include "tcp/transfer_pool.hpp"
#include "tcp/urgent.hpp"

namespace handfast::tcp {

using base::TcpOptions;

// RFC 9293 section 3.10.7.4, step by step. The third step (security) has nothing to check.
Arrival segment_arrives(Tcb& tcb, const base::Segment& seg, const base::Packet& packet,
                        Context& context) {
  Arriving step{tcb, seg, packet, context};
  if (tcb.state == State::syn_sent) {
    if (!step.in_syn_sent()) return step.out;
  } else {
    if (!step.check_timestamps()) return step.out;
    if (!step.check_sequence_number()) return step.out;
    step.remember_timestamp(seg.seq);
    if (!step.check_rst()) return step.out;
    if (!step.check_syn()) return step.out;
    if (!step.check_ack()) return step.out;
  }
  step.take_marks();
  step.take_text();
  step.take_fin();
  return step.out;
}

void Arriving::close(CloseReason reason) {
  tcb.state = State::closed;
  out.closed = true;
  out.reason = reason;
}

namespace {

// By how many ticks of the peer's clock `value` is older than TS.Recent, if that is known.
std::uint32_t ticks_behind(const Tcb& tcb, std::uint32_t value, const Context& context) {
  const std::uint32_t behind = tcb.ts_recent - value;
  if (static_cast<std::int32_t>(behind) <= 0) return 0;
  constexpr std::uint16_t kHoursValid = 24 * 24;  // section 5.5: 24 days
  const auto age = static_cast<std::uint16_t>(context.hour - tcb.ts_recent_hour);
  return age < kHoursValid ? behind : 0;
}

// How many ticks older than TS.Recent a segment may be. One: an old duplicate is two ticks older at
// least, since the clock ticks once in 2^31 bytes or more often (section 5.4). Ten while text is
// missing: a retransmission that fills a gap takes TS.Recent along, and where the path reorders,
// what it overtook there is older by as much as that is late, or twice that when its sender slows
// down and the queue drains. To be an old duplicate, numbers must have come round in ten ticks: at
// 3 Tbit/s when the clock ticks each millisecond, at 30 Gbit/s when ten times a second, at 3 Gbit/s
// when once, the slowest that section 5.4 allows.
std::uint32_t ticks_allowed(const Tcb& tcb) {
  return tcb.reassembly.is_empty() ? 1 : 10;
}

}  // namespace

// RFC 7323 section 5.3 R1: PAWS. Deviation: what is only a little older is let in, one tick as
// Linux does. A segment that a retransmission overtook, and every late ACK, is about that much
// older.
bool Arriving::check_timestamps() {
  if (!tcb.timestamps || seg.has(base::kRst)) return true;
  // Section 3.2: once negotiated, every segment carries it; one without is not of this connection.
  if (!seg.options.has(TcpOptions::kTimestamps)) return false;
  if (ticks_behind(tcb, seg.options.ts_value, context) > ticks_allowed(tcb)) {
    ++context.counters.paws_rejected;
    tcb.ack_pending = true;
    return false;
  }
  return true;
}

// R3, never backwards, and only for what R2 found inside the window: or anybody could move
// TS.Recent far ahead and have PAWS reject the peer's own segments. `first` is the number before
// trimming.
void Arriving::remember_timestamp(Seq first) {
  if (!tcb.timestamps || seg.has(base::kRst) || first.is_after(tcb.last_ack_sent)) return;
  if (ticks_behind(tcb, seg.options.ts_value, context) > 0) return;
  tcb.ts_recent = seg.options.ts_value;
  tcb.ts_recent_hour = context.hour;
}

// The next number, and all of the segment inside the window: what the first step would find is that
// there is nothing to trim, to answer or to remember.
bool Arriving::is_next_and_fits() const {
  return seg.seq == tcb.rcv_nxt && seg.len() <= tcb.rcv_wnd() && !seg.has(base::kSyn);
}

// First step.
bool Arriving::check_sequence_number() {
  if (is_next_and_fits()) [[likely]]
    return true;
  // The SYN whose text we have taken, again: our SYN-ACK was lost. SND.WL1 is IRS until
  // ESTABLISHED.
  if (tcb.fast_open && tcb.passive && seg.has(base::kSyn) && !seg.has(base::kAck) &&
      seg.seq == tcb.snd_wl1) {
    tcb.syn_pending = true;
    return false;
  }
  // Simultaneous open: the peer's SYN once more, on its own or with the ACK of ours. It has been
  // counted in RCV.NXT already; what follows it may be new.
  if (tcb.state == State::syn_received && seg.has(base::kSyn) && seg.seq + 1 == tcb.rcv_nxt) {
    if (!seg.has(base::kAck)) {
      tcb.syn_pending = true;
      return false;
    }
    seg.seq += 1;
    window_is_unscaled = true;
    seg.flags &= static_cast<std::uint8_t>(~base::kSyn);
    tcb.ack_pending = true;
  }
  const std::uint32_t rcv_wnd = tcb.rcv_wnd();
  // Our window is closed: no text is acceptable, but ACKs, RSTs and URGs are (MUST-66).
  if (rcv_wnd == 0 && seg.seq == tcb.rcv_nxt && seg.len() > 0 && !seg.has(base::kSyn)) {
    seg.payload = {};
    seg.flags &= static_cast<std::uint8_t>(~base::kFin);
    tcb.ack_pending = true;
    return true;
  }
  note_old_text(tcb, seg);
  // Deviation: a segment without text may stand at the window's right edge. When each end has
  // filled the other's window and each has lost a segment, every ACK stands there; dropped, as the
  // RFC's table has it, neither end would ever learn what to send again.
  const bool is_at_edge = seg.len() == 0 && seg.seq == tcb.rcv_adv;
  if (!is_at_edge && !is_acceptable(seg, tcb.rcv_nxt, rcv_wnd)) {
    if (seg.has(base::kRst)) return false;
    if (seg.len() > 0 && (seg.seq + seg.len()).is_at_or_before(tcb.rcv_nxt)) {
      ++context.counters.duplicate_segments;
    }
    // The peer's own keep-alive is a sign of life as well (MUST-26).
    const bool is_probe = seg.seq + 1 == tcb.rcv_nxt;
    if (is_probe && tcb.in_flight() == 0) tcb.heard(context.tick);
    // Two ends that find each other's ACKs unacceptable would answer for ever: limited.
    if (seg.len() == 0 && !is_probe) {
      out.challenge = true;
    } else {
      tcb.ack_pending = true;
    }
    return false;
  }
  trim_to_window();
  return true;
}

// "Trim off any portions that lie outside the window (including SYN and FIN)." A RST keeps its
// number: RFC 5961 section 3.2 asks for exactly RCV.NXT.
void Arriving::trim_to_window() {
  if (seg.seq.is_before(tcb.rcv_nxt) && !seg.has(base::kSyn) && !seg.has(base::kRst)) {
    const std::uint32_t old = tcb.rcv_nxt - seg.seq;
    seg.payload = seg.payload.subspan(std::min<std::size_t>(old, seg.payload.size()));
    seg.urgent = static_cast<std::uint16_t>(seg.urgent - std::min<std::uint32_t>(seg.urgent, old));
    seg.seq = tcb.rcv_nxt;
  }
  const std::uint32_t room = tcb.rcv_adv - seg.seq;
  if (seg.payload.size() > room) {
    seg.payload = seg.payload.first(room);
    seg.flags &= static_cast<std::uint8_t>(~base::kFin);
  }
}

// Second step, with RFC 5961 section 3.2: only the exact number resets.
bool Arriving::check_rst() {
  if (!seg.has(base::kRst)) return true;
  if (seg.seq != tcb.rcv_nxt) {
    out.challenge = true;
    return false;
  }
  // A passive open's record never comes here in SYN-RECEIVED but by Fast Open, or to be established
  // at once.
  const bool is_refusal = tcb.state == State::syn_received && !tcb.passive;
  close(is_refusal ? CloseReason::refused : CloseReason::reset);
  return false;
}

// Fourth step, with RFC 5961 section 4.2.
bool Arriving::check_syn() {
  if (!seg.has(base::kSyn)) return true;
  out.challenge = true;
  return false;
}

// Fifth step.
bool Arriving::check_ack() {
  if (!seg.has(base::kAck)) return false;
  if (tcb.state == State::syn_received && !ack_in_syn_received()) return false;
  if (!ack_is_acceptable()) return false;
  // The peer lives, and may keep its window closed (MUST-37).
  if (tcb.is_persisting() || tcb.snd_wnd == 0 || tcb.in_flight() == 0) tcb.heard(context.tick);
  if (tcb.timer_is == TimerIs::keep_alive && tcb.retransmits > 0) {
    tcb.retransmits = 0;
    tcb.stop_timer();  // armed anew for the idleness that begins now
  }
  if (seg.ack.is_at_or_after(tcb.snd_una)) take_acknowledgement();
  take_window();
  return after_ack();
}

bool Arriving::ack_in_syn_received() {
  if (!seg.ack.is_after(tcb.snd_una) || seg.ack.is_after(tcb.snd_max)) {
    out.reset = true;
    return false;
  }
  finish_syn_measurement(tcb, seg, context);
  enter_established();
  return true;
}

void Arriving::enter_established() {
  tcb.state = tcb.fin_queued ? State::fin_wait_1 : State::established;
  out.established = true;
  tcb.snd_wnd = window();
  tcb.max_snd_wnd = tcb.snd_wnd;
  tcb.snd_wl1 = seg.seq;
  tcb.snd_wl2 = seg.ack;
  tcb.syn_pending = false;
  const bool syn_lost = tcb.retransmits > 0;
  constexpr std::uint32_t kRtoAfterLostSynUs = 3'000'000;  // RFC 6298 section 5.7
  if (syn_lost) {
    tcb.rto_us = std::min(kRtoAfterLostSynUs, context.parameters.rto_max_us);
    tcb.timing = false;
  }
  if (!tcb.user_timeout_set) tcb.user_timeout = context.parameters.user_timeout;
  start_congestion_control(tcb, syn_lost, context);
  begin_receiving(tcb, context);
}

// RFC 5961 section 5.2: SND.UNA - MAX.SND.WND =< SEG.ACK =< SND.NXT, or a challenge ACK.
bool Arriving::ack_is_acceptable() {
  if (seg.ack.is_after(tcb.snd_max) || seg.ack.is_before(tcb.snd_una - tcb.max_snd_wnd)) {
    out.challenge = true;
    return false;
  }
  return true;
}

// RFC 5681 section 2: what counts as a duplicate acknowledgement. The answer to a probe of a closed
// window tells of no loss.
bool Arriving::is_duplicate_ack() const {
  return seg.ack == tcb.snd_una && seg.len() == 0 && window() == tcb.snd_wnd && tcb.snd_wnd > 0 &&
         tcb.in_flight() > 0;
}

void Arriving::take_acknowledgement() {
  if (tcb.transfer == nullptr) {
    // Nothing but SYN and FIN can be in flight: no scoreboard, no window to steer.
    if (seg.ack == tcb.snd_una) return;
    tcb.snd_una = seg.ack;
    tcb.snd_nxt = base::later_of(tcb.snd_nxt, seg.ack);
  } else {
    const AckNews news = take_ack(tcb, seg, is_duplicate_ack(), context);
    out.space_freed |= news.space_freed;
    if (!news.advanced) return;
  }
  tcb.retransmits = 0;
  tcb.probe_pending = false;
  tcb.loss_probe_pending = false;
  tcb.network_error = NetworkError::none;
  tcb.fin_lost = false;
  tcb.heard(context.tick);
  // RFC 6298 sections 5.2 and 5.3. Output arms it again for what is in flight.
  tcb.stop_timer();
}

void Arriving::take_window() {
  if (seg.ack.is_before(tcb.snd_una)) return;
  // Deviation: the RFC looks at SEG.SEQ first. A segment that was overtaken and acknowledges more
  // than the one before is the newer all the same; SND.UNA has moved with it, and with the window
  // of before the right edge would too, beyond what the peer ever offered.
  const bool newer = seg.ack.is_after(tcb.snd_wl2) || tcb.snd_wl1.is_before(seg.seq) ||
                     (tcb.snd_wl1 == seg.seq && tcb.snd_wl2 == seg.ack);
  if (!newer) return;
  tcb.snd_wnd = window();
  tcb.max_snd_wnd = std::max(tcb.max_snd_wnd, tcb.snd_wnd);
  tcb.snd_wl1 = seg.seq;
  tcb.snd_wl2 = seg.ack;
  if (tcb.is_persisting() && tcb.snd_wnd > 0) {
    tcb.stop_timer();
    tcb.retransmits = 0;
  }
}

// Sixth step: URG, and congestion marks.
void Arriving::take_marks() {
  note_congestion_mark(tcb, seg, context);
  if (seg.has(base::kUrg)) out.urgent = note_urgent(tcb, seg, context);
}

// What our FIN's acknowledgement does in each state.
bool Arriving::after_ack() {
  if (!tcb.fin_acked()) return tcb.state != State::closing && tcb.state != State::last_ack;
  tcb.lingers = false;
  switch (tcb.state) {
    case State::fin_wait_1:
      tcb.state = State::fin_wait_2;
      return true;
    case State::closing:
      tcb.state = State::time_wait;
      out.time_wait = true;
      return false;
    case State::last_ack:
      close(CloseReason::finished);
      return false;
    default:
      return true;
  }
}

}  // namespace handfast::tcp
