#include "tcp/urgent.hpp"

#include <algorithm>

#include "tcp/transfer.hpp"
#include "tcp/transfer_pool.hpp"

namespace handfast::tcp {

bool mark_urgent(Tcb& tcb, Context& context) {
  Transfer* const transfer = take_transfer(tcb, context);
  if (transfer == nullptr) return false;
  transfer->snd_up = tcb.snd_end;
  transfer->sends_urgent = true;
  return true;
}

void add_urgent_pointer(const Tcb& tcb, base::Segment& out) {
  Transfer* const transfer = tcb.transfer;
  if (transfer == nullptr || !transfer->sends_urgent) return;
  // Numbers wrap: an old mark must not come round again.
  if (transfer->snd_up.is_at_or_before(tcb.snd_una)) {
    transfer->sends_urgent = false;
    return;
  }
  if (!transfer->snd_up.is_after(out.seq)) return;
  out.flags |= base::kUrg;
  // A mark further ahead than the field reaches: as far as it does, and later segments go on.
  out.urgent = static_cast<std::uint16_t>(std::min(transfer->snd_up - out.seq, 0xffffU));
}

std::uint32_t note_urgent(Tcb& tcb, const base::Segment& seg, Context& context) {
  if (!seg.has(base::kUrg)) return 0;
  if (tcb.state != State::established && tcb.state != State::fin_wait_1 &&
      tcb.state != State::fin_wait_2) {
    return 0;
  }
  const Seq mark = seg.seq + seg.urgent;
  const Seq taken = tcb.rcv_nxt - tcb.receive_held;
  if (!mark.is_after(taken)) return 0;
  const std::uint32_t known = urgent_bytes(tcb);
  if (known > 0 && mark - taken <= known) return 0;
  Transfer* const transfer = take_transfer(tcb, context);
  if (transfer == nullptr) return 0;
  transfer->rcv_up = mark;
  tcb.urgent_ahead = true;
  return mark - taken;
}

std::uint32_t urgent_bytes(const Tcb& tcb) {
  if (!tcb.urgent_ahead || tcb.transfer == nullptr) return 0;
  const Seq taken = tcb.rcv_nxt - tcb.receive_held;
  return tcb.transfer->rcv_up.is_after(taken) ? tcb.transfer->rcv_up - taken : 0;
}

void pass_urgent_mark(Tcb& tcb) {
  if (urgent_bytes(tcb) == 0) tcb.urgent_ahead = false;
}

}  // namespace handfast::tcp
