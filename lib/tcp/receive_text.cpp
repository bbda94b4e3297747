// The seventh and eighth steps of SEGMENT ARRIVES: segment text and FIN, in order or kept until
// the gap before them closes (SHLD-31).

#include <algorithm>
#include <cstring>

#include "tcp/acknowledge.hpp"
#include "tcp/arriving.hpp"
#include "tcp/receive_window.hpp"
#include "tcp/urgent.hpp"

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

// Copies a small piece behind the text of `last` when that has room, so that many small segments do
// not hold many buffers: each is a quarter full at least, about. `data_room` counts from a fresh
// packet's data.
bool append_to(QueuedPacket* last, std::span<const std::byte> text, std::size_t data_room) {
  const std::byte* const end = last->packet.data + data_room;
  std::byte* const at = last->text + last->length;
  if (text.empty()) return true;
  if (text.size() > data_room / 4 || at > end) return false;
  if (static_cast<std::size_t>(end - at) < text.size()) return false;
  std::memcpy(at, text.data(), text.size());
  last->length += static_cast<std::uint32_t>(text.size());
  return true;
}

// Keeps what of one segment has not arrived before. What came first wins: a later copy fills gaps
// only. Each step of keep() uses up a run or ends, so all of it costs O(log r) for each run that a
// segment closes the gap to.
class Keeper {
 public:
  // `is_taken`: the packet is in use already, what is kept must be copied out of it.
  Keeper(Tcb& tcb, const base::Packet& packet, bool is_taken, Context& context)
      : tcb_(tcb), packet_(packet), is_taken_(is_taken), context_(context) {}

  // Returns whether there was anything new.
  bool keep(Seq seq, std::span<const std::byte> text, bool fin);
  bool has_stored() const { return has_stored_; }
  bool packet_kept() const { return packet_kept_; }

 private:
  bool store(Seq at, std::span<const std::byte> piece, bool fin, QueuedPacket* before,
             QueuedPacket* behind);
  QueuedPacket* packet_for(Seq at, std::span<const std::byte> piece, bool fin);
  void close_gap(QueuedPacket* run, QueuedPacket* behind);

  Tcb& tcb_;
  const base::Packet& packet_;
  bool is_taken_;
  bool packet_kept_ = false;
  bool has_stored_ = false;
  Context& context_;
};

bool Keeper::keep(Seq seq, std::span<const std::byte> text, bool fin) {
  const Seq end = seq + static_cast<std::uint32_t>(text.size());
  bool has_news = false;
  Seq at = seq;
  while (true) {
    QueuedPacket* const before = tcb_.reassembly.starting_at_or_before(at);
    if (before != nullptr && before->run_end.is_after(at)) {
      note_duplicate(tcb_, at, before->run_end.is_before(end) ? before->run_end : end);
      at = before->run_end;
    }
    if (!at.is_before(end) && !(fin && at == end)) return has_news;
    QueuedPacket* const behind = tcb_.reassembly.starting_after(at);
    const bool is_cut = behind != nullptr && behind->seq.is_at_or_before(end);
    const Seq stop = is_cut ? behind->seq : end;
    const std::span<const std::byte> piece = text.subspan(at - seq, stop - at);
    const bool with_fin = fin && !is_cut;  // text where the FIN would be came first
    if (piece.empty() && !with_fin) return has_news;
    has_news = true;
    if (!store(at, piece, with_fin, before, behind) || stop == end) return true;
    at = stop;
  }
}

bool Keeper::store(Seq at, std::span<const std::byte> piece, bool fin, QueuedPacket* before,
                   QueuedPacket* behind) {
  const bool joins = before != nullptr && before->run_end == at;
  if (joins && before->run_last->fin) return false;  // nothing can follow a FIN
  QueuedPacket* run = before;
  if (joins && append_to(before->run_last, piece, context_.packets.data_room())) {
    before->run_last->fin = fin;
    before->run_end = before->run_last->end() + (fin ? 1 : 0);
  } else {
    QueuedPacket* const packet = packet_for(at, piece, fin);
    if (packet == nullptr) {
      ++context_.counters.out_of_order_dropped;
      return false;
    }
    ++tcb_.reassembly_count;
    if (joins) {
      tcb_.reassembly.append(before, packet);
    } else {
      tcb_.reassembly.insert(packet);
      run = packet;
    }
  }
  has_stored_ = true;
  if (behind != nullptr && behind->seq == run->run_end && !fin) close_gap(run, behind);
  return true;
}

// The segment's own packet the first time; then, or if it is in use, a copy. Null: a bound was
// reached.
QueuedPacket* Keeper::packet_for(Seq at, std::span<const std::byte> piece, bool fin) {
  if (tcb_.reassembly_count >= reassembly_packets_max(context_.parameters)) return nullptr;
  if (!is_taken_) {
    if (!context_.packets.can_keep()) return nullptr;
    is_taken_ = packet_kept_ = true;
    return queue_view(packet_, piece, at, fin);
  }
  base::Packet copy;
  if (piece.size() > context_.packets.data_room()) return nullptr;
  if (!context_.packets.allocate_to_keep(copy)) return nullptr;
  std::ranges::copy(piece, copy.data);
  copy.length = static_cast<std::uint32_t>(piece.size());
  return make_queued(copy, copy.data, copy.length, at, fin);
}

void Keeper::close_gap(QueuedPacket* run, QueuedPacket* behind) {
  if (behind->length > 0) return tcb_.reassembly.join(run, behind);
  // A FIN that came alone needs no packet any more.
  tcb_.reassembly.remove(behind);
  context_.packets.free(behind->packet);
  --tcb_.reassembly_count;
  run->run_last->fin = true;
  run->run_end += 1;
}

}  // namespace

void Arriving::take_text() {
  if (!takes_text(tcb.state)) {
    // After the peer's FIN there is no text; "ignore the segment text".
    return;
  }
  if (seg.payload.empty() && !seg.has(base::kFin)) return;
  if (seg.seq != tcb.rcv_nxt) return keep_out_of_order();
  const bool has_gap = !tcb.reassembly.is_empty();
  if (has_gap) trim_to_reassembly();
  if (seg.payload.empty()) return;
  const auto length = static_cast<std::uint32_t>(seg.payload.size());
  tcb.rcv_nxt += length;
  context.counters.payload_bytes_received += length;
  if (tcb.receive_queue.is_empty()) {
    out.text = seg.payload;
  } else {
    queue_text();
  }
  seg.seq = tcb.rcv_nxt;
  if (has_gap) {
    drain_reassembly();
    tcb.ack_pending = true;  // RFC 5681 section 4.2: a gap closes, in part at least
  } else {
    owe_acknowledgement(tcb, length, context);
  }
  grow_capacity(tcb, context);
  if (tcb.urgent_ahead) [[unlikely]]
    pass_urgent_mark(tcb);
}

// Leaves of a segment in order what lies before the first run; what lies behind that is kept like
// any other text beyond a gap, and so is the FIN.
void Arriving::trim_to_reassembly() {
  const QueuedPacket* const first = tcb.reassembly.lowest();
  const std::uint32_t gap = first->seq - seg.seq;
  if (seg.len() <= gap) return;
  Keeper keeper{tcb, packet, true, context};
  keeper.keep(first->seq, seg.payload.subspan(gap), seg.has(base::kFin));
  seg.payload = seg.payload.first(gap);
  seg.flags &= static_cast<std::uint8_t>(~base::kFin);
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

void make_room_for(const base::Segment& seg, Tcb& tcb, Context& context) {
  const auto length = static_cast<std::uint32_t>(seg.payload.size());
  if (tcb.reassembly.is_empty() || !tcb.rcv_nxt.is_within(seg.seq, length)) return;
  context.counters.out_of_order_given_up += tcb.reassembly_count;
  tcb.reassembly.clear(context.packets);
  tcb.reassembly_count = 0;
}

void Arriving::keep_out_of_order() {
  Keeper keeper{tcb, packet, false, context};
  if (!keeper.keep(seg.seq, seg.payload, seg.has(base::kFin))) {
    ++context.counters.duplicate_segments;
  } else if (keeper.has_stored()) {
    ++context.counters.out_of_order_kept;
  }
  out.packet_kept = keeper.packet_kept();
  owe_report(tcb, seg.seq);
}

// Moves what has become contiguous to receive_queue: one run, since there are gaps between them.
void Arriving::drain_reassembly() {
  QueuedPacket* const run = tcb.reassembly.lowest();
  if (run == nullptr || run->seq != tcb.rcv_nxt) return;
  const bool finishes = run->run_last->fin;
  const std::uint32_t length = (run->run_end - run->seq) - (finishes ? 1 : 0);
  tcb.reassembly.remove(run);
  tcb.reassembly_count = static_cast<std::uint16_t>(tcb.reassembly_count - run->run_packets);
  if (length == 0) {
    context.packets.free(run->packet);
  } else {
    tcb.rcv_nxt += length;
    tcb.receive_held += length;
    context.counters.payload_bytes_received += length;
    tcb.receive_queue.push_back_linked(run, run->run_last);
    out.text_queued = true;
  }
  seg.seq = tcb.rcv_nxt;
  if (finishes) peer_finished();
}

}  // namespace handfast::tcp
