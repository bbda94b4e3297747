// Bulk: the applications of a bulk transfer. The sender's fills its connections with an endless
// text until each has sent its bytes, and closes; the receiver's compares what arrives byte by
// byte. A flow's number stands in both connections' contexts.
#pragma once

#include <string>
#include <vector>

#include "apps/stream/payload.hpp"
#include "handfast/handler.hpp"
#include "handfast/worker.hpp"

namespace handfast::sim {

struct BulkFlow {
  std::uint64_t bytes = 0;  // to send
  std::uint64_t sent = 0;   // accepted by send()
  std::uint64_t received = 0;
  bool is_through = false;  // the receiver has it all, and the FIN
  Instant through_at;
  Connection sender;
  Connection receiver;
};

struct BulkFlows {
  std::vector<BulkFlow> flows;
  std::vector<std::string> failures;
  std::uint32_t through_count = 0;
  apps::Payload payload;

  // Each flow reads the text from another place.
  std::span<const std::byte> text(std::size_t flow, std::uint64_t offset,
                                  std::uint64_t count) const {
    constexpr std::uint64_t kStride = 1009;
    return payload.at(offset + flow * kStride, count);
  }
  void fail(std::size_t flow, const std::string& what);
};

class BulkSender {
 public:
  explicit BulkSender(BulkFlows& flows) : flows_(flows) {}

  void on_open(Connection connection) { send_on(connection); }
  void on_writable(Connection connection) { send_on(connection); }
  void on_closed(Connection connection, CloseReason reason);

 private:
  void send_on(Connection connection);

  BulkFlows& flows_;
};

class BulkReceiver {
 public:
  // The flow's number is the source port less `first_port`.
  BulkReceiver(BulkFlows& flows, std::uint16_t first_port)
      : flows_(flows), first_port_(first_port) {}

  void on_open(Connection connection);
  std::size_t on_data(Connection connection, Bytes data);
  void on_peer_finished(Connection connection);

 private:
  BulkFlows& flows_;
  std::uint16_t first_port_;
};

}  // namespace handfast::sim
