#include "apps/load/embedded_server.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace handfast::load {
namespace {

constexpr unsigned kReceivedShift = 32;
constexpr std::uint64_t kOwedMask = 0xffff'ffff;
constexpr std::uint64_t kPeerFinished = std::uint64_t{1} << 63;

std::uint64_t packed(std::uint64_t received, std::uint64_t owed) {
  return received << kReceivedShift | owed;
}

}  // namespace

std::expected<void, std::string> EmbeddedServer::on_start(Worker& worker) {
  if (const auto listening = worker.listen(plan_.local, *this); !listening) {
    return std::unexpected(fmt::format("cannot listen on {}: {}", plan_.local.to_string(),
                                       to_string(listening.error())));
  }
  return {};
}

void EmbeddedServer::on_open(Connection connection) {
  ++tally_.established;
  if (streams()) stream(connection);
}

void EmbeddedServer::stream(Connection connection) {
  const std::uint64_t sent = give(connection, connection.context(), plan_.stream_bytes);
  connection.set_context(sent);
  if (sent == plan_.stream_bytes) (void)connection.close();
}

std::size_t EmbeddedServer::on_data(Connection connection, Bytes data) {
  const std::size_t taken = answers() ? answer(connection, data) : data.size();
  tally_.bytes_received += taken;
  return taken;
}

// Takes requests one at a time: what follows one stays in the stack until it is answered.
std::size_t EmbeddedServer::answer(Connection connection, Bytes data) {
  const std::uint64_t context = connection.context();
  std::uint64_t received = context >> kReceivedShift;
  std::uint64_t owed = context & kOwedMask;
  std::size_t taken = 0;
  while (taken < data.size() && owed == 0) {
    const std::uint64_t wanted = plan_.request_size - received;
    const std::uint64_t piece = std::min<std::uint64_t>(wanted, data.size() - taken);
    taken += static_cast<std::size_t>(piece);
    received += piece;
    if (received < plan_.request_size) break;
    received = 0;
    owed = plan_.response_size;
    if (!pay(connection, owed)) break;
  }
  connection.set_context(packed(received, owed));
  return taken;
}

// True when the whole response is with the stack.
bool EmbeddedServer::pay(Connection connection, std::uint64_t& owed) {
  const std::uint64_t size = plan_.response_size;
  owed = size - give(connection, size - owed, size);
  if (owed != 0) return false;
  ++tally_.responses;
  return true;
}

void EmbeddedServer::on_writable(Connection connection) {
  if (streams()) return stream(connection);
  if (!answers()) return;
  const std::uint64_t context = connection.context();
  std::uint64_t owed = context & kOwedMask;
  if (owed == 0) return;
  const bool paid = pay(connection, owed);
  connection.set_context((context & ~kOwedMask) | owed);
  if (!paid) return;
  if ((context & kPeerFinished) != 0) {
    (void)connection.close();
  } else {
    (void)connection.resume_receive();
  }
}

void EmbeddedServer::on_peer_finished(Connection connection) {
  const std::uint64_t context = connection.context();
  if (answers() && (context & kOwedMask) != 0) {
    connection.set_context(context | kPeerFinished);  // on_writable pays the rest, then closes
  } else if (streams() && plan_.stream_bytes != kEndless && context < plan_.stream_bytes) {
    return;  // on_writable sends the rest, then closes
  } else {
    (void)connection.close();
  }
}

void EmbeddedServer::on_closed(Connection, CloseReason reason) {
  const CloseReason wanted =
      plan_.closing == Closing::rst ? CloseReason::reset : CloseReason::finished;
  if (reason == wanted) {
    ++tally_.completed;
  } else {
    ++tally_.failed_when_open[place(reason)];
  }
}

}  // namespace handfast::load
