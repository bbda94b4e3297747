// The part of DrivenConnection in which time passes and segments leave, and what is checked then.

#include "base/assert.hpp"
#include "tcp/user_calls.hpp"
#include "tests/fuzz/driven_connection.hpp"
#include "tests/fuzz/state_law.hpp"
#include "tests/fuzz/stream_bytes.hpp"
#include "tests/fuzz/tcb_check.hpp"

namespace handfast::fuzz {

void DrivenConnection::step() {
  switch (input_.below(16)) {
    case 0:
    case 1:
      return wait();
    case 2:
    case 3:
    case 4:
      return call();
    case 5:
      return icmp();
    case 6:
      return hog();
    case 7:
      return close_within(1 + input_.half());
    default: {
      const base::Segment segment = choose_segment();
      const std::array<std::size_t, 5> lengths{0, 0, tcb_.snd_mss, input_.byte(), 1};
      return arrive(segment, input_.pick(lengths));
    }
  }
}

void DrivenConnection::close_within(std::uint32_t ticks) {
  if (!tcp::close(tcb_)) return;
  tcp::limit_close(tcb_, ticks, context_);
  after(true);
}

// To the next deadline, or so far ahead whatever comes due on the way.
void DrivenConnection::wait() {
  const std::uint8_t how = input_.byte();
  if ((how & 1) != 0) {
    const base::Tick deadline = tcp::next_deadline(tcb_);
    if (deadline == base::kNoTick) return;
    const auto ahead = static_cast<std::int32_t>(deadline - context_.tick);
    const std::int64_t at = ((context_.now.ns() >> base::kTickShift) + ahead) << base::kTickShift;
    context_.set_time(std::max(context_.now, Instant::from_ns(at)));
  } else {
    context_.set_time(context_.now + Duration(std::int64_t{1000} << (how >> 3)));
  }
  expire();
}

void DrivenConnection::expire() {
  const tcp::Timeouts timeouts = tcp::timer_expired(tcb_, context_);
  if (timeouts.gave_up) {
    HANDFAST_ASSERT(tcb_.state == State::closed);
    return;
  }
  if (timeouts.linger_over) {
    (void)tcp::reset_of_abort(tcb_, context_);
    tcb_.state = State::closed;
    return;
  }
  after(true);
}

// What the stack does when it has called lib/tcp. Half of the time output waits for more to come.
void DrivenConnection::after(bool may_have_output) {
  check_rest();
  if (is_over()) return;
  if (may_have_output || tcp::has_output(tcb_)) {
    if (input_.byte() % 4 != 3) output();
  } else {
    tcp::finish_output(tcb_, context_);
  }
  check_rest();
}

void DrivenConnection::output() {
  tcp::Outgoing out;
  while (tcp::has_output(tcb_)) {
    if (!cache_->can_allocate()) return;
    if (!tcp::next_segment(tcb_, context_, out)) break;
    check_sent(out);
  }
  tcp::finish_output(tcb_, context_);
  // The pool may have run dry while a segment was cut up.
  if (cache_->can_allocate()) check_deadline(tcb_);
}

void DrivenConnection::see_edge() {
  if (!tcb_.is_synchronized()) return;
  const Seq edge = tcb_.snd_una + tcb_.snd_wnd;
  peer_edge_ = peer_edge_ ? base::later_of(*peer_edge_, edge) : edge;
}

void DrivenConnection::check_sent(const tcp::Outgoing& out) {
  const base::Segment& segment = out.segment;
  const std::uint32_t length =
      std::max<std::uint32_t>(out.length, static_cast<std::uint32_t>(segment.payload.size()));
  HANDFAST_ASSERT(is_right(segment.payload, segment.seq + (segment.has(base::kSyn) ? 1 : 0)));
  const Seq end = segment.seq + length;
  if (length > 0) HANDFAST_ASSERT(end.is_at_or_before(tcb_.snd_max));
  if (peer_edge_ && length > 1) HANDFAST_ASSERT(end.is_at_or_before(*peer_edge_));
  if (out.segment_size == 0) HANDFAST_ASSERT(length <= tcb_.snd_mss);
  if (!segment.has(base::kAck)) return;
  // DCTCP acknowledges what came before a change of marks by itself (RFC 8257 section 3.2).
  HANDFAST_ASSERT(segment.ack == tcb_.rcv_nxt || (tcb_.ecn && segment.ack.is_before(tcb_.rcv_nxt)));
  // That of a SYN is never scaled, and may seem smaller than what was offered since.
  if (segment.has(base::kSyn)) return;
  const Seq edge = segment.ack + (std::uint32_t{segment.window} << tcb_.receive_shift);
  // The highest is kept to; what the scale rounds off may be missing (RFC 7323 section 2.4).
  const std::uint32_t unit = 1U << tcb_.receive_shift;
  if (offered_edge_) HANDFAST_ASSERT((edge + (unit - 1)).is_at_or_after(*offered_edge_));
  offered_edge_ = offered_edge_ ? base::later_of(*offered_edge_, edge) : edge;
}

void DrivenConnection::check_rest() {
  HANDFAST_ASSERT(is_legal_change(last_state_, tcb_.state));
  last_state_ = tcb_.state;
  check_tcb(tcb_);
  if (tcb_.state == State::syn_sent || tcb_.state == State::closed) return;
  const Seq received = taken_ + tcb_.receive_held + (tcb_.fin_received ? 1 : 0);
  HANDFAST_ASSERT(received == tcb_.rcv_nxt);
}

}  // namespace handfast::fuzz
