#include "tcp/half_open.hpp"

#include "tcp/receive_window.hpp"

namespace handfast::tcp {

using base::Segment;

namespace {

std::uint16_t initial_window(const Context& context) {
  return static_cast<std::uint16_t>(std::min(context.parameters.receive_buffer, 65'535U));
}

constexpr std::uint8_t kRetransmitsMax = 63;  // what the record can count

// RTO of the n-th wait for the third segment, doubled each time (RFC 6298 section 5.5).
std::uint64_t wait_us(unsigned retransmits, const Parameters& p) {
  return std::min<std::uint64_t>(std::uint64_t{p.rto_initial_us} << std::min(retransmits, 30U),
                                 p.rto_max_us);
}

Tick ticks_ahead(std::uint64_t us, const Context& context) {
  return base::tick_at_or_after(context.now + std::chrono::microseconds(us));
}

void add_timestamps(Segment& segment, bool timestamps, std::uint32_t echo, const Context& context) {
  if (!timestamps) return;
  segment.options.present |= base::TcpOptions::kTimestamps;
  segment.options.ts_value = context.timestamp;
  segment.options.ts_echo = echo;
}

// How long ago the SYN-ACK left, by the deadline that was set then: it stands at the tick behind,
// and no round trip is to seem shorter than it was.
std::uint32_t syn_ack_age_us(const HalfOpen& half, const Context& context) {
  constexpr std::int64_t kTickNs = std::int64_t{1} << base::kTickShift;
  const auto ticks_left = static_cast<std::int32_t>(half.timer.deadline - context.tick);
  const std::int64_t left_ns = ticks_left * kTickNs - context.now.ns() % kTickNs;
  const std::int64_t rto_ns = std::int64_t{context.parameters.rto_initial_us} * 1000;
  return static_cast<std::uint32_t>(std::max<std::int64_t>(rto_ns - left_ns + kTickNs, 0) / 1000);
}

}  // namespace

ListenVerdict listen_segment_arrives(const Segment& seg) {
  // First: a RST cannot be valid here.
  if (seg.has(base::kRst)) return ListenVerdict::ignore;
  // Second: any acknowledgement is bad if it arrives on a connection still in LISTEN.
  if (seg.has(base::kAck)) return ListenVerdict::reset;
  // Third: SYN. Fourth: anything else is dropped.
  return seg.has(base::kSyn) ? ListenVerdict::open : ListenVerdict::ignore;
}

void open_half(HalfOpen& half, const base::FlowKey& key, const Segment& syn, Seq iss,
               const Context& context) {
  const PeerOffer offer = read_offer(syn.options, key.local.is_v4(), context.parameters);
  half.key = key;
  half.irs = syn.seq;
  half.iss = iss;
  half.ts_recent = offer.ts_value;
  half.peer_mss = offer.mss;
  half.retransmits = 0;
  half.window_shift = (offer.window_scaling ? offer.window_shift : HalfOpen::kNoScaling) & 0xf;
  half.answered_again = false;
  half.timestamps = offer.timestamps;
  half.sack = offer.sack;
  half.ecn = context.parameters.ecn != EcnMode::off && offers_ecn(syn, false);
}

HalfOpenVerdict half_open_segment_arrives(HalfOpen& half, const Segment& seg,
                                          const Context& context) {
  // The SYN that made this record, again.
  if (seg.has(base::kSyn) && !seg.has(base::kAck) && seg.seq == half.irs) {
    half.answered_again = true;
    return HalfOpenVerdict::answer_again;
  }
  // RFC 7323 section 3.2: once negotiated, a segment without timestamps is not of this connection.
  if (half.timestamps && !seg.options.has(base::TcpOptions::kTimestamps) && !seg.has(base::kRst)) {
    return HalfOpenVerdict::ignore;
  }
  // PAWS (RFC 7323 section 5.3 R1), then the first step: sequence number.
  if (half.timestamps && seg.options.has(base::TcpOptions::kTimestamps) && !seg.has(base::kRst) &&
      static_cast<std::int32_t>(seg.options.ts_value - half.ts_recent) < 0) {
    ++context.counters.paws_rejected;
    return HalfOpenVerdict::acknowledge;
  }
  if (!is_acceptable(seg, half.rcv_nxt(), initial_window(context))) {
    return seg.has(base::kRst) ? HalfOpenVerdict::ignore : HalfOpenVerdict::acknowledge;
  }
  // Second: RST. Only the exact number is believed (RFC 5961 section 3.2).
  if (seg.has(base::kRst)) {
    return seg.seq == half.rcv_nxt() ? HalfOpenVerdict::back_to_listen
                                     : HalfOpenVerdict::acknowledge;
  }
  // Fourth: SYN in the window returns a passive open to LISTEN.
  if (seg.has(base::kSyn)) return HalfOpenVerdict::back_to_listen;
  // Fifth: ACK.
  if (!seg.has(base::kAck)) return HalfOpenVerdict::ignore;
  return seg.ack == half.iss + 1 ? HalfOpenVerdict::establish : HalfOpenVerdict::reset;
}

Segment syn_ack_of(const HalfOpen& half, const Context& context) {
  Segment segment;
  segment.seq = half.iss;
  segment.ack = half.rcv_nxt();
  segment.flags = base::kSyn | base::kAck;
  segment.window = initial_window(context);
  segment.options.present = base::TcpOptions::kMss;
  segment.options.mss = context.parameters.receive_mss(half.key.local.is_v4());
  if (half.sack) segment.options.present |= base::TcpOptions::kSackPermitted;
  if (half.ecn) segment.flags |= base::kEce;
  if (half.window_scaling()) {
    segment.options.present |= base::TcpOptions::kWindowScale;
    segment.options.window_scale = context.parameters.receive_shift;
  }
  add_timestamps(segment, half.timestamps, half.ts_recent, context);
  return segment;
}

Segment ack_of(const HalfOpen& half, const Context& context) {
  Segment segment;
  segment.seq = half.iss + 1;
  segment.ack = half.rcv_nxt();
  segment.flags = base::kAck;
  // Rounded up as in advertise_window(): what the SYN-ACK promised stays promised.
  const unsigned shift = half.window_scaling() ? context.parameters.receive_shift : 0;
  const unsigned unit = 1U << shift;
  segment.window = static_cast<std::uint16_t>((initial_window(context) + unit - 1) >> shift);
  add_timestamps(segment, half.timestamps, half.ts_recent, context);
  return segment;
}

std::optional<Tick> half_open_timed_out(HalfOpen& half, const Context& context) {
  const Parameters& p = context.parameters;
  std::uint64_t waited_us = 0;
  for (unsigned n = 0; n <= half.retransmits; ++n) waited_us += wait_us(n, p);
  if (base::ticks_in(std::chrono::microseconds(waited_us)) >= p.syn_timeout) return std::nullopt;
  // Where RTO's maximum is short against the timeout: once it counts no further, it has been often
  // enough.
  if (half.retransmits == kRetransmitsMax) return std::nullopt;
  ++half.retransmits;
  return ticks_ahead(wait_us(half.retransmits, p), context);
}

Tick first_half_open_deadline(const Context& context) {
  return ticks_ahead(context.parameters.rto_initial_us, context);
}

void promote(Tcb& tcb, const HalfOpen& half, const Context& context) {
  tcb.key = half.key;
  apply_offer(tcb,
              {.mss = half.peer_mss,
               .window_shift = half.window_scaling() ? half.window_shift : std::uint8_t{0},
               .window_scaling = half.window_scaling(),
               .timestamps = half.timestamps,
               .sack = half.sack,
               .ts_value = half.ts_recent},
              context);
  tcb.ecn = half.ecn;
  tcb.state = State::syn_received;
  tcb.passive = true;
  tcb.snd_una = half.iss;
  tcb.snd_nxt = tcb.snd_max = tcb.snd_end = half.iss + 1;
  tcb.rcv_nxt = half.rcv_nxt();
  tcb.rcv_adv = tcb.rcv_nxt + initial_window(context);
  tcb.last_ack_sent = tcb.rcv_nxt;
  tcb.snd_wl1 = half.irs;
  tcb.snd_wl2 = half.iss;
  tcb.rto_us = context.parameters.rto_initial_us;
  if (!tcb.user_timeout_set) tcb.user_timeout = context.parameters.user_timeout;
  tcb.retransmits = half.retransmits;
  // RFC 6298 section 3: Karn's algorithm. A SYN cookie has no deadline.
  if (half.timer.is_armed() && half.retransmits == 0 && !half.answered_again) {
    tcb.timing = true;
    tcb.syn_sent_us = context.now_us - syn_ack_age_us(half, context);
  }
  tcb.waiting_since = context.tick;
}

}  // namespace handfast::tcp
