#include "tests/explore/host.hpp"

#include <algorithm>
#include <cctype>

#include "tcp/icmp_error.hpp"
#include "tcp/output.hpp"
#include "tcp/receive_window.hpp"
#include "tcp/reset.hpp"
#include "tcp/timeouts.hpp"
#include "tcp/transfer_pool.hpp"
#include "tcp/user_calls.hpp"

namespace handfast::explore {

using base::Segment;
using base::Seq;

Seq Rules::iss_of(std::size_t end, unsigned opening) const {
  constexpr std::array<std::uint32_t, 3> kSteps{0, 1, 1000};  // by SecondIss
  const std::uint32_t step = kSteps[static_cast<std::size_t>(scenario->second_iss)];
  return end == 0 ? Seq{100 + step * (opening - 1)} : Seq{300 + 10 * (opening - 1)};
}

std::uint8_t byte_of(std::size_t end, unsigned opening, unsigned index) {
  const int first = end == 0 ? (opening == 1 ? 'a' : 'A') : (opening == 1 ? 'p' : 'P');
  return static_cast<std::uint8_t>(first + static_cast<int>(index));
}

Host::Host(std::size_t end, const Rules& rules) : end_(end), rules_(&rules) {
  HANDFAST_ASSERT(transfers_.reserve(1));
  packets_.emplace(pool_);
  context_.emplace(tcp::Context{.parameters = *rules.parameters,
                                .packets = *packets_,
                                .counters = counters_,
                                .transfers = transfers_,
                                .now = Instant{}});
}

void Host::clear() {
  if (tcb_.transfer != nullptr) tcp::give_transfer_back(tcb_, *context_);
  tcb_.send_queue = {};
  tcb_.receive_queue = {};
  tcb_.reassembly = {};
  packets_.reset();
  pool_.reset();
  packets_.emplace(pool_);
  books_ = {};
}

void Host::begin(Instant now, ShortList<Flight, 32>& out, const Host& peer) {
  context_->set_time(now);
  out_ = &out;
  peer_ = &peer;
  taken_.clear();
}

base::FlowKey Host::key() const {
  const auto address = [](std::size_t end) {
    return Address::v4(0xc612'0001 + static_cast<std::uint32_t>(end));
  };
  return {.local = address(end_), .remote = address(1 - end_), .local_port = 7, .remote_port = 7};
}

Seq Host::draw_iss() {
  if (books_.drawn < 0xff) ++books_.drawn;
  return rules_->iss_of(end_, books_.drawn);
}

// The newest of the peer's that it may be: an overlapping one has the number of an earlier.
unsigned Host::opening_of(Seq irs) const {
  for (unsigned n = peer_->books_.drawn; n > 0; --n) {
    if (rules_->iss_of(1 - end_, n) == irs) return n;
  }
  return 0;
}

void Host::answer_with_reset(const Segment& segment) {
  if (const auto rst = tcp::reset_for(segment)) emit(*rst);
}

State Host::state() const {
  switch (books_.kind) {
    case RecordKind::connection:
      return tcb_.state;
    case RecordKind::half_open:
      return State::syn_received;
    case RecordKind::time_wait:
      return State::time_wait;
    case RecordKind::none:
      break;
  }
  return listens() ? State::listen : State::closed;
}

// --- what arrives: Stack::dispatch and passive.cpp

void Host::arrive(const Flight& flight) {
  base::Packet packet;
  HANDFAST_ASSERT(packets_->allocate(packet));
  constexpr std::size_t kHeaders = 54;
  const Segment segment = segment_of(flight, packet.data + kHeaders);
  packet.length = kHeaders + flight.text_length;
  switch (books_.kind) {
    case RecordKind::none:
      at_listener(segment);
      break;
    case RecordKind::half_open:
      return at_half_open(segment, packet);
    case RecordKind::connection:
      return at_connection(segment, packet);
    case RecordKind::time_wait:
      at_time_wait(segment);
      break;
  }
  packets_->free(packet);
}

void Host::arrive_in_burst(const Flight& flight) {
  burst_goes_on_ = true;
  arrive(flight);
  burst_goes_on_ = false;
}

void Host::at_listener(const Segment& segment) {
  if (!listens()) return answer_with_reset(segment);
  switch (tcp::listen_segment_arrives(segment)) {
    case tcp::ListenVerdict::ignore:
      return;
    case tcp::ListenVerdict::reset:
      return answer_with_reset(segment);
    case tcp::ListenVerdict::open:
      return open_half(segment, draw_iss());
  }
}

void Host::open_half(const Segment& syn, Seq iss) {
  half_ = {};
  tcp::open_half(half_, key(), syn, iss, *context_);
  books_.kind = RecordKind::half_open;
  books_.iss = iss;
  books_.irs = syn.seq;
  emit(tcp::syn_ack_of(half_, *context_));
  half_.timer.deadline = tcp::first_half_open_deadline(*context_);
  if (rules_->without == Without::third_segment) take_third_segment_as_come(syn);
}

// Two segments are enough: the connection is open as soon as it is offered.
void Host::take_third_segment_as_come(const Segment& syn) {
  base::Packet packet;
  HANDFAST_ASSERT(packets_->allocate(packet));
  Segment third;
  third.seq = half_.rcv_nxt();
  third.ack = half_.iss + 1;
  third.flags = base::kAck;
  third.window = syn.window;
  establish(third, packet);
}

void Host::at_half_open(const Segment& segment, const base::Packet& packet) {
  switch (tcp::half_open_segment_arrives(half_, segment, *context_)) {
    case tcp::HalfOpenVerdict::ignore:
      break;
    case tcp::HalfOpenVerdict::acknowledge:
      emit(tcp::ack_of(half_, *context_));
      break;
    case tcp::HalfOpenVerdict::answer_again:
      emit(tcp::syn_ack_of(half_, *context_));
      break;
    case tcp::HalfOpenVerdict::reset:
      answer_with_reset(segment);
      break;
    case tcp::HalfOpenVerdict::back_to_listen:
      drop_record();
      break;
    case tcp::HalfOpenVerdict::establish:
      return establish(segment, packet);
  }
  packets_->free(packet);
}

// Stack::take_connection.
void Host::fresh_connection() {
  // Also what lies between the members, so that equal records have equal bytes.
  std::memset(static_cast<void*>(&tcb_), 0, sizeof tcb_);
  tcp::configure(tcb_, {}, *rules_->parameters);
  books_.kind = RecordKind::connection;
  books_.is_told_of_fin = 0;
}

void Host::establish(const Segment& segment, const base::Packet& packet) {
  fresh_connection();
  tcp::promote(tcb_, half_, *context_);
  at_connection(segment, packet);
}

void Host::at_time_wait(const Segment& segment) {
  constexpr std::uint32_t kBeyond = 1 << 17;
  switch (tcp::time_wait_segment_arrives(time_wait_, segment, *rules_->parameters)) {
    case tcp::TimeWaitVerdict::ignore:
      return;
    case tcp::TimeWaitVerdict::acknowledge_and_restart:
      time_wait_ends_ = context_->tick + 2 * rules_->msl;
      [[fallthrough]];
    case tcp::TimeWaitVerdict::acknowledge:
      return emit(tcp::ack_of(time_wait_, *context_));
    case tcp::TimeWaitVerdict::reopen: {
      if (!listens()) return emit(tcp::ack_of(time_wait_, *context_));
      Seq iss = draw_iss();
      if (!iss.is_after(time_wait_.snd_nxt)) iss = time_wait_.snd_nxt + kBeyond;
      return open_half(segment, iss);
    }
  }
}

// --- a connection: active.cpp

void Host::at_connection(const Segment& segment, const base::Packet& packet) {
  const State before = tcb_.state;
  if (before == State::syn_sent && segment.has(base::kSyn)) books_.irs = segment.seq;
  const tcp::Arrival arrival = tcp::segment_arrives(tcb_, segment, packet, *context_);
  if (arrival.reset) answer_with_reset(segment);
  if (arrival.challenge) tcb_.ack_pending = true;
  if (!tell(arrival, before, packet)) packets_->free(packet);
}

bool Host::tell(const tcp::Arrival& arrival, State before, const base::Packet& packet) {
  bool is_kept = arrival.packet_kept;
  if (arrival.established && tcb_.passive) announce();
  if (!arrival.text.empty() && reads_by_call()) {
    tcb_.stalled = true;
    tcp::hold_text(tcb_, packet, arrival.text);
    is_kept = true;
  } else {
    take(arrival.text);
  }
  if (!reads_by_call()) take_queued();
  hear_of_fin();
  if (arrival.time_wait) {
    if (tcb_.ack_pending) emit(tcp::ack_of(tcb_, *context_));
    enter_time_wait();
  } else if (arrival.closed) {
    end(arrival.reason, before);
  } else if (!burst_goes_on_ || !tcp::has_output(tcb_)) {
    output();
  } else {
    books_.owes_output = 1;
  }
  return is_kept;
}

bool Host::reads_by_call() const {
  return std::ranges::find(script(), Call::read) != script().end();
}

void Host::take_queued() {
  while (!tcb_.receive_queue.is_empty()) {
    const tcp::QueuedPacket* const first = tcb_.receive_queue.pop_front();
    take({first->text, first->length});
    tcb_.receive_held -= first->length;
    packets_->free(first->packet);
  }
}

// After the last of the text: there is nothing more to read.
void Host::hear_of_fin() {
  if (!tcb_.fin_received || !tcb_.receive_queue.is_empty()) return;
  books_.is_told_of_fin = 1;
  if (!is_script_done() && next_call() == Call::read) ++books_.call;
}

// Stack::resume_receive.
void Host::read() {
  tcb_.stalled = false;
  take_queued();
  hear_of_fin();
  if (tcp::window_growth(tcb_, *rules_->parameters) > 0) tcb_.ack_pending = true;
}

// Stack::on_icmp_error. A passive open's record hears nothing of it.
void Host::hear_of_loss(const Flight& flight) {
  if (books_.kind != RecordKind::connection) return;
  const bool is_hard = rules_->scenario->icmp == Icmp::port_unreachable;
  const auto said = is_hard ? NetworkError::not_listening : NetworkError::host_unreachable;
  const State before = tcb_.state;
  if (tcp::icmp_error(tcb_, Seq{flight.seq}, said, is_hard) != tcp::IcmpVerdict::abort) return;
  tcb_.state = State::closed;
  end(CloseReason::unreachable, before);
}

void Host::announce() {
  ++books_.announced;
  books_.opening = static_cast<std::uint8_t>(opening_of(books_.irs));
  books_.call = 0;
  if (books_.opening == 0) found(Fault::disagreement);
}

void Host::take(std::span<const std::byte> text) {
  const std::size_t sender = 1 - end_;
  for (const std::byte byte : text) {
    const unsigned index = books_.received[books_.opening]++;
    const auto value = std::to_integer<std::uint8_t>(byte);
    taken_.push(static_cast<char>(value));
    if (value == byte_of(sender, books_.opening, index)) continue;
    const bool is_of_another =
        std::isalpha(value) != 0 && (value >= 'a') != (byte_of(sender, books_.opening, 0) >= 'a');
    found(is_of_another ? Fault::old_byte : Fault::wrong_byte);
  }
}

void Host::enter_time_wait() {
  time_wait_ = {.snd_nxt = tcb_.snd_max,
                .rcv_nxt = tcb_.rcv_nxt,
                .ts_recent = tcb_.ts_recent,
                .timestamps = tcb_.timestamps};
  end(CloseReason::finished, State::time_wait);
  if (rules_->without == Without::time_wait) return;
  books_.kind = RecordKind::time_wait;
  time_wait_ends_ = context_->tick + 2 * rules_->msl;
}

void Host::end(CloseReason reason, State before) {
  ++books_.closed;
  if (books_.closed > books_.announced) found(Fault::not_closed_once);
  const bool may_be_refused = rules_->scenario->icmp == Icmp::port_unreachable;
  const bool is_refusal =
      may_be_refused && before == State::syn_sent && reason == CloseReason::unreachable;
  if (is_refusal) {
    books_.call = static_cast<std::uint8_t>(script().size());  // it wants no more
  } else if (reason != CloseReason::finished) {
    const bool waited = before == State::last_ack && reason == CloseReason::reset;
    found(waited ? Fault::left_in_last_ack : Fault::ended_badly);
  } else if (books_.received[books_.opening] != peer_->books_.sent[books_.opening]) {
    found(Fault::missing_byte);
  }
  release_connection();
}

void Host::release_connection() {
  tcb_.send_queue.clear(*packets_);
  tcp::give_transfer_back(tcb_, *context_);
  tcb_.receive_queue.clear(*packets_);
  tcb_.reassembly.clear(*packets_);
  drop_record();
}

void Host::drop_record() {
  books_.kind = RecordKind::none;
  books_.iss = books_.irs = Seq{};
  books_.opening = books_.is_told_of_fin = books_.owes_output = 0;
}

void Host::output() {
  books_.owes_output = 0;
  tcp::Outgoing next;
  while (tcp::has_output(tcb_) && tcp::next_segment(tcb_, *context_, next)) emit(next.segment);
  tcp::finish_output(tcb_, *context_);
}

// --- calls and timers

bool Host::may_call() const {
  if (is_script_done()) return false;
  const bool is_open = books_.kind == RecordKind::connection && tcb_.state != State::syn_sent;
  switch (next_call()) {
    case Call::open:
      return books_.kind == RecordKind::none;
    case Call::send:
    case Call::send_three:
    case Call::send_and_close:
    case Call::close:
      return is_open;
    case Call::read:
      return is_open && !tcb_.receive_queue.is_empty();
    case Call::close_after_peer:
      return is_open && books_.is_told_of_fin != 0;
  }
  return false;
}

void Host::open() {
  fresh_connection();
  books_.iss = draw_iss();
  books_.opening = books_.drawn;
  ++books_.announced;
  tcp::open(tcb_, key(), books_.iss, *context_);
  output();
}

void Host::call() {
  const Call what = next_call();
  if (what != Call::read) ++books_.call;
  switch (what) {
    case Call::open:
      return open();
    case Call::read:
      read();
      break;
    case Call::send:
      send(1);
      break;
    case Call::send_three:
      send(3);
      break;
    case Call::send_and_close:
      send(1);
      [[fallthrough]];
    case Call::close:
    case Call::close_after_peer:
      HANDFAST_ASSERT(tcp::close(tcb_));
      break;
  }
  output();
}

void Host::send(unsigned bytes) {
  std::array<std::byte, 3> text;
  for (unsigned i = 0; i < bytes; ++i) {
    text[i] = std::byte{byte_of(end_, books_.opening, books_.sent[books_.opening]++)};
  }
  const auto taken = tcp::send(tcb_, std::span{text}.first(bytes), *context_);
  HANDFAST_ASSERT(taken && *taken == bytes);
}

base::Tick Host::deadline() const {
  switch (books_.kind) {
    case RecordKind::connection:
      return tcp::next_deadline(tcb_);
    case RecordKind::half_open:
      return half_.timer.deadline;
    case RecordKind::time_wait:
      return time_wait_ends_;
    case RecordKind::none:
      break;
  }
  return base::kNoTick;
}

void Host::timer() {
  switch (books_.kind) {
    case RecordKind::connection: {
      const State before = tcb_.state;
      if (tcp::timer_expired(tcb_, *context_).gave_up) return end(CloseReason::timed_out, before);
      return output();
    }
    case RecordKind::half_open: {
      const auto next = tcp::half_open_timed_out(half_, *context_);
      if (!next) return drop_record();
      half_.timer.deadline = *next;
      return emit(tcp::syn_ack_of(half_, *context_));
    }
    case RecordKind::time_wait:
      return drop_record();
    case RecordKind::none:
      return;
  }
}

}  // namespace handfast::explore
