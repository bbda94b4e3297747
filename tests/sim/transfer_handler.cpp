#include "tests/sim/transfer_handler.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace handfast::sim {

std::uint32_t TransferHandler::number(Connection connection) const {
  return static_cast<std::uint32_t>(connection.context());
}

void TransferHandler::on_open(Connection connection) {
  if (number_of_) {
    const auto info = connection.info();
    const std::uint32_t found = info ? number_of_(*info) : kUnknown;
    if (found == kUnknown) ledger_.fail("a connection opened that nobody had asked for");
    connection.set_context(found);
  }
  if (number(connection) == kUnknown) {
    (void)connection.abort();
    return;
  }
  ++ledger_.record(number(connection), end_).opened;
  send_on(connection);
}

void TransferHandler::send_on(Connection connection) {
  if (number(connection) == kUnknown) return;
  EndRecord& record = ledger_.record(number(connection), end_);
  const base::Bytes rest = ledger_.stream(number(connection), end_).subspan(record.sent);
  if (rest.empty()) return;
  const auto accepted = connection.send(rest);
  if (!accepted) {
    ledger_.fail(number(connection), end_, fmt::format("send: {}", to_string(accepted.error())));
    return;
  }
  record.sent += static_cast<std::uint32_t>(*accepted);
  if (*accepted < rest.size()) return;
  if (const auto closed = connection.close(); !closed) {
    ledger_.fail(number(connection), end_, fmt::format("close: {}", to_string(closed.error())));
  }
}

std::size_t TransferHandler::on_data(Connection connection, Bytes data) {
  if (number(connection) == kUnknown) return data.size();
  if (data.empty()) ledger_.fail(number(connection), end_, "on_data without data");
  const bool in_parts = ledger_.is_slow(number(connection)) && data.size() > kSlowBite;
  const Bytes taken = in_parts ? data.first(kSlowBite) : data;
  if (!compare(number(connection), taken)) {
    (void)connection.abort();
    return data.size();
  }
  ledger_.record(number(connection), end_).received += static_cast<std::uint32_t>(taken.size());
  if (in_parts) (void)connection.set_timer(kSlowPause);
  return taken.size();
}

bool TransferHandler::compare(std::uint32_t number, Bytes data) {
  const EndRecord& record = ledger_.record(number, end_);
  const base::Bytes expected = ledger_.stream(number, other(end_)).subspan(record.received);
  if (data.size() > expected.size()) {
    ledger_.fail(number, end_,
                 fmt::format("{} bytes more than were sent", data.size() - expected.size()));
    return false;
  }
  const auto [wrong, should_be] = std::ranges::mismatch(data, expected.first(data.size()));
  if (wrong == data.end()) return true;
  ledger_.fail(number, end_,
               fmt::format("byte {} is wrong",
                           record.received + static_cast<std::size_t>(wrong - data.begin())));
  return false;
}

void TransferHandler::on_timer(Connection connection) {
  if (const auto resumed = connection.resume_receive(); !resumed) {
    ledger_.fail(number(connection), end_,
                 fmt::format("resume_receive: {}", to_string(resumed.error())));
  }
}

void TransferHandler::on_peer_finished(Connection connection) {
  if (number(connection) == kUnknown) return;
  EndRecord& record = ledger_.record(number(connection), end_);
  ++record.peer_finished;
  if (record.received != ledger_.config().bytes) {
    ledger_.fail(number(connection), end_,
                 fmt::format("the peer finished after {} bytes", record.received));
  }
}

void TransferHandler::on_closed(Connection connection, CloseReason reason) {
  const std::uint32_t which = number(connection);
  if (which == kUnknown) return;
  ++closed_count_;
  ++ledger_.record(which, end_).closed;
  if (reason != CloseReason::finished) {
    ledger_.fail(which, end_, fmt::format("closed with reason {}", to_string(reason)));
  }
  if (on_each_closed_) on_each_closed_(which);
}

}  // namespace handfast::sim
