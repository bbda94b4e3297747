#include "apps/load/keeper.hpp"

#include <algorithm>

namespace handfast::load {
namespace {

constexpr std::size_t kClosesPerPoll = 64;

}  // namespace

// The list is written once here, so that its pages do not count as the connections' memory.
Keeper::Keeper(const ClientPlan& plan)
    : plan_(plan), opener_(plan_, tally_), held_(static_cast<std::size_t>(plan.connections)) {
  held_.clear();
  if (plan_.mode == Mode::stream) transfers_.reserve(held_.capacity());
}

void Keeper::on_poll(Worker& worker) {
  const Instant now = worker.now();
  if (!started_) {
    started_ = true;
    opener_.start(now);
    if (has_length() && plan_.duration) open_until_ = now + *plan_.duration;
  }
  switch (phase()) {
    case Phase::opening:
      open_more(worker);
      break;
    case Phase::keeping:
      if (!keep_until_) keep_until_ = plan_.duration ? now + *plan_.duration : Instant::never();
      if (now >= *keep_until_ || alive_ == 0) begin_closing();
      break;
    case Phase::closing:
      close_some();
      if (closed_up_to_ == held_.size() && alive_ == 0) enter(Phase::finished);
      break;
    case Phase::finished:
      break;
  }
}

void Keeper::open_more(Worker& worker) {
  if (worker.now() >= open_until_) {  // nobody answers; what is still opening ends with the run
    opener_.stop();
    begin_closing();
  } else if (!opener_.is_done()) {
    opener_.poll(worker, *this, opening_);
  } else if (opening_ == 0) {
    enter(Phase::keeping);
  }
}

void Keeper::on_drain(Worker&) {
  opener_.stop();
  if (phase() == Phase::opening || phase() == Phase::keeping) begin_closing();
}

void Keeper::begin_closing() {
  enter(Phase::closing);
}

void Keeper::close_some() {
  const std::size_t end = std::min(closed_up_to_ + kClosesPerPoll, held_.size());
  for (; closed_up_to_ < end; ++closed_up_to_) {
    Connection connection = held_[closed_up_to_];  // one that has ended says so and is left alone
    if (plan_.closing == Closing::rst || has_length()) {
      (void)connection.abort();
    } else {
      (void)connection.close();
    }
  }
}

void Keeper::on_open(Connection connection) {
  const auto meant_for = static_cast<std::int64_t>(connection.context());
  const Duration took = connection.worker().now() - Instant::from_ns(meant_for);
  handshake_.record(static_cast<std::uint64_t>(std::max<std::int64_t>(took.count(), 0)));
  ++tally_.established;
  --opening_;
  ++alive_;
  connection.set_context(kOpened | held_.size());
  held_.push_back(connection);
  if (plan_.mode == Mode::stream) {
    transfers_.emplace_back(connection.worker().now(), has_length() && receives());
  }
  if (sends()) stream(connection);
}

void Keeper::stream(Connection connection) {
  if (!sends() || phase() >= Phase::closing) return;
  std::uint64_t& sent = transfer_of(connection)->bytes_sent;
  while (sent < plan_.stream_bytes) {
    const Bytes piece = payload_.at(sent, plan_.stream_bytes - sent);
    const std::size_t accepted = connection.send(piece).value_or(0);
    sent += accepted;
    tally_.bytes_sent += accepted;
    if (accepted < piece.size()) return;  // the send buffer is full; on_writable goes on
  }
  (void)connection.close();
}

apps::Transfer* Keeper::transfer_of(Connection connection) {
  const std::uint64_t context = connection.context();
  if ((context & kOpened) == 0 || transfers_.empty()) return nullptr;
  return &transfers_[static_cast<std::size_t>(context & ~kOpened)];
}

std::size_t Keeper::on_data(Connection connection, Bytes data) {
  tally_.bytes_received += data.size();
  if (apps::Transfer* const transfer = transfer_of(connection)) {
    transfer->take(connection.worker().now(), data);
  }
  return data.size();
}

void Keeper::on_peer_finished(Connection connection) {
  if (apps::Transfer* const transfer = transfer_of(connection)) {
    transfer->finish(connection.worker().now());
    if (sends() && has_length() && transfer->bytes_sent < plan_.stream_bytes) return;
  }
  (void)connection.close();
}

bool Keeper::is_whole(const apps::Transfer& transfer) const {
  return (!sends() || transfer.bytes_sent == plan_.stream_bytes) &&
         (!receives() || transfer.bytes_received == plan_.stream_bytes);
}

std::vector<apps::TransferRecord> Keeper::transfers() const {
  std::vector<apps::TransferRecord> records;
  if (!has_length()) return records;
  for (const apps::Transfer& transfer : transfers_) records.push_back(transfer.record());
  return records;
}

void Keeper::on_closed(Connection connection, CloseReason reason) {
  const CloseReason wanted =
      plan_.closing == Closing::rst && !has_length() ? CloseReason::aborted : CloseReason::finished;
  if ((connection.context() & kOpened) == 0) {
    --opening_;
    ++tally_.failed_to_open[place(reason)];
    return;
  }
  --alive_;
  apps::Transfer* const transfer = transfer_of(connection);
  if (transfer != nullptr) transfer->end(connection.worker().now(), reason);
  const bool in_time = has_length() ? is_whole(*transfer) : phase() >= Phase::closing;
  if (reason == wanted && in_time) {
    ++tally_.completed;
  } else {
    ++tally_.failed_when_open[place(reason)];
  }
}

}  // namespace handfast::load
