// Full connections: a segment's arrival and the events it causes, opening, closing, timers.

#include "base/bytes.hpp"
#include "stack/stack.hpp"
#include "tcp/handshake_options.hpp"
#include "tcp/isn.hpp"
#include "tcp/output.hpp"
#include "tcp/reset.hpp"
#include "tcp/timeouts.hpp"
#include "tcp/transfer_pool.hpp"
#include "tcp/user_calls.hpp"

namespace handfast::stack {

using base::Segment;
using tcp::Arrival;
using tcp::Tcb;

namespace {

// What tells the sources of a range apart, of either IP version.
std::uint32_t low_word(const Address& address) {
  return base::load_be32(std::as_bytes(std::span{address.bytes()}).data() + 12);
}

}  // namespace

void Stack::at_connection(std::uint32_t index, Arrived& arrived) {
  Tcb& tcb = connections_[index];
  const bool asked_for_cookie = tcb.fast_open && tcb.state == State::syn_sent;
  const bool syn_was_lost = tcb.retransmits > 0;
  const base::Seq before_text = tcb.snd_una + 1;  // in SYN-SENT
  if (!arrived.segment.payload.empty() && packets_.is_scarce()) [[unlikely]]
    meet_scarcity(tcb, arrived.segment);
  const Arrival arrival = tcp::segment_arrives(tcb, arrived.segment, arrived.packet, context_);
  if (asked_for_cookie && arrival.established) {
    learn_cookie(tcb, arrived.segment, syn_was_lost);
    count_taken(tcb.snd_una - before_text);
    tcb.fast_open = false;
  }
  bool packet_kept = arrival.packet_kept;
  if (arrival.reset) answer_with_reset(arrived);
  if (arrival.challenge) challenge(index);
  tell(index, arrived, arrival, packet_kept);
  if (!packet_kept) packets_.free(arrived.packet);
}

// Of the text of a SYN: what the server did not take leaves again as if it never had.
void Stack::count_taken(std::uint32_t text) {
  if (text == 0) return;
  ++counters_.fast_open_taken;
  counters_.payload_bytes_sent += text;
}

// What waits beyond a gap must not keep out for ever what closes the gap. What waits for other
// connections' gaps they give back in turn, when what they miss is sent again.
void Stack::meet_scarcity(Tcb& tcb, Segment& segment) {
  tcp::make_room_for(segment, tcb, context_);
  if (packets_.is_scarce()) refuse_text(segment);
}

// Its handler may not take it, and then it would be kept. It was never here: the peer sends it
// again. What the segment acknowledges gives packets back.
void Stack::refuse_text(Segment& segment) {
  ++counters_.text_refused_no_packets;
  segment.payload = {};
  segment.flags &= static_cast<std::uint8_t>(~(base::kFin | base::kPsh | base::kUrg));
}

// RFC 7413 section 4.1.3: also of what drops a SYN with text, or the option; it is asked anew then.
void Stack::learn_cookie(const Tcb& tcb, const Segment& syn_ack, bool syn_was_lost) {
  const base::TcpOptions& options = syn_ack.options;
  if (options.has(base::TcpOptions::kFastOpen) && options.cookie_length != 0) {
    cookies_.remember(tcb.key.remote, options);
  } else if (syn_was_lost) {
    cookies_.forget(tcb.key.remote);
  }
}

// RFC 5961 section 7: challenge ACKs are limited, or the peer could make us a reflector.
void Stack::challenge(std::uint32_t index) {
  Tcb& tcb = connections_[index];
  if (!challenge_acks_.take(index, tcb.generation, context_.now)) {
    ++counters_.challenge_acks_limited;
    return;
  }
  ++counters_.challenge_acks;
  tcb.ack_pending = true;
}

// The events of one segment, in order; then whatever is to be sent is scheduled. A handler that
// called abort() hears no more but on_closed.
void Stack::tell(std::uint32_t index, const Arrived& arrived, const Arrival& arrival,
                 bool& packet_kept) {
  Tcb& tcb = connections_[index];
  if (arrival.established && path_mtus_.knows_any()) [[unlikely]] {
    const auto* const known = path_mtus_.find(tcb.key.remote, context_.now);
    if (known != nullptr) tcp::start_at(tcb, *known, context_);
  }
  if (arrival.established && !tcb.aborted) {
    ++(tcb.passive ? counters_.established_passive : counters_.established_active);
    if (tcb.fast_open && tcb.passive) {  // told already
      tcb.fast_open = false;
      --fast_opens_;
    } else {
      tcb.announced = true;
      call_handler(&HandlerTable::on_open, index);
    }
  }
  if (arrival.urgent > 0 && !tcb.aborted) [[unlikely]]
    tell_urgent(index, arrival.urgent);
  if (arrival.space_freed && tcb.writable_wanted && !tcb.aborted) {
    tcb.writable_wanted = false;
    call_handler(&HandlerTable::on_writable, index);
  }
  if (!arrival.text.empty() && !tcb.aborted)
    deliver_text(index, arrival, arrived.packet, packet_kept);
  if (arrival.text_queued && !tcb.aborted) deliver_queued(index);
  if (tcb.fin_received && !tcb.aborted) tell_peer_finished(index);
  if (arrival.time_wait) {
    // The last ACK goes now: the record that would send it later is about to become TIME-WAIT.
    if (tcb.ack_pending) {
      emit(tcb.key, tcp::ack_of(tcb, context_), tcb.neighbour, tcb.dscp);
    }
    enter_time_wait(index, arrived.hash);
    tcb.detached = true;
    return finish(index);
  }
  if (arrival.closed) {
    if (arrival.reason != CloseReason::finished) return end(index, arrival.reason);
    leave_flow_table(index, arrived.hash);
    return finish(index);
  }
  schedule_if_needed(index);
  if (!tcb.scheduled) update_timer(index);  // output does it
}

void Stack::deliver_text(std::uint32_t index, const Arrival& arrival, const base::Packet& packet,
                         bool& packet_kept) {
  Tcb& tcb = connections_[index];
  const std::size_t took = tcb.stalled ? 0 : offer(index, packet, arrival.text, false);
  if (took >= arrival.text.size()) {
    packet_kept = packet_kept || delivery_.is_retained;
    return;
  }
  tcb.stalled = true;
  tcp::hold_text(tcb, packet, arrival.text.subspan(took));
  packet_kept = true;
}

// From the receive queue, until it is empty or the handler has enough.
void Stack::deliver_queued(std::uint32_t index) {
  Tcb& tcb = connections_[index];
  while (!tcb.stalled && !tcb.aborted && !tcb.receive_queue.is_empty()) {
    tcp::QueuedPacket* const first = tcb.receive_queue.front();
    const std::size_t took = offer(index, first->packet, {first->text, first->length}, true);
    if (delivery_.is_retained) continue;
    const auto n = static_cast<std::uint32_t>(std::min<std::size_t>(took, first->length));
    tcb.receive_held -= n;
    if (n < first->length) {
      first->text += n;
      first->length -= n;
      tcb.stalled = true;
      return;
    }
    packets_.free(tcb.receive_queue.pop_front()->packet);
  }
}

// on_data, in which retain() may take `packet` away: then all of it counts as taken.
std::size_t Stack::offer(std::uint32_t index, const base::Packet& packet, Bytes text,
                         bool is_queued) {
  delivery_ = {
      .is_running = true, .is_queued = is_queued, .index = index, .packet = packet, .text = text};
  packets_.set_answering(true);
  const std::size_t took = call_handler(&HandlerTable::on_data, index, text);
  packets_.set_answering(false);
  delivery_.is_running = false;
  return delivery_.is_retained ? text.size() : took;
}

void Stack::tell_peer_finished(std::uint32_t index) {
  Tcb& tcb = connections_[index];
  if (tcb.peer_finish_told || !tcb.receive_queue.is_empty()) return;
  tcb.peer_finish_told = true;
  call_handler(&HandlerTable::on_peer_finished, index);
}

void Stack::count_end(CloseReason reason) {
  switch (reason) {
    case CloseReason::finished:
      ++counters_.closed_finished;
      return;
    case CloseReason::reset:
      ++counters_.closed_reset;
      return;
    case CloseReason::refused:
      ++counters_.closed_refused;
      return;
    case CloseReason::timed_out:
      ++counters_.closed_timed_out;
      return;
    case CloseReason::aborted:
    case CloseReason::stopped:
      ++counters_.closed_aborted;
      return;
    case CloseReason::unreachable:
      ++counters_.closed_unreachable;
      return;
  }
}

// Both FINs are done. What the handler has not taken yet is still its own: the record waits outside
// the flow table until resume_receive() has emptied the queue.
void Stack::finish(std::uint32_t index) {
  Tcb& tcb = connections_[index];
  if (tcb.receive_queue.is_empty() || tcb.aborted) return end(index, CloseReason::finished);
  tcb.close_reason = CloseReason::finished;
  if (tcb.resume_pending) schedule(index);
  update_timer(index);
}

void Stack::leave_flow_table(std::uint32_t index, std::uint64_t hash) {
  flows_.erase(hash, RecordRef{RecordKind::connection, index}.raw());
  connections_[index].detached = true;
}

// The last event, then the record is free.
void Stack::end(std::uint32_t index, CloseReason reason) {
  Tcb& tcb = connections_[index];
  if (tcb.aborted) reason = tcb.close_reason;
  count_end(reason);
  if (!tcb.detached) leave_flow_table(index, hash_of(tcb.key));
  tcb.ended = true;
  if (tcb.announced) call_handler(&HandlerTable::on_closed, index, reason);
  release_connection(index);
}

std::optional<std::uint32_t> Stack::take_connection(void* handler, std::uint8_t events,
                                                    const ConnectionOptions& options) {
  const auto index = connections_.allocate();
  if (!index) return std::nullopt;
  Tcb& tcb = connections_[*index];
  // What belongs to the slot and not to one use of it stays.
  const std::uint32_t generation = tcb.generation;
  const base::TimerNode timer = tcb.timer;
  const bool scheduled = tcb.scheduled;
  const bool starved = tcb.starved;
  tcb = Tcb{};
  tcb.generation = generation;
  tcb.timer = timer;
  tcb.scheduled = scheduled;
  tcb.starved = starved;
  tcb.handler = handler;
  tcb.events = events;
  tcp::configure(tcb, options, parameters_);
  return index;
}

void Stack::release_connection(std::uint32_t index) {
  Tcb& tcb = connections_[index];
  if (tcb.fast_open && tcb.passive) --fast_opens_;
  tcb.send_queue.clear(packets_);
  tcp::give_transfer_back(tcb, context_);
  tcb.receive_queue.clear(packets_);
  tcb.reassembly.clear(packets_);
  neighbours_.unpin(tcb.neighbour);
  timer::Wheel::cancel(tcb.timer);
  connections_.free(index);
}

// The text that is yet to be offered has left the count of tcp::urgent_bytes().
void Stack::tell_urgent(std::uint32_t index, std::uint32_t bytes) {
  urgent_told_ = {.index = index, .bytes = bytes};
  call_handler(&HandlerTable::on_urgent, index);
  urgent_told_ = {};
}

void Stack::connection_timer(std::uint32_t index) {
  if (!connections_.is_in_use(index)) return;
  Tcb& tcb = connections_[index];
  const tcp::Timeouts timeouts = tcp::timer_expired(tcb, context_);
  if (timeouts.gave_up) return end(index, CloseReason::timed_out);
  if (timeouts.linger_over && !tcb.aborted) abort(index, CloseReason::timed_out);
  if (timeouts.application && !tcb.aborted) call_handler(&HandlerTable::on_timer, index);
  schedule_if_needed(index);
  update_timer(index);
}

Tcb* Stack::find(std::uint32_t index, std::uint32_t generation) {
  if (!connections_.is_current(index, generation)) return nullptr;
  return &connections_[index];
}

std::expected<Address, Error> Stack::source_of(const Endpoint& remote,
                                               const ConnectOptions& options) const {
  const Address& to = remote.address;
  const bool is_host =
      is_last_way(to) || !(to.is_unspecified() || interface_.is_broadcast(to) || to.is_loopback());
  if (remote.port == 0 || !is_host) return std::unexpected(Error::invalid_address);  // MUST-46
  if (options.source) {
    if (options.source->is_v4() != to.is_v4()) return std::unexpected(Error::invalid_address);
    if (!interface_.is_ours(*options.source) || interface_.is_broadcast(*options.source)) {
      return std::unexpected(Error::not_our_address);
    }
    return *options.source;
  }
  const auto source = interface_.source_for(to);
  if (!source) return std::unexpected(Error::no_route);
  return *source;
}

// Gives `key` a local port that no record of ours has towards `key.remote`, and whose answers reach
// this worker. Returns the key's hash.
std::expected<std::uint64_t, Error> Stack::choose_port(base::FlowKey& key, std::uint16_t wanted) {
  std::uint64_t hash = 0;
  const auto is_usable = [this, &key, &hash](std::uint16_t port) {
    key.local_port = port;
    hash = hash_of(key);
    if (base::owner_of(hash, place_.queues) != place_.queue) return false;
    return find_flow(key, hash).kind() == RecordKind::none;
  };
  if (wanted != 0) {
    if (!is_usable(wanted)) return std::unexpected(Error::address_in_use);
    return hash;
  }
  // Each source of a range has a counter of its own (see PortAllocator::choose).
  const std::uint64_t towards =
      hash_of({.local = {}, .remote = key.remote, .local_port = 0, .remote_port = key.remote_port});
  const auto port = ports_.choose(towards + low_word(key.local), is_usable);
  if (port) {
    // Ports are taken in sequence: the bucket of those to come is fetched while others are opened.
    constexpr std::uint16_t kPortsAhead = 2 * base::kPortsTogether;
    if (*port < key.remote_port || *port % base::kPortsTogether == 0) {
      key.local_port = static_cast<std::uint16_t>(*port + kPortsAhead);
      flows_.prefetch(hash_of(key));
      key.local_port = *port;
    }
    return hash;
  }
  ++counters_.ports_exhausted;
  return std::unexpected(Error::no_free_port);
}

std::expected<Connection, Error> Stack::connect(const Endpoint& remote, void* handler,
                                                const HandlerTable& events,
                                                const ConnectOptions& options) {
  const base::StageScope scope(stages_, Stage::protocol);
  if (stopped_) return std::unexpected(Error::wrong_state);
  if (!options.connection.check()) return std::unexpected(Error::invalid_option);
  const auto source = source_of(remote, options);
  if (!source) return std::unexpected(source.error());
  const auto neighbour = neighbour_towards(remote.address);
  if (!neighbour) {
    ++counters_.no_route;
    return std::unexpected(Error::no_route);
  }
  if (connections_.in_use() == connections_.capacity()) {
    return std::unexpected(Error::no_connection_slot);
  }
  const auto table = event_tables_.number_of(events);
  if (!table) return std::unexpected(Error::too_many_handlers);
  base::FlowKey key{.local = *source, .remote = remote.address, .remote_port = remote.port};
  const auto hash = choose_port(key, options.source_port);
  if (!hash) return std::unexpected(hash.error());

  const std::uint32_t index = *take_connection(handler, *table, options.connection);
  if (!flows_.insert(*hash, RecordRef{RecordKind::connection, index}.raw())) {
    connections_.free(index);
    return std::unexpected(Error::no_connection_slot);
  }
  Tcb& tcb = connections_[index];
  tcp::open(tcb, key, tcp::initial_sequence_number(key, place_.isn_key, context_.now), context_);
  tcb.neighbour = *neighbour;
  neighbours_.pin(*neighbour);
  tcb.context = options.context;
  if (options.fast_open && tcp::asks_cookies(parameters_.fast_open)) {
    tcb.fast_open = true;
    // Packets for the text of the SYN are made before its answer tells how large they may be.
    if (const auto* const known = cookies_.find(key.remote)) {
      tcb.snd_mss = tcp::effective_send_mss(known->mss, parameters_.timestamps, key.local.is_v4(),
                                            parameters_);
    }
  }
  tcb.announced = true;
  ++counters_.active_opens;
  schedule(index);
  return reference(index);
}

}  // namespace handfast::stack
