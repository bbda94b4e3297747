#include "apps/load/fetcher.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace handfast::load {

Fetcher::Fetcher(const ClientPlan& plan)
    : plan_(plan),
      request_(
          fmt::format("GET {} HTTP/1.0\r\nHost: {}\r\n\r\n", plan.path, plan.server.to_string())),
      opener_(plan_, tally_) {
  downloads_.reserve(static_cast<std::size_t>(plan.connections));
}

void Fetcher::on_poll(Worker& worker) {
  const Instant now = worker.now();
  if (!started_) {
    started_ = true;
    opener_.start(now);
    if (plan_.duration) end_ = now + *plan_.duration;
  }
  if (end_ && now >= *end_) {
    end_.reset();
    stop();
  }
  if (!opener_.is_done()) {
    opener_.poll(worker, *this, in_flight_);
  } else if (phase() != Phase::finished) {
    enter(in_flight_ == 0 ? Phase::finished : Phase::closing);
  }
}

void Fetcher::stop() {
  opener_.stop();
  for (Download& download : downloads_) (void)download.connection.abort();
}

void Fetcher::on_open(Connection connection) {
  const Instant now = connection.worker().now();
  handshake_.record(ns_since_meant_for(connection));
  ++tally_.established;
  connection.set_context(kOpened | downloads_.size());
  downloads_.push_back({.connection = connection, .transfer = apps::Transfer(now, true)});
  ask(connection);
}

Fetcher::Download& Fetcher::download_of(Connection connection) {
  return downloads_[static_cast<std::size_t>(connection.context() & ~kOpened)];
}

void Fetcher::ask(Connection connection) {
  Download& download = download_of(connection);
  const Bytes rest = std::as_bytes(std::span(request_)).subspan(download.asked);
  if (rest.empty()) return;
  const std::size_t accepted = connection.send(rest).value_or(0);
  download.asked += accepted;
  tally_.bytes_sent += accepted;
}

std::size_t Fetcher::on_data(Connection connection, Bytes data) {
  Download& download = download_of(connection);
  const std::size_t all = data.size();
  tally_.bytes_received += all;
  if (!download.has_head) {
    std::size_t used = 0;
    const auto status = download.head.feed(data, used);
    download.has_head = status == HttpResponseReader::Status::complete;
    if (status == HttpResponseReader::Status::bad ||
        (download.has_head && download.head.code() != 200)) {
      (void)connection.abort();
      return all;
    }
    data = data.subspan(used);
  }
  if (!data.empty()) download.transfer.take(connection.worker().now(), data);
  return all;
}

void Fetcher::on_peer_finished(Connection connection) {
  Download& download = download_of(connection);
  const std::uint64_t received = download.transfer.bytes_received;
  download.transfer.finish(connection.worker().now());
  download.transfer.look_at(connection);
  download.whole = download.has_head && download.head.body_bytes().value_or(received) == received;
  (void)connection.close();
}

std::vector<apps::TransferRecord> Fetcher::transfers() const {
  std::vector<apps::TransferRecord> records;
  for (const Download& download : downloads_) records.push_back(download.transfer.record());
  return records;
}

void Fetcher::on_closed(Connection connection, CloseReason reason) {
  --in_flight_;
  if ((connection.context() & kOpened) == 0) {
    ++tally_.failed_to_open[place(reason)];
    return;
  }
  Download& download = download_of(connection);
  download.transfer.end(connection.worker().now(), reason);
  if (reason == CloseReason::finished && download.whole) {
    ++tally_.completed;
    ++tally_.responses;
  } else {
    ++tally_.failed_when_open[place(reason)];
  }
}

}  // namespace handfast::load
