#include "apps/load/churn.hpp"

#include <algorithm>
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

Churn::Churn(const ClientPlan& plan, Gate& gate)
    : plan_(plan), gate_(gate), opener_(plan_, tally_) {
  if (plan_.held != 0) {
    held_.emplace(plan_, held_tally_);
    enter(Phase::preparing);
  }
  if (plan_.textbook || plan_.closing == Closing::rst) {
    opened_now_.reserve(plan_.concurrency);
    opened_before_.reserve(plan_.concurrency);
  }
}

void Churn::on_poll(Worker& worker) {
  if (phase() == Phase::preparing) {
    prepare(worker);
  } else if (phase() < Phase::parting) {
    work(worker);
  } else if (phase() == Phase::parting) {
    held_->close_some(worker);
    if (held_->is_over()) enter(Phase::finished);
  }
}

void Churn::prepare(Worker& worker) {
  if (!started_) {
    started_ = true;
    held_->start(worker.now());
  }
  if (!held_->is_settled()) return held_->open_more(worker);
  if (!held_->is_complete()) gate_.give_up();
  if (gate_.is_given_up()) return enter(Phase::parting);
  if (!arrived_) gate_.arrive();
  arrived_ = true;
  if (!gate_.is_open()) return;
  started_ = false;
  enter(Phase::opening);
}

void Churn::work(Worker& worker) {
  const Instant now = worker.now();
  if (!started_) {
    started_ = true;
    window_.begin = now;
    opener_.start(now);
    if (plan_.duration) end_ = now + *plan_.duration;
  }
  close_waiting();
  if (end_ && now >= *end_) opener_.stop();
  if (!opener_.is_done()) {
    opener_.poll(worker, *this, in_flight_);
  } else if (in_flight_ != 0) {
    enter(Phase::closing);
  } else {
    window_.end = now;
    enter(held_ ? Phase::parting : Phase::finished);
  }
}

void Churn::on_drain(Worker&) {
  opener_.stop();
  if (phase() != Phase::preparing) return;
  held_->stop_opening();
  gate_.give_up();
}

void Churn::close_waiting() {
  for (const Connection connection : opened_before_) end(connection, plan_.closing);
  opened_before_.clear();
  std::swap(opened_before_, opened_now_);
}

std::uint64_t Churn::bytes_with_syn() const {
  constexpr std::uint64_t kLeastMss = 536;  // RFC 9293 section 3.7.1; options take some of it
  return std::min<std::uint64_t>(plan_.request_size, kLeastMss - 40);
}

// In a buffer, which is taken whole or not at all: there is one bit to remember it by.
void Churn::on_asked(Connection connection) {
  if (!plan_.fast_open) return;
  auto buffer = connection.worker().allocate_buffer();
  if (!buffer) return;
  buffer->resize(bytes_with_syn());
  copy_payload(buffer->bytes());
  if (!connection.send(std::move(*buffer))) return;
  tally_.bytes_sent += bytes_with_syn();
  connection.set_context(connection.context() | kMarked);
}

void Churn::on_open(Connection connection) {
  handshake_.record(ns_since_meant_for(connection));
  ++tally_.established;
  const bool has_begun = (connection.context() & kMarked) != 0;
  const std::uint64_t context = kOpened | (has_begun ? bytes_with_syn() << kSentShift : 0);
  connection.set_context(context);
  if (plan_.mode == Mode::request) {
    continue_request(connection, context);
  } else if (plan_.textbook || plan_.closing == Closing::rst) {
    opened_now_.push_back(connection);
  } else {
    end(connection, plan_.closing);
  }
}

void Churn::continue_request(Connection connection, std::uint64_t context) {
  const std::uint64_t sent = give(connection, sent_of(context), plan_.request_size);
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
    end(connection, plan_.closing);
  }
  return data.size();
}

void Churn::on_writable(Connection connection) {
  if (plan_.mode == Mode::request) continue_request(connection, connection.context());
}

bool Churn::was_completed(std::uint64_t context, CloseReason reason) const {
  const bool has_response =
      plan_.mode == Mode::connect || received_of(context) >= plan_.response_size;
  return reason == own_end_of(plan_.closing) && has_response;
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
