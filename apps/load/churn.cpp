#include "apps/load/churn.hpp"

#include <utility>

namespace handfast::load {
namespace {

constexpr unsigned kSentShift = 32;
constexpr std::uint64_t kSentMask = 0x7fff'ffff;
constexpr std::uint64_t kReceivedMask = 0xffff'ffff;

std::uint64_t sent_of(std::uint64_t context) {
  return context >> kSentShift & kSentMask;
}
std::uint64_t received_of(std::uint64_t context) {
  return context & kReceivedMask;
}

}  // namespace

Churn::Churn(const ClientPlan& plan) : plan_(plan), opener_(plan_, tally_) {
  if (plan_.textbook || plan_.closing == Closing::rst) {
    opened_now_.reserve(plan_.concurrency);
    opened_before_.reserve(plan_.concurrency);
  }
}

void Churn::on_poll(Worker& worker) {
  const Instant now = worker.now();
  if (!started_) {
    started_ = true;
    opener_.start(now);
    if (plan_.duration) end_ = now + *plan_.duration;
  }
  close_waiting();
  if (end_ && now >= *end_) opener_.stop();
  if (!opener_.is_done()) {
    opener_.poll(worker, *this, in_flight_);
  } else if (phase() != Phase::finished) {
    enter(in_flight_ == 0 ? Phase::finished : Phase::closing);
  }
}

void Churn::close_waiting() {
  for (const Connection connection : opened_before_) finish(connection);
  opened_before_.clear();
  std::swap(opened_before_, opened_now_);
}

void Churn::on_open(Connection connection) {
  const auto meant_for = static_cast<std::int64_t>(connection.context());
  const Duration took = connection.worker().now() - Instant::from_ns(meant_for);
  handshake_.record(static_cast<std::uint64_t>(std::max<std::int64_t>(took.count(), 0)));
  ++tally_.established;
  connection.set_context(kOpened);
  if (plan_.mode == Mode::request) {
    continue_request(connection, kOpened);
  } else if (plan_.textbook || plan_.closing == Closing::rst) {
    opened_now_.push_back(connection);
  } else {
    finish(connection);
  }
}

void Churn::finish(Connection connection) {
  // One that has ended in the meantime had its on_closed.
  if (plan_.closing == Closing::rst) {
    (void)connection.abort();
  } else {
    (void)connection.close();
  }
}

void Churn::continue_request(Connection connection, std::uint64_t context) {
  std::uint64_t sent = sent_of(context);
  while (sent < plan_.request_size) {
    const Bytes piece = payload_.at(sent, plan_.request_size - sent);
    const std::size_t accepted = connection.send(piece).value_or(0);
    sent += accepted;
    tally_.bytes_sent += accepted;
    if (accepted < piece.size()) break;
  }
  connection.set_context(kOpened | sent << kSentShift | received_of(context));
}

std::size_t Churn::on_data(Connection connection, Bytes data) {
  const std::uint64_t context = connection.context();
  const std::uint64_t received = received_of(context) + data.size();
  tally_.bytes_received += data.size();
  if (received > kReceivedMask) {
    (void)connection.abort();  // a foreign server that never ends
    return data.size();
  }
  connection.set_context((context & ~kReceivedMask) | received);
  if (plan_.mode == Mode::request && received >= plan_.response_size &&
      received - data.size() < plan_.response_size) {
    ++tally_.responses;
    finish(connection);
  }
  return data.size();
}

void Churn::on_writable(Connection connection) {
  if (plan_.mode == Mode::request) continue_request(connection, connection.context());
}

bool Churn::was_completed(std::uint64_t context, CloseReason reason) const {
  const CloseReason wanted =
      plan_.closing == Closing::rst ? CloseReason::aborted : CloseReason::finished;
  const bool has_response =
      plan_.mode == Mode::connect || received_of(context) >= plan_.response_size;
  return reason == wanted && has_response;
}

void Churn::on_closed(Connection connection, CloseReason reason) {
  const std::uint64_t context = connection.context();
  --in_flight_;
  if ((context & kOpened) == 0) {
    ++tally_.failed_to_open[place(reason)];
  } else if (was_completed(context, reason)) {
    ++tally_.completed;
  } else {
    ++tally_.failed_when_open[place(reason)];
  }
}

}  // namespace handfast::load
