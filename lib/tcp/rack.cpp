#include "tcp/rack.hpp"

#include <algorithm>

namespace handfast::tcp {

namespace {

constexpr std::uint32_t kDupThresh = 3;  // segments, RFC 5681 section 3.2
constexpr std::uint32_t kMinRttWindowUs = 30'000'000;
constexpr std::uint8_t kReorderPersist = 16;
// The peer's delayed acknowledgement, when a single segment is in flight (section 7.2).
constexpr std::uint32_t kMaxAckDelayUs = 40'000;

// RACK_sent_after() (section 6.2).
bool was_sent_after(std::uint32_t us_a, Seq end_a, std::uint32_t us_b, Seq end_b) {
  const auto later = static_cast<std::int32_t>(us_a - us_b);
  return later > 0 || (later == 0 && end_a.is_after(end_b));
}

void take_min_rtt(Transfer& t, std::uint32_t rtt_us, const Context& context) {
  const bool is_old = context.now_us - t.min_rtt_taken_us > kMinRttWindowUs;
  if (t.min_rtt_us != 0 && rtt_us > t.min_rtt_us && !is_old) return;
  t.min_rtt_us = rtt_us;
  t.min_rtt_taken_us = context.now_us;
}

}  // namespace

void rack_note_delivery(Tcb& tcb, const SendNode& node, std::uint32_t ts_echo,
                        const Context& context) {
  Transfer& t = *tcb.transfer;
  const std::uint32_t rtt_us = std::max(context.now_us - node.sent_us, 1U);
  if (!node.was_resent) {
    take_min_rtt(t, rtt_us, context);
    if (node.end().is_before(t.rack_fack)) {  // step 3
      t.was_reordered = true;
      t.reordering = std::max(t.reordering, (t.rack_fack - node.end()) / tcb.snd_mss + 1);
    }
  } else if (rtt_us < t.min_rtt_us ||
             (ts_echo != 0 && static_cast<std::int32_t>(ts_echo - node.sent_ts) < 0)) {
    return;  // too soon for the retransmission, or an older time: the original has arrived
  }
  t.rack_fack = base::later_of(t.rack_fack, node.end());
  const bool has_rack = t.rack_rtt_us != 0;
  if (has_rack && !was_sent_after(node.sent_us, node.end(), t.rack_sent_us, t.rack_end)) return;
  t.rack_sent_us = node.sent_us;
  t.rack_end = node.end();
  t.rack_rtt_us = rtt_us;
}

std::uint32_t rack_reordering_window(const Tcb& tcb) {
  const Transfer& t = *tcb.transfer;
  if (!t.was_reordered) {
    if (t.recovery == Recovery::fast || t.recovery == Recovery::loss) return 0;
    if (t.sacked_bytes >= kDupThresh * tcb.snd_mss) return 0;
  }
  return std::min(t.reorder_windows * (t.min_rtt_us / 4), tcb.srtt_us);
}

void rack_adapt_window(Tcb& tcb, bool dsack) {
  Transfer& t = *tcb.transfer;
  if (!dsack || tcb.snd_una.is_before(t.reorder_round)) return;
  t.reorder_round = tcb.snd_nxt;
  if (t.reorder_windows < 0xff) ++t.reorder_windows;
  t.reorder_persist = kReorderPersist;
}

void rack_recovery_ended(Transfer& t) {
  if (t.reorder_persist > 0 && --t.reorder_persist == 0) t.reorder_windows = 1;
}

std::uint32_t rack_detect_loss(Tcb& tcb, const Context& context) {
  Transfer& t = *tcb.transfer;
  t.reordering_timer = false;
  if (t.rack_rtt_us == 0) return 0;
  const std::uint32_t patience = t.rack_rtt_us + rack_reordering_window(tcb);
  std::uint32_t longest = 0;
  SendNode* node = t.in_time.oldest();
  while (node != nullptr &&
         was_sent_after(t.rack_sent_us, t.rack_end, node->sent_us, node->end())) {
    SendNode* const later = node->later;
    const std::uint32_t waited = context.now_us - node->sent_us;
    if (waited >= patience) {
      mark_lost(tcb, node);
    } else {
      longest = std::max(longest, patience - waited);
    }
    node = later;
  }
  t.reordering_timer = longest > 0;
  return longest;
}

bool may_probe_tail(const Tcb& tcb) {
  const Transfer* const t = tcb.transfer;
  return t != nullptr && tcb.sack && tcb.is_synchronized() && !t->probe_outstanding &&
         t->recovery == Recovery::open && t->sacked_bytes == 0 && t->in_time.oldest() != nullptr &&
         tcb.retransmits == 0;
}

std::uint32_t tail_probe_time_out_us(const Tcb& tcb, const Context&) {
  if (tcb.srtt_us == 0) return tcb.rto_us;
  const std::uint32_t alone = tcb.in_flight() <= tcb.snd_mss ? kMaxAckDelayUs : 0;
  // Two ticks more than two round trips: what is on the way is not late by our own clock's grain.
  constexpr std::uint32_t kGrainUs = 131;
  return std::min(2 * tcb.srtt_us + alone + kGrainUs, tcb.rto_us);
}

bool tail_probe_answered(Tcb& tcb, const base::Segment& seg, const AckNews& news) {
  Transfer& t = *tcb.transfer;
  if (!t.probe_outstanding || seg.ack.is_before(t.probe_end)) return false;
  // New data needs no repair; a D-SACK, or from a peer without that a bare duplicate, says that the
  // original had arrived too.
  const bool is_at_end = seg.ack == t.probe_end;
  const bool is_duplicate =
      is_at_end && !news.advanced && seg.options.sack_count == 0 && seg.len() == 0;
  if (!t.probe_is_retransmission || news.dsack || is_duplicate) {
    t.probe_outstanding = false;
    return false;
  }
  // The original and its copy may both have arrived: the ACK of the second is yet to come.
  if (is_at_end) return false;
  t.probe_outstanding = false;
  return true;
}

}  // namespace handfast::tcp
