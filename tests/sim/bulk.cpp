#include "tests/sim/bulk.hpp"

#include <fmt/format.h>

#include <cstring>

namespace handfast::sim {

void BulkFlows::fail(std::size_t flow, const std::string& what) {
  constexpr std::size_t kFailuresMax = 20;
  if (failures.size() < kFailuresMax) failures.push_back(fmt::format("flow {}: {}", flow, what));
}

void BulkSender::send_on(Connection connection) {
  const std::size_t number = connection.context();
  BulkFlow& flow = flows_.flows[number];
  while (flow.sent < flow.bytes) {
    const auto next = flows_.text(number, flow.sent, flow.bytes - flow.sent);
    const auto accepted = connection.send(next);
    if (!accepted) return flows_.fail(number, fmt::format("send: {}", to_string(accepted.error())));
    flow.sent += *accepted;
    if (*accepted < next.size()) return;
  }
  (void)connection.close();
}

void BulkSender::on_closed(Connection connection, CloseReason reason) {
  const std::size_t number = connection.context();
  if (flows_.flows[number].is_through || reason == CloseReason::aborted) return;
  flows_.fail(number, fmt::format("closed with reason {}", to_string(reason)));
}

void BulkReceiver::on_open(Connection connection) {
  const std::size_t number = std::size_t{connection.info()->remote.port} - first_port_;
  connection.set_context(number);
  flows_.flows[number].receiver = connection;
}

std::size_t BulkReceiver::on_data(Connection connection, Bytes data) {
  const std::size_t number = connection.context();
  BulkFlow& flow = flows_.flows[number];
  for (std::size_t done = 0; done < data.size();) {
    const auto expected = flows_.text(number, flow.received, data.size() - done);
    if (std::memcmp(expected.data(), &data[done], expected.size()) != 0) {
      flows_.fail(number, fmt::format("bytes from {} on are wrong", flow.received));
      (void)connection.abort();
      return data.size();
    }
    done += expected.size();
    flow.received += expected.size();
  }
  return data.size();
}

void BulkReceiver::on_peer_finished(Connection connection) {
  const std::size_t number = connection.context();
  BulkFlow& flow = flows_.flows[number];
  if (flow.received != flow.bytes) {
    flows_.fail(number, fmt::format("the sender finished after {} bytes", flow.received));
  }
  flow.is_through = true;
  flow.through_at = connection.worker().now();
  ++flows_.through_count;
  (void)connection.close();
}

}  // namespace handfast::sim
