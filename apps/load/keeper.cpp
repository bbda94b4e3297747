#include "apps/load/keeper.hpp"

namespace handfast::load {

Keeper::Keeper(const ClientPlan& plan) : plan_(plan), group_(plan_, tally_) {
  if (plan_.mode == Mode::stream) transfers_.reserve(static_cast<std::size_t>(plan_.connections));
}

void Keeper::on_poll(Worker& worker) {
  const Instant now = worker.now();
  if (!started_) {
    started_ = true;
    group_.start(now);
    if (has_length() && plan_.duration) open_until_ = now + *plan_.duration;
  }
  switch (phase()) {
    case Phase::preparing:
    case Phase::opening:
      open_more(worker);
      break;
    case Phase::keeping:
      if (!keep_until_) keep_until_ = plan_.duration ? now + *plan_.duration : Instant::never();
      if (now >= *keep_until_ || group_.alive() == 0) begin_closing();
      break;
    case Phase::closing:
    case Phase::parting:
      close_some(worker);
      if (group_.is_over()) enter(Phase::finished);
      break;
    case Phase::finished:
      break;
  }
}

void Keeper::open_more(Worker& worker) {
  if (worker.now() >= open_until_) {  // nobody answers; what is still opening ends with the run
    group_.stop_opening();
    begin_closing();
  } else if (!group_.is_settled()) {
    group_.open_more(worker, *this);
  } else if (group_.is_complete() || plan_.mode == Mode::stream) {
    enter(Phase::keeping);
  } else {
    begin_closing();
  }
}

void Keeper::on_drain(Worker&) {
  group_.stop_opening();
  if (phase() == Phase::opening || phase() == Phase::keeping) begin_closing();
}

void Keeper::begin_closing() {
  enter(Phase::closing);
}

void Keeper::close_some(const Worker& worker) {
  const Closing closing = has_length() ? Closing::rst : plan_.closing;
  group_.visit_some(worker, [this, closing](Connection connection) {
    if (apps::Transfer* const transfer = transfer_of(connection)) transfer->look_at(connection);
    end(connection, closing);
  });
}

void Keeper::on_open(Connection connection) {
  handshake_.record(group_.join(connection));
  if (plan_.mode == Mode::stream) {
    transfers_.emplace_back(connection.worker().now(), has_length() && receives());
  }
  if (sends()) stream(connection);
}

void Keeper::stream(Connection connection) {
  if (!sends() || phase() >= Phase::closing) return;
  std::uint64_t& sent = transfer_of(connection)->bytes_sent;
  sent = give(connection, sent, plan_.stream_bytes);
  if (sent == plan_.stream_bytes) (void)connection.close();
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
    transfer->look_at(connection);
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
  if (!group_.leave(connection, reason)) return;
  const CloseReason wanted = own_end_of(has_length() ? Closing::fin : plan_.closing);
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
