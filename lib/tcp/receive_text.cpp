// The seventh and eighth steps of SEGMENT ARRIVES: segment text and FIN, in order or kept until
// the gap before them closes (SHLD-31).

#include <cstring>

#include "tcp/arriving.hpp"

namespace handfast::tcp {

namespace {

bool takes_text(State state) {
  return state == State::established || state == State::fin_wait_1 || state == State::fin_wait_2;
}

// The queue's packets are const views elsewhere; their buffers are ours to link.
QueuedPacket* queue_view(const base::Packet& packet, std::span<const std::byte> text, Seq seq,
                         bool fin) {
  std::byte* const first = text.empty() ? packet.data : packet.data + (text.data() - packet.data);
  return make_queued(packet, first, static_cast<std::uint32_t>(text.size()), seq, fin);
}

// Appends to the last packet when it has room, so that many small segments do not hold many
// buffers. `data_room` counts from a fresh packet's data.
bool append_to(QueuedPacket* last, std::span<const std::byte> text, std::size_t data_room) {
  std::byte* const end = last->packet.data + data_room;
  std::byte* const at = last->text + last->length;
  if (static_cast<std::size_t>(end - at) < text.size()) return false;
  std::memcpy(at, text.data(), text.size());
  last->length += static_cast<std::uint32_t>(text.size());
  return true;
}

}  // namespace

void Arriving::take_text() {
  if (!takes_text(tcb.state)) {
    // After the peer's FIN there is no text; "ignore the segment text".
    return;
  }
  if (seg.payload.empty() && !seg.has(base::kFin)) return;
  if (seg.seq != tcb.rcv_nxt) return keep_out_of_order();
  if (seg.payload.empty()) return;
  tcb.rcv_nxt += static_cast<std::uint32_t>(seg.payload.size());
  tcb.ack_pending = true;
  context.counters.payload_bytes_received += seg.payload.size();
  if (tcb.receive_queue.is_empty()) {
    out.text = seg.payload;
  } else {
    queue_text();
  }
  seg.seq = tcb.rcv_nxt;
  if (!tcb.reassembly.is_empty()) drain_reassembly();
}

void Arriving::take_fin() {
  if (!seg.has(base::kFin) || seg.seq != tcb.rcv_nxt || tcb.fin_received) return;
  if (takes_text(tcb.state)) peer_finished();
}

// Eighth step: the states a FIN leads to.
void Arriving::peer_finished() {
  tcb.fin_received = true;
  tcb.rcv_nxt += 1;
  // A FIN right behind a full window is taken, and nothing beyond it.
  tcb.rcv_adv = base::later_of(tcb.rcv_adv, tcb.rcv_nxt);
  tcb.ack_pending = true;
  tcb.reassembly.clear(context.packets);
  tcb.reassembly_count = 0;
  switch (tcb.state) {
    case State::established:
      tcb.state = State::close_wait;
      break;
    case State::fin_wait_1:  // our FIN is not acknowledged, or it were FIN-WAIT-2
      tcb.state = State::closing;
      break;
    case State::fin_wait_2:
      tcb.state = State::time_wait;
      out.time_wait = true;
      break;
    default:
      break;
  }
}

void Arriving::queue_text() {
  const auto length = static_cast<std::uint32_t>(seg.payload.size());
  tcb.receive_held += length;
  out.text_queued = true;
  if (append_to(tcb.receive_queue.back(), seg.payload, context.packets.data_room())) return;
  tcb.receive_queue.push_back(queue_view(packet, seg.payload, seg.seq, false));
  out.packet_kept = true;
}

void hold_text(Tcb& tcb, const base::Packet& packet, std::span<const std::byte> rest) {
  // Numbers in receive_queue no longer matter: it is in order by construction.
  tcb.receive_queue.push_front(queue_view(packet, rest, tcb.rcv_nxt, false));
  tcb.receive_held += static_cast<std::uint32_t>(rest.size());
}

// Sorted by number, without overlap: what came first wins, a later copy fills gaps only.
void Arriving::keep_out_of_order() {
  tcb.ack_pending = true;
  if (tcb.extra_acks < 0xff) ++tcb.extra_acks;  // RFC 5681 section 4.2: one for each
  if (tcb.reassembly_count >= kReassemblyPacketsMax || !context.packets.can_keep()) {
    ++context.counters.out_of_order_dropped;
    return;
  }
  QueuedPacket* before = nullptr;
  QueuedPacket* behind = nullptr;
  QueuedPacket* const last = tcb.reassembly.back();
  if (last != nullptr && last->seq.is_before(seg.seq)) {
    before = last;  // the usual case: beyond everything kept
  } else {
    behind = tcb.reassembly.front();
    while (behind != nullptr && behind->seq.is_before(seg.seq)) {
      before = behind;
      behind = tcb.reassembly.after(behind);
    }
  }
  bool fin = seg.has(base::kFin);
  if (before != nullptr && before->end().is_after(seg.seq)) {
    const std::uint32_t overlap = before->end() - seg.seq;
    if (overlap >= seg.payload.size() && !(fin && !before->fin)) {
      ++context.counters.duplicate_segments;
      return;
    }
    seg.payload = seg.payload.subspan(std::min<std::size_t>(overlap, seg.payload.size()));
    seg.seq = before->end();
  }
  if (before != nullptr && before->fin) return;  // nothing can follow a FIN
  if (behind != nullptr) {
    const std::uint32_t gap = behind->seq - seg.seq;
    if (gap == 0 && (behind->length > 0 || behind->fin)) {
      ++context.counters.duplicate_segments;
      return;
    }
    if (seg.payload.size() >= gap) {
      fin = fin && seg.payload.size() == gap && behind->length == 0;
      seg.payload = seg.payload.first(gap);
    }
  }
  tcb.reassembly.insert_after(before, queue_view(packet, seg.payload, seg.seq, fin));
  ++tcb.reassembly_count;
  ++context.counters.out_of_order_kept;
  out.packet_kept = true;
}

// Moves what has become contiguous to receive_queue.
void Arriving::drain_reassembly() {
  while (QueuedPacket* const first = tcb.reassembly.front()) {
    if (first->seq.is_after(tcb.rcv_nxt)) return;
    const std::uint32_t old = tcb.rcv_nxt - first->seq;
    tcb.reassembly.pop_front();
    --tcb.reassembly_count;
    const bool finishes = first->fin && old <= first->length;  // read before it may be freed
    if (old < first->length) {
      first->text += old;
      first->length -= old;
      tcb.rcv_nxt += first->length;
      tcb.receive_held += first->length;
      context.counters.payload_bytes_received += first->length;
      out.text_queued = true;
      QueuedPacket* const last = tcb.receive_queue.back();
      const std::span<const std::byte> text{first->text, first->length};
      if (last != nullptr && append_to(last, text, context.packets.data_room())) {
        context.packets.free(first->packet);
      } else {
        tcb.receive_queue.push_back(first);
      }
    } else {
      context.packets.free(first->packet);
    }
    seg.seq = tcb.rcv_nxt;
    if (finishes) return peer_finished();
  }
}

}  // namespace handfast::tcp
