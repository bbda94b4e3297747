#include "apps/serve/stream_services.hpp"

#include "handfast/worker.hpp"

namespace handfast::serve {

StreamService::StreamService(bool hashes) : hashes_(hashes) {
  transfers_.reserve(kRecordsMax);
}

void StreamService::on_open(Connection connection) {
  CountingService::on_open(connection);
  if (transfers_.size() == kRecordsMax) return;
  transfers_.emplace_back(connection.worker().now(), hashes_);
  connection.set_context(transfers_.size());
}

apps::Transfer* StreamService::transfer_of(Connection connection) {
  const std::uint64_t context = connection.context();
  return context == 0 ? nullptr : &transfers_[static_cast<std::size_t>(context - 1)];
}

std::size_t StreamService::on_data(Connection connection, Bytes data) {
  tally_.bytes_received += data.size();
  if (apps::Transfer* const transfer = transfer_of(connection)) {
    transfer->take(connection.worker().now(), data);
  }
  return data.size();
}

void StreamService::on_closed(Connection connection, CloseReason reason) {
  CountingService::on_closed(connection, reason);
  if (apps::Transfer* const transfer = transfer_of(connection)) {
    transfer->end(connection.worker().now(), reason);
  }
}

std::vector<apps::TransferRecord> StreamService::records() const {
  std::vector<apps::TransferRecord> records;
  for (const apps::Transfer& transfer : transfers_) records.push_back(transfer.record());
  return records;
}

void Sink::on_peer_finished(Connection connection) {
  if (apps::Transfer* const transfer = transfer_of(connection)) {
    transfer->finish(connection.worker().now());
    transfer->look_at(connection);
  }
  (void)connection.close();
}

void Source::on_open(Connection connection) {
  StreamService::on_open(connection);
  if (transfer_of(connection) == nullptr) {
    (void)connection.abort();
  } else {
    on_writable(connection);
  }
}

void Source::on_writable(Connection connection) {
  apps::Transfer* const transfer = transfer_of(connection);
  if (transfer == nullptr) return;
  while (transfer->bytes_sent < bytes_) {
    const Bytes piece = payload_.at(transfer->bytes_sent, bytes_ - transfer->bytes_sent);
    const std::size_t accepted = give(connection, piece);
    transfer->bytes_sent += accepted;
    if (accepted < piece.size()) return;  // full: on_writable comes again
  }
  (void)connection.close();
}

}  // namespace handfast::serve
