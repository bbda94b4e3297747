#include "tcp/recovery.hpp"

#include <algorithm>

#include "tcp/congestion/congestion.hpp"
#include "tcp/rack.hpp"
#include "tcp/rtt.hpp"

namespace handfast::tcp {

namespace {

constexpr std::uint8_t kDupThresh = 3;

bool is_reducing(const Transfer& t) {
  return t.recovery == Recovery::fast || t.recovery == Recovery::cwr;
}

// A loss or a mark begins to count: once for all that is in flight now.
// FlightSize is what was in flight before the ACK that tells of it: what that ACK covers is counted
// as delivered in the recovery that begins (RFC 9937 section 6.1, RecoverFS).
void begin_reduction(Tcb& tcb, Recovery recovery, std::uint32_t flight, bool is_mark,
                     const Context& context) {
  Transfer& t = *tcb.transfer;
  // A mark that came before is no less true when the loss turns out to be none.
  t.can_undo = recovery == Recovery::fast && t.recovery != Recovery::cwr;
  if (!is_reducing(t)) {
    t.prior_cwnd = tcb.cwnd;
    t.prior_ssthresh = tcb.ssthresh;
    t.prr_flight = std::max<std::uint32_t>(flight, tcb.snd_mss);
    t.prr_delivered = 0;
    t.prr_out = 0;
    const Congestion& congestion = congestion_of(tcb.congestion);
    tcb.ssthresh =
        (is_mark ? congestion.marked_window : congestion.reduced_window)(tcb, flight, context);
  }
  t.recovery = recovery;
  t.recover = tcb.snd_nxt;
  t.recovery_start = tcb.snd_una;
  t.resent_segments = 0;
  t.first_resent_ts = 0;
  t.probe_outstanding = false;
}

std::uint32_t flight_before(const Tcb& tcb, const AckNews& news) {
  return tcb.in_flight() + news.sample.acked;
}

void begin_fast_recovery(Tcb& tcb, std::uint32_t flight, Context& context) {
  begin_reduction(tcb, Recovery::fast, flight, false, context);
  tcb.transfer->resend_forced = true;  // the first retransmission waits for no window
  ++context.counters.fast_retransmits;
}

void end_recovery(Tcb& tcb, const Context& context) {
  Transfer& t = *tcb.transfer;
  const bool was_fast = is_reducing(t);
  t.recovery = Recovery::open;
  t.duplicate_acks = 0;
  t.is_rto_suspect = false;
  const Congestion& congestion = congestion_of(tcb.congestion);
  if (was_fast) {
    if (!congestion.owns_window) tcb.cwnd = std::max<std::uint32_t>(tcb.ssthresh, tcb.snd_mss);
    congestion.on_recovered(tcb, context);
  }
  rack_recovery_ended(t);
}

// The window goes back to where it was before.
void undo(Tcb& tcb, Context& context) {
  Transfer& t = *tcb.transfer;
  const Congestion& congestion = congestion_of(tcb.congestion);
  if (!congestion.owns_window) {
    tcb.cwnd = std::max(tcb.cwnd, t.prior_cwnd);
    tcb.ssthresh = std::max(tcb.ssthresh, t.prior_ssthresh);
  }
  congestion.on_undo(tcb, context);
  t.can_undo = false;
  t.is_rto_suspect = false;
  ++context.counters.recoveries_undone;
}

// A D-SACK more than there were retransmissions: the network duplicates, and from then on D-SACKs
// say nothing of what we did, as Linux has it.
bool tells_of_resend(Transfer& t) {
  return ++t.dsack_dups <= t.total_retrans;
}

// Each retransmission that D-SACK calls needless; none needed means that nothing had been lost.
void count_needless_resend(Tcb& tcb, const base::Segment& seg) {
  Transfer& t = *tcb.transfer;
  if (!t.can_undo || t.resent_segments == 0) return;
  const base::SackBlock& block = seg.options.sack[0];
  if (block.right.is_after(t.recover) || block.right.is_at_or_before(t.recovery_start)) return;
  --t.resent_segments;
}

// Whether what was sent again need not have been; or had not been yet, and has arrived meanwhile:
// the ACKs of one burst are all taken before anything leaves.
bool was_for_nothing(const Tcb& tcb, const AckNews& news) {
  const Transfer& t = *tcb.transfer;
  if (!t.can_undo) return false;
  if (t.first_resent_ts == 0) return t.recovery == Recovery::fast && t.lost_bytes == 0;
  return news.copy_was_needless || (news.dsack && t.resent_segments == 0);
}

// A duplicate ACK stands for a segment that has arrived, so there are no more of them than were in
// flight; what each lets go must not make room for the next, or a peer could draw a window's worth
// and more out of us at once (RFC 5681 section 5).
bool is_possible_duplicate(const Tcb& tcb) {
  Transfer& t = *tcb.transfer;
  if (t.duplicate_acks == 0) t.duplicate_room = tcb.in_flight();
  if (t.duplicate_room == 0) return false;
  t.duplicate_room -= std::min<std::uint32_t>(t.duplicate_room, tcb.snd_mss);
  return true;
}

// Without SACK: three duplicates tell of one loss, a partial ACK of the next (RFC 6582).
void count_duplicates(Tcb& tcb, AckNews& news, bool is_duplicate) {
  Transfer& t = *tcb.transfer;
  is_duplicate = is_duplicate && is_possible_duplicate(tcb);
  if (is_duplicate) news.sample.delivered += tcb.snd_mss;
  if (news.advanced) {
    t.duplicate_room = tcb.in_flight();
    // What duplicates stood for has been counted (RFC 6937 section 2).
    news.sample.delivered -=
        std::min(news.sample.delivered, std::uint32_t{t.duplicate_acks} * tcb.snd_mss);
    const std::uint32_t segments = (news.sample.acked + tcb.snd_mss - 1U) / tcb.snd_mss;
    const bool goes_on = t.recovery == Recovery::fast && tcb.snd_una.is_before(t.recover);
    t.duplicate_acks = goes_on && t.duplicate_acks > segments - 1
                           ? static_cast<std::uint8_t>(t.duplicate_acks - (segments - 1))
                           : std::uint8_t{0};
  } else if (is_duplicate && t.duplicate_acks < 0xff &&
             (t.duplicate_acks + 1U) * tcb.snd_mss < tcb.in_flight() + tcb.snd_mss) {
    ++t.duplicate_acks;
  }
}

void find_loss_without_sack(Tcb& tcb, const AckNews& news) {
  Transfer& t = *tcb.transfer;
  SendNode* const first = tcb.send_queue.front();
  if (first == nullptr || !first->is_sent) return;
  if (t.recovery == Recovery::fast) {
    if (news.advanced && tcb.snd_una.is_before(t.recover)) mark_lost(tcb, first);
    return;
  }
  // Not again for what an earlier recovery covers (RFC 6582 section 3.2 step 1).
  if (t.duplicate_acks >= kDupThresh && t.recovery != Recovery::loss &&
      !tcb.snd_una.is_before(t.recover)) {
    mark_lost(tcb, first);
  }
}

void find_loss_by_time(Tcb& tcb, const Context& context) {
  const Transfer& t = *tcb.transfer;
  const bool waited = t.reordering_timer;
  (void)rack_detect_loss(tcb, context);
  // The timer is armed anew by output for what it finds.
  if (t.reordering_timer || waited) tcb.retransmit_at = base::kNoTick;
}

void find_loss(Tcb& tcb, AckNews& news, const Context& context) {
  Transfer& t = *tcb.transfer;
  const std::uint32_t lost_before = t.total_lost;
  if (tcb.sack) {
    rack_adapt_window(tcb, news.dsack);
    find_loss_by_time(tcb, context);
  } else {
    find_loss_without_sack(tcb, news);
  }
  news.sample.lost = (t.total_lost - lost_before) * tcb.snd_mss;
}

// RFC 6937 section 3.1, with the slow start bound where the ACK is good news.
void reduce_proportionally(Tcb& tcb, const AckNews& news, bool is_first) {
  Transfer& t = *tcb.transfer;
  const std::uint32_t in_network = pipe(tcb);
  const std::uint32_t delivered = news.sample.delivered;
  // Nothing is in flight, and nothing was: the window stands.
  if (in_network == 0 && delivered == 0) return;
  t.prr_delivered += delivered;
  std::int64_t count = 0;
  if (in_network > tcb.ssthresh) {
    const std::uint64_t allowed =
        (std::uint64_t{t.prr_delivered} * tcb.ssthresh + t.prr_flight - 1) / t.prr_flight;
    count = static_cast<std::int64_t>(allowed) - t.prr_out;
  } else {
    std::int64_t limit = std::int64_t{t.prr_delivered} - t.prr_out;
    if (news.advanced && news.sample.lost == 0) {
      limit = std::max<std::int64_t>(limit, delivered) + tcb.snd_mss;
    }
    count = std::min<std::int64_t>(std::int64_t{tcb.ssthresh} - in_network, limit);
  }
  count = std::max<std::int64_t>(count, is_first ? tcb.snd_mss : 0);
  tcb.cwnd = in_network + static_cast<std::uint32_t>(count);
}

void take_time_out_state(Tcb& tcb, const AckNews& news, Context& context) {
  Transfer& t = *tcb.transfer;
  const bool spurious = t.is_rto_suspect && (news.original_arrived || was_for_nothing(tcb, news));
  if (spurious || was_for_nothing(tcb, news)) {
    // F-RTO and Eifel: the originals had only been delayed.
    if (spurious) ++context.counters.spurious_timeouts;
    unmark_lost(tcb);
    undo(tcb, context);
    t.recovery = Recovery::open;
    t.recover = tcb.snd_una;
    return;
  }
  // What came back was sent after the time-out, and the rest did not: it was real.
  if (t.is_rto_suspect && !news.advanced && news.sample.delivered > 0) t.is_rto_suspect = false;
  if (tcb.snd_una.is_at_or_after(t.recover)) end_recovery(tcb, context);
}

void take_fast_state(Tcb& tcb, const AckNews& news, Context& context) {
  Transfer& t = *tcb.transfer;
  if (was_for_nothing(tcb, news)) {
    undo(tcb, context);
    // The path reorders: what else seemed lost may be late as well, and gets RACK's window now.
    t.was_reordered = true;
    unmark_lost(tcb);
    if (tcb.sack) find_loss_by_time(tcb, context);
    if (t.lost_bytes == 0) {
      t.recovery = t.sacked_bytes > 0 ? Recovery::disorder : Recovery::open;
      t.duplicate_acks = 0;
      return;
    }
    // Something else is missing: that counts by itself.
    t.recovery = Recovery::open;
    return begin_fast_recovery(tcb, flight_before(tcb, news), context);
  }
  if (tcb.snd_una.is_at_or_after(t.recover)) end_recovery(tcb, context);
}

// Nothing known lost before this ACK.
void take_open_state(Tcb& tcb, const AckNews& news, Context& context) {
  Transfer& t = *tcb.transfer;
  // D-SACKs of a recovery that has ended may still say that it was for nothing.
  if (was_for_nothing(tcb, news)) {
    undo(tcb, context);
    t.was_reordered = true;
  }
  const bool is_disordered = t.sacked_bytes > 0 || t.duplicate_acks > 0;
  t.recovery = is_disordered ? Recovery::disorder : Recovery::open;
}

// The window goes down already: that answers a mark as well (RFC 3168 section 6.1.2), and is not
// undone.
void keep_reduction(Tcb& tcb) {
  if (tcb.transfer->can_undo) tcb.cwr_pending = true;
  tcb.transfer->can_undo = false;
}

void react(Tcb& tcb, const base::Segment& seg, const AckNews& news, Context& context) {
  Transfer& t = *tcb.transfer;
  switch (t.recovery) {
    case Recovery::loss:
      take_time_out_state(tcb, news, context);
      break;
    case Recovery::fast:
      take_fast_state(tcb, news, context);
      break;
    case Recovery::cwr:
      // Only when something sent since is acknowledged: CWR goes along with that, and until the
      // peer has it each of its segments repeats the mark (RFC 3168 section 6.1.3).
      if (tcb.snd_una.is_after(t.recover)) end_recovery(tcb, context);
      break;
    default:
      take_open_state(tcb, news, context);
      break;
  }
  const bool probe_repaired = tail_probe_answered(tcb, seg, news);
  const bool is_marked = tcb.ecn && seg.has(base::kEce);
  if (t.recovery == Recovery::loss || t.recovery == Recovery::fast) {
    if (is_marked) keep_reduction(tcb);
    return;
  }
  if (t.lost_bytes > 0) return begin_fast_recovery(tcb, flight_before(tcb, news), context);
  if ((is_marked || probe_repaired) && t.recovery != Recovery::cwr) {
    if (is_marked) {
      tcb.cwr_pending = true;
      ++context.counters.ecn_reductions;
    }
    begin_reduction(tcb, Recovery::cwr, flight_before(tcb, news), is_marked && !probe_repaired,
                    context);
  }
}

void steer_window(Tcb& tcb, const AckNews& news, Recovery before, Context& context) {
  Transfer& t = *tcb.transfer;
  const Congestion& congestion = congestion_of(tcb.congestion);
  if (is_reducing(t) && !congestion.owns_window) {
    return reduce_proportionally(tcb, news, t.resend_forced && before != Recovery::fast);
  }
  if (news.sample.delivered > 0) congestion.on_ack(tcb, news.sample, context);
}

// An ambiguous round trip is told by timestamps.
std::uint32_t round_trip(const Tcb& tcb, const base::Segment& seg, const AckNews& news,
                         const Context& context) {
  if (news.sample.rtt_us != 0) return news.sample.rtt_us;
  return news.advanced ? round_trip_by_timestamp(tcb, seg, context) : 0;
}

// Marks that SND.UNA has passed have no more to say; left where they are, they would lie ahead
// after 2 GiB.
void forget_passed_marks(Tcb& tcb) {
  Transfer& t = *tcb.transfer;
  t.recover = base::later_of(t.recover, tcb.snd_una);
  t.reorder_round = base::later_of(t.reorder_round, tcb.snd_una);
  t.small_end = base::later_of(t.small_end, tcb.snd_una);
}

// All that was in flight has arrived, and nothing was known or thought to be missing, marked or
// sent for nothing: there is no loss to look for and nothing to react to. Most ACKs of short
// exchanges are such (what Jacobson's header prediction is to a receiver).
bool completes_calm_flight(const Tcb& tcb, const base::Segment& seg) {
  const Transfer& t = *tcb.transfer;
  return seg.ack.is_at_or_after(tcb.snd_nxt) && seg.ack.is_after(tcb.snd_una) &&
         seg.options.sack_count == 0 && t.recovery == Recovery::open && t.sacked_bytes == 0 &&
         t.lost_bytes == 0 && t.duplicate_acks == 0 && !t.can_undo && !t.probe_outstanding &&
         !(tcb.ecn && seg.has(base::kEce));
}

// The send buffer goes by this. It rises at once and falls by little, and that only while there is
// more to send: what a pause leaves says nothing of what the path takes.
void note_flight(Transfer& t, std::uint32_t flight) {
  constexpr std::uint32_t kFallShift = 6;
  if (flight > t.flight_of_late) {
    t.flight_of_late = flight;
  } else if (t.unsent != nullptr) {
    t.flight_of_late -= (t.flight_of_late - flight) >> kFallShift;
  }
}

// What take_ack() comes to then.
AckNews take_calm_ack(Tcb& tcb, const base::Segment& seg, Context& context) {
  AckNews news;
  Transfer& t = *tcb.transfer;
  news.sample.prior_flight = tcb.in_flight();
  note_flight(t, news.sample.prior_flight);
  news.sample.is_cwnd_limited = t.cwnd_limited;
  news.sample.is_reordered = t.was_reordered;
  take_cumulative_ack(tcb, seg.ack, tcb.timestamps ? seg.options.ts_echo : 0, news, context);
  t.seen_sack_count = 0;
  t.reordering_timer = false;
  if (const std::uint32_t rtt_us = round_trip(tcb, seg, news, context); rtt_us != 0) {
    update_rto(tcb, rtt_us, context.parameters);
  }
  finish_rate_sample(tcb, news, context);
  const Congestion& congestion = congestion_of(tcb.congestion);
  congestion.observe(tcb, news.sample, context);
  if (news.sample.delivered > 0) congestion.on_ack(tcb, news.sample, context);
  forget_passed_marks(tcb);
  return news;
}

}  // namespace

AckNews take_ack(Tcb& tcb, const base::Segment& seg, bool is_duplicate, Context& context) {
  if (completes_calm_flight(tcb, seg)) return take_calm_ack(tcb, seg, context);
  AckNews news;
  const bool advances = seg.ack.is_after(tcb.snd_una);
  const std::uint32_t ts_echo = tcb.timestamps ? seg.options.ts_echo : 0;
  Transfer& t = *tcb.transfer;
  news.sample.prior_flight = pipe(tcb);
  note_flight(t, tcb.in_flight());
  news.sample.is_cwnd_limited = t.cwnd_limited;
  news.sample.is_reordered = t.was_reordered;
  news.sample.ece = tcb.ecn && seg.has(base::kEce);
  if (advances) take_cumulative_ack(tcb, seg.ack, ts_echo, news, context);
  if (tcb.sack) {
    take_sack_blocks(tcb, seg, news, context);
    news.dsack = news.dsack && tells_of_resend(t);
    if (news.dsack) count_needless_resend(tcb, seg);
  } else {
    count_duplicates(tcb, news, is_duplicate);
  }
  if (const std::uint32_t rtt_us = round_trip(tcb, seg, news, context); rtt_us != 0) {
    update_rto(tcb, rtt_us, context.parameters);
  }
  finish_rate_sample(tcb, news, context);
  const Recovery before = t.recovery;
  find_loss(tcb, news, context);
  congestion_of(tcb.congestion).observe(tcb, news.sample, context);
  react(tcb, seg, news, context);
  steer_window(tcb, news, before, context);
  if (advances && t.recovery != Recovery::loss) forget_passed_marks(tcb);
  return news;
}

void retransmission_timed_out(Tcb& tcb, Context& context) {
  Transfer& t = *tcb.transfer;
  const bool is_first = t.recovery != Recovery::loss;
  const bool is_suspect = is_first && t.recovery != Recovery::fast;
  if (is_first || tcb.retransmits == 0) {
    if (!is_reducing(t)) {
      t.prior_cwnd = tcb.cwnd;
      t.prior_ssthresh = tcb.ssthresh;
      tcb.ssthresh = congestion_of(tcb.congestion).reduced_window(tcb, tcb.in_flight(), context);
    }
    t.recovery_start = tcb.snd_una;
    t.resent_segments = 0;
    t.first_resent_ts = 0;
    t.can_undo = is_first;
  }
  t.is_rto_suspect = is_suspect;  // RFC 5682 section 3.1 step 1
  SendNode* const first = tcb.send_queue.front();
  if (first != nullptr && first->is_sacked) forget_sacks(tcb);
  // RFC 8985 section 6.3: the first, and all that had its time. What was sent lately may still
  // come.
  const std::uint32_t patience = t.rack_rtt_us + rack_reordering_window(tcb);
  for (SendNode* node = first; node != nullptr && node->is_sent;
       node = tcb.send_queue.after(node)) {
    if (node->is_sacked || node->is_lost) continue;
    const bool is_late = context.now_us - node->sent_us >= patience;
    if (node == first || !node->is_in_time || is_late) mark_lost(tcb, node);
  }
  t.recovery = Recovery::loss;
  t.recover = tcb.snd_nxt;
  t.duplicate_acks = 0;
  t.probe_outstanding = false;
  t.reordering_timer = false;
  t.resend_forced = true;
  const Congestion& congestion = congestion_of(tcb.congestion);
  if (!congestion.owns_window) tcb.cwnd = tcb.snd_mss;
  congestion.on_timeout(tcb, context);
}

void reordering_timed_out(Tcb& tcb, Context& context) {
  Transfer& t = *tcb.transfer;
  (void)rack_detect_loss(tcb, context);
  if (t.lost_bytes == 0 || t.recovery == Recovery::loss) return;
  const bool is_first = t.recovery != Recovery::fast;
  if (is_first) begin_fast_recovery(tcb, tcb.in_flight(), context);
  if (!congestion_of(tcb.congestion).owns_window) reduce_proportionally(tcb, AckNews{}, is_first);
}

void note_sent_in_recovery(Tcb& tcb, std::uint32_t bytes) {
  if (tcb.transfer != nullptr && is_reducing(*tcb.transfer)) tcb.transfer->prr_out += bytes;
}

}  // namespace handfast::tcp
