// What applications call: Worker and Connection, and the stack's side of it.

#include "stack/stack.hpp"
#include "tcp/urgent.hpp"
#include "tcp/user_calls.hpp"

namespace handfast {

using stack::Stack;

// --- Worker

void Worker::stop_listening(const Endpoint& local) {
  stack_->stop_listening(local);
}
Instant Worker::now() const {
  return stack_->now();
}
unsigned Worker::id() const {
  return stack_->id();
}
Counters Worker::counters() const {
  return stack_->counters().snapshot();
}
StageTimes Worker::stage_times() const {
  return stack_->stages().times();
}
StateCounts Worker::state_counts() const {
  return stack_->state_counts();
}
std::uint64_t Worker::open_count() const {
  return stack_->open_count();
}
std::uint64_t Worker::half_open_count() const {
  return stack_->half_open_count();
}
std::uint64_t Worker::time_wait_count() const {
  return stack_->time_wait_count();
}
bool Worker::is_behind() const {
  return stack_->is_behind();
}
Connection Worker::next_connection(const Connection& previous) const {
  return stack_->next_connection(previous);
}
std::span<const Address> Worker::duplicate_addresses() const {
  return stack_->duplicate_addresses();
}
std::uint64_t Worker::connection_table_bytes() const {
  return stack_->connection_table_bytes();
}

std::expected<Buffer, Error> Worker::allocate_buffer() {
  return stack_->allocate_buffer();
}

std::expected<void, Error> Worker::listen(const Endpoint& local, void* handler,
                                          const HandlerTable& table,
                                          const ConnectionOptions& options) {
  return stack_->listen(local, handler, table, options);
}

std::expected<Connection, Error> Worker::connect(const Endpoint& remote, void* handler,
                                                 const HandlerTable& table,
                                                 const ConnectOptions& options) {
  return stack_->connect(remote, handler, table, options);
}

// --- Connection

namespace {

// A record that waits for the end of the burst to send its RST has ended for its handler.
tcp::Tcb* find_open(Stack* stack, std::uint32_t index, std::uint32_t generation) {
  if (stack == nullptr) return nullptr;
  tcp::Tcb* const tcb = stack->find(index, generation);
  return tcb != nullptr && !tcb->aborted && !tcb->ended ? tcb : nullptr;
}

}  // namespace

std::expected<std::size_t, Error> Connection::send(std::span<const std::byte> bytes) {
  if (find_open(stack_, index_, generation_) == nullptr) {
    return std::unexpected(Error::stale_connection);
  }
  return stack_->send(index_, bytes);
}

std::expected<void, Error> Connection::send(Buffer&& buffer) {
  if (find_open(stack_, index_, generation_) == nullptr) {
    return std::unexpected(Error::stale_connection);
  }
  return stack_->send(index_, buffer);
}

std::expected<Buffer, Error> Connection::retain() {
  if (find_open(stack_, index_, generation_) == nullptr) {
    return std::unexpected(Error::stale_connection);
  }
  return stack_->retain(index_);
}

std::expected<std::size_t, Error> Connection::send_urgent(std::span<const std::byte> bytes) {
  if (find_open(stack_, index_, generation_) == nullptr) {
    return std::unexpected(Error::stale_connection);
  }
  return stack_->send_urgent(index_, bytes);
}

std::size_t Connection::urgent_bytes() const {
  const tcp::Tcb* const tcb = find_open(stack_, index_, generation_);
  return tcb == nullptr ? 0 : stack_->urgent_bytes(index_);
}

std::expected<void, Error> Connection::close() {
  if (find_open(stack_, index_, generation_) == nullptr) {
    return std::unexpected(Error::stale_connection);
  }
  stack_->close(index_);
  return {};
}

std::expected<void, Error> Connection::close_within(Duration patience) {
  if (find_open(stack_, index_, generation_) == nullptr) {
    return std::unexpected(Error::stale_connection);
  }
  stack_->close_within(index_, patience);
  return {};
}

std::expected<void, Error> Connection::abort() {
  if (find_open(stack_, index_, generation_) == nullptr) {
    return std::unexpected(Error::stale_connection);
  }
  stack_->abort(index_, CloseReason::aborted);
  return {};
}

std::expected<void, Error> Connection::resume_receive() {
  if (find_open(stack_, index_, generation_) == nullptr) {
    return std::unexpected(Error::stale_connection);
  }
  stack_->resume_receive(index_);
  return {};
}

std::expected<void, Error> Connection::set_timer(Duration after) {
  if (find_open(stack_, index_, generation_) == nullptr) {
    return std::unexpected(Error::stale_connection);
  }
  stack_->set_timer(index_, after);
  return {};
}

std::expected<void, Error> Connection::set_user_timeout(Duration timeout) {
  if (find_open(stack_, index_, generation_) == nullptr) {
    return std::unexpected(Error::stale_connection);
  }
  stack_->set_user_timeout(index_, timeout);
  return {};
}

std::expected<void, Error> Connection::set_nagle(bool on) {
  if (find_open(stack_, index_, generation_) == nullptr) {
    return std::unexpected(Error::stale_connection);
  }
  stack_->set_nagle(index_, on);
  return {};
}

std::expected<void, Error> Connection::set_keep_alive(Duration idle) {
  if (find_open(stack_, index_, generation_) == nullptr) {
    return std::unexpected(Error::stale_connection);
  }
  return stack_->set_keep_alive(index_, idle);
}

std::expected<void, Error> Connection::set_congestion_control(CongestionControl algorithm) {
  if (find_open(stack_, index_, generation_) == nullptr) {
    return std::unexpected(Error::stale_connection);
  }
  return stack_->set_congestion_control(index_, algorithm);
}

std::uint64_t Connection::context() const {
  const tcp::Tcb* const tcb = stack_ == nullptr ? nullptr : stack_->find(index_, generation_);
  return tcb == nullptr ? 0 : tcb->context;
}

void Connection::set_context(std::uint64_t word) {
  tcp::Tcb* const tcb = stack_ == nullptr ? nullptr : stack_->find(index_, generation_);
  if (tcb != nullptr) tcb->context = word;
}

NetworkError Connection::network_error() const {
  const tcp::Tcb* const tcb = stack_ == nullptr ? nullptr : stack_->find(index_, generation_);
  return tcb == nullptr ? NetworkError::none : stack_->network_error_of(*tcb);
}

std::size_t Connection::bytes_queued() const {
  const tcp::Tcb* const tcb = find_open(stack_, index_, generation_);
  if (tcb == nullptr || !tcb->snd_end.is_after(tcb->snd_una)) return 0;
  const bool syn_counted = tcb->state == State::syn_sent || tcb->state == State::syn_received;
  return tcb->snd_end - tcb->snd_una - (syn_counted ? 1U : 0U);
}

bool Connection::is_alive() const {
  return find_open(stack_, index_, generation_) != nullptr;
}

std::expected<ConnectionInfo, Error> Connection::info() const {
  const tcp::Tcb* const tcb = find_open(stack_, index_, generation_);
  if (tcb == nullptr) return std::unexpected(Error::stale_connection);
  return stack_->info_of(*tcb);
}

Worker& Connection::worker() const {
  return stack_->worker();
}

}  // namespace handfast

namespace handfast::stack {

std::expected<std::size_t, Error> Stack::send(std::uint32_t index,
                                              std::span<const std::byte> bytes) {
  const base::StageScope scope(stages_, Stage::protocol);
  tcp::Tcb& tcb = connections_[index];
  const auto accepted = tcp::send(tcb, bytes, context_);
  if (!accepted) return accepted;
  if (*accepted < bytes.size()) want_room(index);
  schedule_after_call(index);
  return accepted;
}

std::expected<std::size_t, Error> Stack::send_urgent(std::uint32_t index,
                                                     std::span<const std::byte> bytes) {
  const auto accepted = send(index, bytes);
  if (accepted && *accepted > 0) tcp::mark_urgent(connections_[index], context_);
  return accepted;
}

std::uint32_t Stack::urgent_bytes(std::uint32_t index) const {
  const bool is_told_now = urgent_told_.bytes > 0 && urgent_told_.index == index;
  return is_told_now ? urgent_told_.bytes : tcp::urgent_bytes(connections_[index]);
}

void Stack::close(std::uint32_t index) {
  const base::StageScope scope(stages_, Stage::protocol);
  // RFC 9293 section 3.10.4, SYN-SENT: delete the TCB.
  if (!tcp::close(connections_[index])) return abort(index, CloseReason::aborted);
  schedule_after_call(index);
}

void Stack::close_within(std::uint32_t index, Duration patience) {
  tcp::Tcb& tcb = connections_[index];
  if (patience <= Duration::zero()) return abort(index, CloseReason::aborted);
  if (!tcp::close(tcb)) return abort(index, CloseReason::aborted);
  tcp::limit_close(tcb, base::ticks_in(std::min(patience, base::kDeadlineMax)), context_);
  schedule_if_needed(index);
  update_timer(index);
}

void Stack::abort(std::uint32_t index, CloseReason reason) {
  tcp::Tcb& tcb = connections_[index];
  tcb.aborted = true;
  tcb.close_reason = reason;
  schedule(index);
}

void Stack::resume_receive(std::uint32_t index) {
  tcp::Tcb& tcb = connections_[index];
  tcb.resume_pending = true;  // inside on_data, it is not known yet whether anything will be left
  schedule(index);
}

void Stack::set_timer(std::uint32_t index, Duration after) {
  tcp::Tcb& tcb = connections_[index];
  tcb.app_timer_at = after == Duration::max()
                         ? base::kNoTick
                         : base::tick_at_or_after(context_.now + std::clamp(after, Duration::zero(),
                                                                            base::kDeadlineMax));
  update_timer(index);
}

void Stack::set_user_timeout(std::uint32_t index, Duration timeout) {
  tcp::Tcb& tcb = connections_[index];
  const Duration kept = std::clamp(timeout, Duration::zero(), base::kDeadlineMax);
  tcp::set_user_timeout(tcb, base::ticks_in(kept));
  update_timer(index);
}

void Stack::set_nagle(std::uint32_t index, bool on) {
  connections_[index].nagle = on;
  schedule_after_call(index);
}

std::expected<void, Error> Stack::set_keep_alive(std::uint32_t index, Duration idle) {
  if (!ConnectionOptions{.keep_alive = idle}.check()) return std::unexpected(Error::invalid_option);
  tcp::set_keep_alive(connections_[index], tcp::keep_alive_seconds(idle), context_);
  schedule_if_needed(index);
  update_timer(index);
  return {};
}

std::expected<void, Error> Stack::set_congestion_control(std::uint32_t index,
                                                         CongestionControl algorithm) {
  if (!tcp::set_congestion_control(connections_[index], algorithm, context_)) {
    return std::unexpected(Error::wrong_state);
  }
  schedule_after_call(index);
  return {};
}

}  // namespace handfast::stack
