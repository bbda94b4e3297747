// From records to frames: connections whose turn it is, their segments, and their timers.

#include "tcp/output.hpp"

#include "stack/stack.hpp"
#include "tcp/receive_window.hpp"
#include "tcp/timeouts.hpp"
#include "wire/tcp.hpp"

namespace handfast::stack {

using base::Segment;
using tcp::Tcb;

void Stack::schedule(std::uint32_t index) {
  Tcb& tcb = connections_[index];
  if (tcb.scheduled) return;
  tcb.scheduled = true;
  pending_.push(RecordRef{RecordKind::connection, index});
}

void Stack::schedule_if_needed(std::uint32_t index) {
  Tcb& tcb = connections_[index];
  if (tcp::has_output(tcb) || tcb.aborted || tcb.resume_pending) return schedule(index);
  // An ACK of a part stopped the retransmission timer: what is left in flight needs it again
  // (RFC 6298 section 5.3).
  tcp::finish_output(tcb, context_);
}

// What is not scheduled may wait for a timer that has just been armed.
void Stack::schedule_after_call(std::uint32_t index) {
  schedule_if_needed(index);
  if (!connections_[index].scheduled) update_timer(index);
}

void Stack::schedule_half_open(std::uint32_t index, tcp::HalfOpenAnswer answer) {
  tcp::HalfOpen& half = half_opens_[index];
  const bool stands = half.answer != tcp::HalfOpenAnswer::none;
  // A SYN-ACK that waits to leave acknowledges as well.
  if (!stands || half.answer == tcp::HalfOpenAnswer::acknowledgement) half.answer = answer;
  if (!stands) pending_.push(RecordRef{RecordKind::half_open, index});
}

void Stack::arm(std::uint32_t id, base::Tick deadline) {
  const bool armed =
      wheel_.arm(id, timer_node(id), deadline,
                 [this](std::uint32_t other) -> base::TimerNode& { return timer_node(other); });
  HANDFAST_ASSERT(armed);  // the wheel has room for every record twice
}

// A deadline that has moved back is left to the wheel: it looks again when the old one comes.
void Stack::update_timer(std::uint32_t index) {
  Tcb& tcb = connections_[index];
  const base::Tick deadline = tcp::next_deadline(tcb);
  if (deadline == base::kNoTick) {
    timer::Wheel::cancel(tcb.timer);
  } else {
    arm(index, deadline);
  }
}

void Stack::output(Instant now) {
  const base::StageScope scope(stages_, Stage::emit);
  set_time(now);
  if (!starved_.is_empty()) tell_starved();
  // What a callback adds waits for the next call, or a handler that resumes and takes nothing could
  // hold us here.
  for (std::uint32_t n = pending_.size(); n > 0 && ready_count() < kOutputBurst; --n) {
    const RecordRef ref = pending_.front();
    const bool done = ref.kind() == RecordKind::connection ? output_connection(ref.index())
                                                           : output_half_open(ref.index());
    if (!done) break;
  }
  packets_.flush_freed();
}

// Who holds text that it could not answer hears of room as soon as answers may have packets; who
// only sends, when they are not low. An entry may be an earlier
// connection's in the same record. The present one then hears of room that it may not have: its
// next send() is short again.
void Stack::tell_starved() {
  for (std::uint32_t n = std::min(starved_.size(), kStarvedPerTurn); n > 0; --n) {
    if (!packets_.can_allocate() || !packets_.can_answer()) return;
    const std::uint32_t index = starved_.front();
    starved_.pop();
    Tcb& tcb = connections_[index];
    const bool listens = connections_.is_in_use(index) && tcb.announced && !tcb.aborted;
    if (listens && tcb.writable_wanted && !tcb.stalled && packets_.is_low()) {
      starved_.push(index);
      continue;
    }
    tcb.starved = false;
    if (!listens || !tcb.writable_wanted) continue;
    tcb.writable_wanted = false;
    call_handler(&HandlerTable::on_writable, index);
  }
}

// The record leaves the list first: a callback may put it there again. `scheduled` tells of the
// list and not of the connection, so a record that was freed and taken again meanwhile only has
// nothing to send.
bool Stack::output_connection(std::uint32_t index) {
  Tcb& tcb = connections_[index];
  if (!connections_.is_in_use(index)) {
    tcb.scheduled = false;
    pending_.pop();
    return true;
  }
  if (tcb.resume_pending && !tcb.aborted) {
    tcb.resume_pending = false;
    tcb.stalled = false;
    deliver_queued(index);
    if (tcb.fin_received && !tcb.aborted) tell_peer_finished(index);
    // In SYN-SENT there is nobody yet whom a window could be told.
    const bool has_peer = tcb.state != State::syn_sent;
    if (has_peer && tcp::window_growth(tcb, parameters_) > 0) tcb.ack_pending = true;
  }
  const bool ends = tcb.aborted || (tcb.detached && tcb.receive_queue.is_empty());
  if (!ends && !tcb.detached) {
    tcp::Outgoing next;
    while (ready_count() < kOutputBurst && tcp::has_output(tcb)) {
      // Asked first: what next_segment() plans counts as sent.
      if (!packets_.can_allocate()) {
        // To the end of the line: those behind may give packets back.
        ++counters_.no_packet_buffer;
        pending_.pop();
        pending_.push(RecordRef{RecordKind::connection, index});
        return true;
      }
      if (!tcp::next_segment(tcb, context_, next)) break;
      if (tcb.fast_open && tcb.state == State::syn_sent && tcb.retransmits == 0) {
        tcp::add_fast_open(tcb, cookies_.find(tcb.key.remote), next.segment, context_);
      }
      transmit(tcb, next);
    }
    if (ready_count() >= kOutputBurst && tcp::has_output(tcb)) return false;
    tcp::finish_output(tcb, context_);
    update_timer(index);
  }
  tcb.scheduled = false;
  pending_.pop();
  if (ends) {
    end_aborted(index);
  } else if (tcb.resume_pending) {
    schedule(index);
  }
  return true;
}

// abort() was called, or a finished connection's last data has been taken.
void Stack::end_aborted(std::uint32_t index) {
  Tcb& tcb = connections_[index];
  if (tcb.aborted && !tcb.detached) {
    if (const auto rst = tcp::reset_of_abort(tcb, context_)) {
      emit(tcb.key, *rst, tcb.neighbour, tcb.dscp);
    }
  }
  end(index, tcb.close_reason);
}

bool Stack::output_half_open(std::uint32_t index) {
  tcp::HalfOpen& half = half_opens_[index];
  pending_.pop();
  const tcp::HalfOpenAnswer answer = half.answer;
  half.answer = tcp::HalfOpenAnswer::none;
  if (!half_opens_.is_in_use(index)) return true;
  Segment segment;
  if (answer == tcp::HalfOpenAnswer::acknowledgement) {
    segment = tcp::ack_of(half, context_);
  } else {
    segment = tcp::syn_ack_of(half, context_);
    if (answer == tcp::HalfOpenAnswer::syn_ack_with_cookie) {
      tcp::add_cookie(segment, half.key, place_.isn_key, context_.now);
    }
  }
  // Not sent for want of a buffer or a route: the timer sends it again.
  emit_reply(half.key, segment);
  if (!half.timer.is_armed()) {
    arm(connections_.capacity() + index, tcp::first_half_open_deadline(context_));
  }
  return true;
}

// Asked for the same host many times in a row, by a client for its server as by a server for its
// client, so the last answer is kept; and many hosts, a server's clients for example, have the same
// next hop.
std::optional<net::NeighbourId> Stack::neighbour_towards(const Address& remote) {
  if (is_last_way(remote)) return last_way_.neighbour;
  const auto next_hop = interface_.next_hop(remote);
  if (!next_hop) return std::nullopt;
  if (last_way_.next_hop == *next_hop && last_way_.removals == neighbours_.removals()) {
    last_way_.remote = remote;
    return last_way_.neighbour;
  }
  const auto neighbour = neighbours_.find_or_add(*next_hop, context_.now);
  if (neighbour) last_way_ = {remote, *next_hop, *neighbour, neighbours_.removals()};
  return neighbour;
}

bool Stack::emit_reply(const base::FlowKey& key, const Segment& segment) {
  const auto neighbour = neighbour_towards(key.remote);
  if (!neighbour) {
    ++counters_.no_route;
    return false;
  }
  return emit(key, segment, *neighbour, parameters_.dscp);
}

bool Stack::emit(const base::FlowKey& key, const Segment& segment, net::NeighbourId neighbour,
                 std::uint8_t dscp) {
  const base::StageScope scope(stages_, Stage::emit);
  const wire::LinkHeader* const known = neighbours_.link_header(neighbour, context_.now);
  if (known == nullptr) [[unlikely]]
    return emit_to_unknown(key, segment, neighbour, dscp);
  base::Packet* const place = place_in_ready();  // written where it leaves from
  if (place == nullptr) {
    ++counters_.answers_dropped;
    return false;
  }
  if (!packets_.allocate(*place)) {
    ++counters_.no_packet_buffer;
    return false;
  }
  write_frame(*place, *known, key, segment, dscp);
  ++ready_end_;
  count_sent(segment);
  return true;
}

// Waits until the neighbour's address is known.
bool Stack::emit_to_unknown(const base::FlowKey& key, const Segment& segment,
                            net::NeighbourId neighbour, std::uint8_t dscp) {
  base::Packet packet;
  if (!packets_.allocate(packet)) {
    ++counters_.no_packet_buffer;
    return false;
  }
  write_frame(packet, neighbours_.placeholder_header(neighbour), key, segment, dscp);
  neighbours_.queue(neighbour, packet, context_.now);
  count_sent(segment);
  return true;
}

void Stack::write_frame(base::Packet& packet, const wire::LinkHeader& link,
                        const base::FlowKey& key, const Segment& segment, std::uint8_t dscp) {
  wire::emit_tcp(packet, {.link = link,
                          .ip = ip_fields_of(key, segment, dscp),
                          .ports = {.source = key.local_port, .destination = key.remote_port},
                          .segment = segment,
                          .offload_ip_checksum = interface_.offload_ip_checksum(),
                          .offload_tcp_checksum = interface_.offload_tcp_checksum()});
}

void Stack::count_sent(const Segment& segment) {
  if (segment.has(base::kRst)) {
    ++counters_.rst_sent;
  } else if (segment.has(base::kSyn)) {
    ++(segment.has(base::kAck) ? counters_.syn_ack_sent : counters_.syn_sent);
  } else if (segment.has(base::kFin)) {
    ++counters_.fin_sent;
  } else if (!segment.payload.empty()) {
    ++counters_.data_sent;
  } else {
    ++counters_.ack_sent;
  }
}

}  // namespace handfast::stack
