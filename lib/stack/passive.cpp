// The small records: LISTEN, SYN-RECEIVED of a passive open, TIME-WAIT.

#include "stack/stack.hpp"
#include "tcp/isn.hpp"
#include "tcp/output.hpp"
#include "tcp/reset.hpp"
#include "tcp/syn_cookie.hpp"
#include "tcp/time_wait.hpp"
#include "wire/drop.hpp"

namespace handfast::stack {

using base::Segment;
using tcp::Seq;

void Stack::answer_with_reset(const Arrived& arrived) {
  if (const auto rst = tcp::reset_for(arrived.segment)) emit_reply(arrived.key, *rst);
}

bool Stack::at_listener(Arrived& arrived) {
  const auto listener = listeners_.find(arrived.key.local, arrived.key.local_port);
  if (stopped_ || !listener) {
    wire::count(wire::Drop::no_listener, counters_);
    answer_with_reset(arrived);
    return false;
  }
  switch (tcp::listen_segment_arrives(arrived.segment)) {
    case tcp::ListenVerdict::ignore:
      return false;
    case tcp::ListenVerdict::reset:
      if (may_show_syn_cookie()) return open_by_syn_cookie(arrived, *listener);
      answer_with_reset(arrived);
      return false;
    case tcp::ListenVerdict::open:
      return open_passively(arrived, *listener);
  }
  return false;
}

bool Stack::open_passively(const Arrived& arrived, std::uint32_t listener) {
  // RFC 7413 section 5.1: no Fast Open under a flood; a SYN cookie has no room for text either.
  if (config_.syn_cookies && !has_half_open_for(listener)) {
    answer_with_syn_cookie(arrived);
    return false;
  }
  const Seq iss = tcp::initial_sequence_number(arrived.key, place_.isn_key, context_.now);
  const Segment& syn = arrived.segment;
  auto answer = tcp::HalfOpenAnswer::syn_ack;
  if (tcp::gives_cookies(parameters_.fast_open) && syn.options.has(base::TcpOptions::kFastOpen)) {
    const bool is_good = tcp::has_good_cookie(syn, arrived.key, place_.isn_key, context_.now);
    const bool has_room = fast_opens_ < config_.max_fast_open && !packets_.is_low();
    if (is_good && has_room && !syn.payload.empty()) return open_fast(arrived, listener, iss);
    if (!is_good) answer = tcp::HalfOpenAnswer::syn_ack_with_cookie;
    const bool shows_one = syn.options.cookie_length != 0;
    if (shows_one && (!is_good || !has_room)) ++counters_.fast_open_refused;
  }
  open_half(arrived, listener, iss, answer);
  return false;
}

// RFC 7413 section 4.2.2: the application hears of the connection, and of its text, before the
// handshake is done.
bool Stack::open_fast(const Arrived& arrived, std::uint32_t listener, Seq iss) {
  const Listener& at = listener_handlers_[listener];
  const auto neighbour = neighbour_towards(arrived.key.remote);
  const auto index = neighbour ? take_connection(at.handler, at.events, at.options) : std::nullopt;
  if (!index) {
    ++counters_.connections_refused;
    return false;
  }
  if (!flows_.insert(arrived.hash, RecordRef{RecordKind::connection, *index}.raw())) {
    connections_.free(*index);
    ++counters_.connections_refused;
    return false;
  }
  tcp::Tcb& tcb = connections_[*index];
  const tcp::Arrival arrival =
      tcp::open_with_text(tcb, arrived.key, arrived.segment, iss, context_);
  tcb.neighbour = *neighbour;
  neighbours_.pin(*neighbour);
  ++fast_opens_;
  ++counters_.passive_opens;
  ++counters_.fast_open_accepted;
  tcb.announced = true;
  call_handler(&HandlerTable::on_open, *index);
  bool packet_kept = false;
  tell(*index, arrived, arrival, packet_kept);
  return packet_kept;
}

bool Stack::has_half_open_for(std::uint32_t listener) const {
  return half_opens_.in_use() < half_opens_.capacity() &&
         listener_handlers_[listener].half_open < config_.max_half_open_per_listener;
}

void Stack::open_half(const Arrived& arrived, std::uint32_t listener, Seq iss,
                      tcp::HalfOpenAnswer answer) {
  // When packets run low, what is open needs them more than what is not.
  if (packets_.is_low()) {
    ++counters_.syn_dropped_no_packets;
    return;
  }
  const auto index = has_half_open_for(listener) ? half_opens_.allocate() : std::nullopt;
  if (!index) {
    ++counters_.half_open_refused;
    return;
  }
  if (!flows_.insert(arrived.hash, RecordRef{RecordKind::half_open, *index}.raw())) {
    ++counters_.half_open_refused;
    half_opens_.free(*index);
    return;
  }
  ++listener_handlers_[listener].half_open;
  tcp::open_half(half_opens_[*index], arrived.key, arrived.segment, iss, context_);
  ++counters_.passive_opens;
  schedule_half_open(*index, answer);
}

void Stack::at_half_open(std::uint32_t index, Arrived& arrived) {
  tcp::HalfOpen& half = half_opens_[index];
  switch (tcp::half_open_segment_arrives(half, arrived.segment, context_)) {
    case tcp::HalfOpenVerdict::ignore:
      break;
    case tcp::HalfOpenVerdict::acknowledge:
      // As in challenge(): the peer may find our ACK as unacceptable as we find its own.
      if (challenge_acks_.take(connections_.capacity() + index, half.generation, context_.now)) {
        schedule_half_open(index, tcp::HalfOpenAnswer::acknowledgement);
      } else {
        ++counters_.challenge_acks_limited;
      }
      break;
    case tcp::HalfOpenVerdict::answer_again:
      ++counters_.syn_ack_retransmitted;
      schedule_half_open(index, tcp::HalfOpenAnswer::syn_ack);
      break;
    case tcp::HalfOpenVerdict::reset:
      answer_with_reset(arrived);
      break;
    case tcp::HalfOpenVerdict::back_to_listen:
      drop_half_open(index);
      break;
    case tcp::HalfOpenVerdict::establish:
      return establish(index, arrived);
  }
  packets_.free(arrived.packet);
}

// The third segment has come: only now a full record is spent. None free, or no way there: nothing.
std::optional<std::uint32_t> Stack::promote(const tcp::HalfOpen& half, std::uint32_t listener) {
  const Listener& at = listener_handlers_[listener];
  const auto index = take_connection(at.handler, at.events, at.options);
  const auto neighbour = neighbour_towards(half.key.remote);
  if (!index || !neighbour) {
    ++counters_.connections_refused;
    if (index) connections_.free(*index);
    return std::nullopt;
  }
  tcp::Tcb& tcb = connections_[*index];
  tcp::promote(tcb, half, context_);
  tcb.neighbour = *neighbour;
  neighbours_.pin(*neighbour);
  return index;
}

void Stack::establish(std::uint32_t half_index, Arrived& arrived) {
  const auto listener = listeners_.find(arrived.key.local, arrived.key.local_port);
  if (!listener) {
    drop_half_open(half_index);
    answer_with_reset(arrived);
    packets_.free(arrived.packet);
    return;
  }
  const auto index = promote(half_opens_[half_index], *listener);
  if (!index) {
    // The record stays half-open: the peer's next segment tries again.
    packets_.free(arrived.packet);
    return;
  }
  flows_.replace(arrived.hash, RecordRef{RecordKind::half_open, half_index}.raw(),
                 RecordRef{RecordKind::connection, *index}.raw());
  --listener_handlers_[*listener].half_open;
  timer::Wheel::cancel(half_opens_[half_index].timer);
  half_opens_.free(half_index);
  at_connection(*index, arrived);
}

// --- past the bound of half-open records: SYN cookies

void Stack::answer_with_syn_cookie(const Arrived& arrived) {
  if (packets_.is_low()) {
    ++counters_.syn_dropped_no_packets;
    return;
  }
  if (!emit_reply(arrived.key, tcp::syn_ack_with_syn_cookie(arrived.key, arrived.segment,
                                                            syn_cookie_key_, context_))) {
    return;
  }
  ++counters_.syn_cookies_sent;
  last_syn_cookie_ = context_.now;
}

// A stray ACK is looked at for a cookie only while one of ours may be good still.
bool Stack::may_show_syn_cookie() const {
  return last_syn_cookie_ && context_.now - *last_syn_cookie_ < tcp::kSynCookieLifetimeMax;
}

// Returns whether the packet was kept, or freed.
bool Stack::open_by_syn_cookie(Arrived& arrived, std::uint32_t listener) {
  const auto half =
      tcp::half_open_of_syn_cookie(arrived.key, arrived.segment, syn_cookie_key_, context_);
  if (!half) {
    ++counters_.syn_cookies_failed;
    answer_with_reset(arrived);
    return false;
  }
  // Without a record the peer's next segment tries again.
  const auto index = promote(*half, listener);
  if (!index) return false;
  if (!flows_.insert(arrived.hash, RecordRef{RecordKind::connection, *index}.raw())) {
    ++counters_.connections_refused;
    release_connection(*index);
    return false;
  }
  ++counters_.syn_cookies_received;
  ++counters_.passive_opens;
  at_connection(*index, arrived);
  return true;
}

void Stack::drop_half_open(std::uint32_t index) {
  tcp::HalfOpen& half = half_opens_[index];
  const auto listener = listeners_.find(half.key.local, half.key.local_port);
  if (listener) --listener_handlers_[*listener].half_open;
  flows_.erase(hash_of(half.key), RecordRef{RecordKind::half_open, index}.raw());
  timer::Wheel::cancel(half.timer);
  half_opens_.free(index);
}

// Which listener a record belongs to is not kept in it: it is asked for when that ends. So when the
// answers change, all are counted anew.
void Stack::count_half_opens() {
  for (std::uint32_t i = 0; i < config_.max_listeners; ++i) listener_handlers_[i].half_open = 0;
  for (std::uint32_t i = 0; i < half_opens_.touched(); ++i) {
    if (!half_opens_.is_in_use(i)) continue;
    const base::FlowKey& key = half_opens_[i].key;
    const auto listener = listeners_.find(key.local, key.local_port);
    if (listener) ++listener_handlers_[*listener].half_open;
  }
}

void Stack::half_open_timer(std::uint32_t index) {
  if (!half_opens_.is_in_use(index)) return;
  tcp::HalfOpen& half = half_opens_[index];
  const auto next = tcp::half_open_timed_out(half, context_);
  if (!next) {
    ++counters_.half_open_expired;
    drop_half_open(index);
    return;
  }
  ++counters_.retransmission_timeouts;
  ++counters_.syn_ack_retransmitted;
  arm(connections_.capacity() + index, *next);
  schedule_half_open(index, tcp::HalfOpenAnswer::syn_ack);
}

// The record is small and says all that can still be asked. The Tcb is the caller's to release.
void Stack::enter_time_wait(std::uint32_t index, std::uint64_t hash) {
  const tcp::Tcb& tcb = connections_[index];
  const tcp::TimeWait state{.snd_nxt = tcb.snd_max,
                            .rcv_nxt = tcb.rcv_nxt,
                            .ts_recent = tcb.ts_recent,
                            .timestamps = tcb.timestamps};
  const std::uint32_t deadline_ms = now_ms() + time_wait_ms_;
  const auto cut_short = [this](std::uint32_t oldest, std::uint64_t hash_of_oldest) {
    ++counters_.time_wait_cut_short;
    flows_.erase(hash_of_oldest, RecordRef{RecordKind::time_wait, oldest}.raw());
  };
  auto place = time_waits_.push(tcb.key, state, deadline_ms);
  while (!place && time_waits_.drop_oldest(!tcb.key.remote.is_v4(), cut_short)) {
    place = time_waits_.push(tcb.key, state, deadline_ms);
  }
  const std::uint32_t from = RecordRef{RecordKind::connection, index}.raw();
  ++counters_.time_wait_entered;
  if (place) {
    flows_.replace(hash, from, RecordRef{RecordKind::time_wait, *place}.raw());
  } else {  // max_time_wait is 0
    ++counters_.time_wait_cut_short;
    flows_.erase(hash, from);
  }
}

void Stack::at_time_wait(std::uint32_t index, Arrived& arrived) {
  const tcp::TimeWait state = time_waits_.state(index);
  switch (tcp::time_wait_segment_arrives(state, arrived.segment, parameters_)) {
    case tcp::TimeWaitVerdict::ignore:
      break;
    case tcp::TimeWaitVerdict::acknowledge_and_restart:
      ++counters_.time_wait_restarted;
      time_waits_.restart(index, now_ms() + time_wait_ms_);
      [[fallthrough]];
    case tcp::TimeWaitVerdict::acknowledge:
      ++counters_.time_wait_answered;
      emit_reply(arrived.key, tcp::ack_of(state, context_));
      break;
    case tcp::TimeWaitVerdict::reopen: {
      const auto listener = listeners_.find(arrived.key.local, arrived.key.local_port);
      if (!listener) {
        // Nobody would take it: the record is worth more than a RST.
        ++counters_.time_wait_answered;
        emit_reply(arrived.key, tcp::ack_of(state, context_));
        break;
      }
      // A SYN cookie would not do: its ISS comes as it comes, and the third segment would meet this
      // record. It stays, and the peer asks again.
      if (!has_half_open_for(*listener) || packets_.is_low()) {
        ++counters_.half_open_refused;
        break;
      }
      ++counters_.time_wait_reused;
      flows_.erase(arrived.hash, RecordRef{RecordKind::time_wait, index}.raw());
      time_waits_.erase(index);
      // RFC 9293 section 3.6.1: an ISS beyond every number of the old connection.
      Seq iss = tcp::initial_sequence_number(arrived.key, place_.isn_key, context_.now);
      constexpr std::uint32_t kBeyond = 1 << 17;
      if (!iss.is_after(state.snd_nxt)) iss = state.snd_nxt + kBeyond;
      open_half(arrived, *listener, iss, tcp::HalfOpenAnswer::syn_ack);
      break;
    }
  }
  packets_.free(arrived.packet);
}

}  // namespace handfast::stack
