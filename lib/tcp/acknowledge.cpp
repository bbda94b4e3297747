#include "tcp/acknowledge.hpp"

#include <algorithm>

namespace handfast::tcp {

using base::Segment;

namespace {

constexpr std::uint32_t kSackHead = 4;  // bytes: kind, length and two of padding
constexpr std::uint32_t kSackBlock = 8;
constexpr std::uint8_t kCountMax = 0xff;
// A delay shorter than this gives the application no time to answer.
constexpr Tick kDelayMin = base::ticks_in(std::chrono::milliseconds(1));

void count_segment(Tcb& tcb) {
  if (tcb.unacked_segments < kCountMax) ++tcb.unacked_segments;
}

// Half a round trip is as long as it helps to wait, and keeps a peer with a short time-out calm.
Tick delay_of(const Tcb& tcb, const Parameters& p) {
  if (tcb.srtt_us == 0) return p.delayed_ack;
  const Tick half = base::ticks_in(std::chrono::microseconds(tcb.srtt_us / 2));
  return std::min(p.delayed_ack, std::max(half, kDelayMin));
}

// --- selective acknowledgement

std::uint32_t blocks_that_fit(const Tcb& tcb, std::uint32_t text_length) {
  if (!tcb.sack) return 0;
  const std::uint32_t most = tcb.timestamps ? 3 : 4;  // 40 bytes of options
  const std::uint32_t room = tcb.snd_mss > text_length ? tcb.snd_mss - text_length : 0;
  return room < kSackHead ? 0 : std::min(most, (room - kSackHead) / kSackBlock);
}

// The run that is told of first. RFC 2018 section 4: that of the segment which caused the ACK.
QueuedPacket* newest_run(const Tcb& tcb) {
  QueuedPacket* const run = tcb.reassembly.holding(tcb.arrived);
  return run != nullptr ? run : tcb.reassembly.highest();
}

// Then downwards, since text arrives upwards: that is the order of the most recent reports, which
// RFC 2018 asks to have repeated. Behind the lowest comes the highest.
QueuedPacket* next_run(const Tcb& tcb, const QueuedPacket* run) {
  QueuedPacket* const below = tcb.reassembly.starting_at_or_before(run->seq - 1);
  return below != nullptr ? below : tcb.reassembly.highest();
}

void put_block(base::TcpOptions& options, Seq left, Seq right) {
  options.sack[options.sack_count++] = {left, right};
}

// RFC 2883 section 4: the duplicate, then the run that holds it, if one does, which is returned.
const QueuedPacket* add_dsack_block(Tcb& tcb, base::TcpOptions& options) {
  if (tcb.dsack_length == 0) return nullptr;
  put_block(options, tcb.dsack_left, tcb.dsack_left + tcb.dsack_length);
  tcb.dsack_length = 0;
  const QueuedPacket* const around = tcb.reassembly.holding(tcb.dsack_left);
  if (around != nullptr) put_block(options, around->seq, around->run_end);
  return around;
}

// Returns how many of the owed reports this is.
std::uint32_t add_sack_blocks(Tcb& tcb, std::uint32_t text_length, Segment& out) {
  if (tcb.reassembly.is_empty() && tcb.dsack_length == 0) return 0;
  const std::uint32_t most = blocks_that_fit(tcb, text_length);
  // Two at least: a D-SACK block may need the next to explain it.
  if (most < 2) return 0;
  base::TcpOptions& options = out.options;
  const QueuedPacket* const around = add_dsack_block(tcb, options);
  if (tcb.reassembly.is_empty()) return 0;
  std::uint32_t runs = around != nullptr ? 1 : 0;
  QueuedPacket* const first = newest_run(tcb);
  QueuedPacket* run = first;
  bool all_told = false;
  while (!all_told && options.sack_count < most) {
    if (run != around) {
      put_block(options, run->seq, run->run_end);
      ++runs;
    }
    run = next_run(tcb, run);
    all_told = run == first;
  }
  // A second ACK of the same burst goes on from here.
  if (tcb.extra_acks > runs) tcb.arrived = run->seq;
  return all_told ? kCountMax : runs;
}

// What is left to be told by further ACKs.
void settle_extra_acks(Tcb& tcb, std::uint32_t text_length, std::uint32_t runs) {
  if (tcb.reassembly.is_empty()) {
    tcb.extra_acks = 0;
  } else if (tcb.sack) {
    tcb.extra_acks =
        static_cast<std::uint8_t>(tcb.extra_acks - std::min<std::uint32_t>(tcb.extra_acks, runs));
  } else if (text_length == 0 || tcb.extra_acks == 1) {
    // A segment with text is no duplicate ACK to the peer (RFC 5681 section 2); one owed may ride.
    tcb.extra_acks = static_cast<std::uint8_t>(tcb.extra_acks - std::min<int>(tcb.extra_acks, 1));
  }
}

// --- congestion marks

// RFC 8257 section 3.2 has an ACK sent wherever marked segments end or begin, so that each says
// whether all it covers was marked. A burst is acknowledged at its end, when the order within it is
// lost; the two sums are not: one ACK tells of the bytes with the old mark, another of those with
// the new. Returns what the second is to cover.
std::uint32_t covered_by_second_ack(const Tcb& tcb, const Segment& out) {
  const std::uint32_t marked = tcb.marked_segments;
  const std::uint32_t all = std::max<std::uint32_t>(tcb.unacked_segments, marked);
  const std::uint32_t second = tcb.ecn_echo ? marked : all - marked;
  if (second == 0 || second == all) return 0;
  const std::uint32_t bytes = out.ack - tcb.last_ack_sent;
  const auto share = static_cast<std::uint32_t>(std::uint64_t{bytes} * second / all);
  // In the window's units: it counts from SEG.ACK, and rounding must not shrink it.
  return share >> tcb.receive_shift << tcb.receive_shift;
}

// Returns whether a second ACK is needed.
bool echo_marks_exactly(Tcb& tcb, Segment& out) {
  const std::uint32_t second = covered_by_second_ack(tcb, out);
  if (second == 0) {
    if (tcb.ecn_echo) out.flags |= base::kEce;
    return false;
  }
  out.ack = out.ack - second;
  // The largest window from a lower SEG.ACK still reaches as far as what was promised with it.
  out.window =
      static_cast<std::uint16_t>(std::min(out.window + (second >> tcb.receive_shift), 0xffffU));
  if (!tcb.ecn_echo) out.flags |= base::kEce;
  return true;
}

bool add_ecn_flags(Tcb& tcb, std::uint32_t text_length, Segment& out) {
  if (!tcb.ecn) return false;
  // RFC 3168 section 6.1.2: on the first new data.
  if (tcb.cwr_pending && text_length > 0 && out.seq.is_at_or_after(tcb.snd_max)) {
    out.flags |= base::kCwr;
    tcb.cwr_pending = false;
  }
  if (tcb.congestion == CongestionControl::dctcp) return echo_marks_exactly(tcb, out);
  if (tcb.ecn_echo) out.flags |= base::kEce;
  return false;
}

}  // namespace

void owe_acknowledgement(Tcb& tcb, std::uint32_t text_length, const Context& context) {
  const Parameters& p = context.parameters;
  count_segment(tcb);
  // RFC 5681 section 4.2: at least every second full-sized segment. Of any size here: so the
  // peer's own idea of full does not matter. What is longer than one that we let the peer send was
  // several, which the port has merged.
  const bool is_merged = text_length > p.receive_mss(tcb.key.local.is_v4());
  if (p.delayed_ack == 0 || p.textbook || tcb.quick_acks > 0 || tcb.unacked_segments >= 2 ||
      is_merged) {
    tcb.ack_pending = true;
    return;
  }
  if (tcb.ack_at == base::kNoTick) {
    tcb.ack_at = base::tick_from_raw(std::int64_t{context.tick} + delay_of(tcb, p));
  }
}

void owe_report(Tcb& tcb, Seq seq) {
  count_segment(tcb);
  tcb.ack_pending = true;
  const QueuedPacket* const run = tcb.reassembly.holding(seq);
  const bool is_same_run = run != nullptr && run == tcb.reassembly.holding(tcb.arrived);
  if (tcb.sack && is_same_run && tcb.extra_acks > 0) return;
  if (tcb.extra_acks < kCountMax) ++tcb.extra_acks;
  tcb.arrived = seq;
}

void note_duplicate(Tcb& tcb, Seq left, Seq right) {
  if (!tcb.sack || !right.is_after(left)) return;
  const Seq noted_right = tcb.dsack_left + tcb.dsack_length;
  if (tcb.dsack_length == 0) {
    tcb.dsack_left = left;
  } else if (left.is_before(tcb.dsack_left) || left.is_after(noted_right) ||
             right.is_at_or_before(noted_right)) {
    return;
  }
  tcb.dsack_length = static_cast<std::uint16_t>(std::min(right - tcb.dsack_left, 0xffffU));
}

void note_old_text(Tcb& tcb, const Segment& seg) {
  if (seg.payload.empty() || seg.has(base::kRst) || !seg.seq.is_before(tcb.rcv_nxt)) return;
  const Seq end = seg.seq + static_cast<std::uint32_t>(seg.payload.size());
  note_duplicate(tcb, seg.seq, end.is_before(tcb.rcv_nxt) ? end : tcb.rcv_nxt);
}

void complete_acknowledgement(Tcb& tcb, std::uint32_t text_length, Segment& out) {
  const bool second_for_marks = add_ecn_flags(tcb, text_length, out);
  const std::uint32_t runs = add_sack_blocks(tcb, text_length, out);
  if (tcb.quick_acks > 0 && out.ack.is_after(tcb.last_ack_sent)) --tcb.quick_acks;
  tcb.last_ack_sent = out.ack;
  tcb.ack_at = base::kNoTick;
  // All that is left is of one kind.
  tcb.unacked_segments = second_for_marks ? 1 : 0;
  tcb.marked_segments = second_for_marks && tcb.ecn_echo ? 1 : 0;
  settle_extra_acks(tcb, text_length, runs);
  tcb.ack_pending = second_for_marks || tcb.extra_acks > 0 || tcb.dsack_length > 0;
}

void acknowledgement_due(Tcb& tcb, const Context& context) {
  ++context.counters.delayed_acks;
  tcb.ack_at = base::kNoTick;
  tcb.ack_pending = true;
}

void note_congestion_mark(Tcb& tcb, const Segment& seg, const Context& context) {
  if (!tcb.ecn) return;
  const bool is_marked = seg.ecn == base::Ecn::ce && !seg.payload.empty();
  if (is_marked) ++context.counters.congestion_marks;
  if (tcb.congestion == CongestionControl::dctcp) {
    if (seg.payload.empty()) return;
    if (is_marked && tcb.marked_segments < kCountMax) ++tcb.marked_segments;
    if (is_marked == tcb.ecn_echo) return;
    tcb.ecn_echo = is_marked;
    tcb.ack_pending = true;
    return;
  }
  if (seg.has(base::kCwr)) {
    tcb.ecn_echo = false;
    // The peer's window is small now, perhaps a single segment: it should not wait for our timer.
    tcb.quick_acks = std::max<std::uint8_t>(tcb.quick_acks, 2);
  }
  if (is_marked) tcb.ecn_echo = true;
}

}  // namespace handfast::tcp
