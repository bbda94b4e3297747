// TransferHandler: the application at one end of a transfer, for all its connections. It sends the
// whole stream as fast as it is let, closes, and compares what arrives byte by byte. The client's
// opens the next connection for each that has closed.
#pragma once

#include <functional>
#include <unordered_map>

#include "handfast/handler.hpp"
#include "tests/sim/ledger.hpp"

namespace handfast::sim {

class TransferHandler {
 public:
  // Names the connection that the server's end sees; kUnknown: none of ours.
  using NumberOf = std::function<std::uint32_t(const ConnectionInfo&)>;
  static constexpr std::uint32_t kUnknown = 0xffffffff;

  TransferHandler(Ledger& ledger, End end) : ledger_(ledger), end_(end) {}

  void set_number_of(NumberOf number_of) { number_of_ = std::move(number_of); }
  void set_on_each_closed(std::function<void(std::uint32_t)> call) { on_each_closed_ = call; }
  std::uint32_t closed_count() const { return closed_count_; }

  void on_open(Connection connection);
  std::size_t on_data(Connection connection, Bytes data);
  void on_writable(Connection connection) { send_on(connection); }
  void on_peer_finished(Connection connection);
  void on_timer(Connection connection);
  void on_closed(Connection connection, CloseReason reason);

 private:
  static constexpr Duration kSlowPause = std::chrono::milliseconds(2);
  static constexpr std::size_t kSlowBite = 700;

  std::uint32_t number(Connection connection) const;
  void send_on(Connection connection);
  bool compare(std::uint32_t number, Bytes data);

  Ledger& ledger_;
  End end_;
  NumberOf number_of_;
  std::function<void(std::uint32_t)> on_each_closed_;
  std::uint32_t closed_count_ = 0;
};

}  // namespace handfast::sim
