// SYN-SENT (RFC 9293 section 3.10.7.3), and what both of its ways out share.

#include "tcp/arriving.hpp"
#include "tcp/handshake_options.hpp"
#include "tcp/receive_window.hpp"
#include "tcp/rtt.hpp"
#include "tcp/scoreboard.hpp"

namespace handfast::tcp {

// True: ESTABLISHED now, and there may be text behind the SYN.
bool Arriving::in_syn_sent() {
  // First: ACK. SND.UNA is ISS here.
  const bool with_ack = seg.has(base::kAck);
  if (with_ack && (!seg.ack.is_after(tcb.snd_una) || seg.ack.is_after(tcb.snd_max))) {
    out.reset = true;
    return false;
  }
  // Second: RST. Without an acceptable ACK it may be anybody's.
  if (seg.has(base::kRst)) {
    if (with_ack) close(CloseReason::refused);
    return false;
  }
  // Fourth: SYN. Fifth: neither SYN nor RST is dropped.
  if (!seg.has(base::kSyn)) return false;
  tcb.rcv_nxt = seg.seq + 1;
  tcb.rcv_adv = tcb.rcv_nxt;
  tcb.last_ack_sent = tcb.rcv_nxt;
  tcb.ts_recent_hour = context.hour;
  apply_offer(tcb, read_offer(seg.options, tcb.key.local.is_v4(), context.parameters), context);
  // What our SYN promised stays promised.
  (void)advertise_syn_window(tcb, context.parameters);
  const bool asked_for_ecn = tcb.ecn;
  tcb.ecn = with_ack ? asked_for_ecn && offers_ecn(seg, true)
                     : context.parameters.ecn != EcnMode::off && offers_ecn(seg, false);
  if (!with_ack) {
    // Simultaneous open: answer <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>. Text is left to be sent again.
    tcb.state = State::syn_received;
    tcb.syn_pending = true;
    return false;
  }
  finish_syn_measurement(tcb, seg, context);
  // With Fast Open it may acknowledge text too. What it does not is sent as if it never had been
  // (RFC 7413 section 4.2.1).
  AckNews news;
  take_cumulative_ack(tcb, seg.ack, 0, news, context);
  out.space_freed = news.space_freed;
  tcb.snd_max = tcb.snd_nxt;
  tcb.stop_timer();
  window_is_unscaled = true;
  enter_established();
  tcb.retransmits = 0;
  tcb.network_error = NetworkError::none;
  tcb.ack_pending = true;
  seg.seq += 1;
  seg.flags &= static_cast<std::uint8_t>(~base::kSyn);
  trim_to_window();
  return true;
}

}  // namespace handfast::tcp
