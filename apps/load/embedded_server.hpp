// EmbeddedServer: the server worker of a run without a port. It answers what the client's mode asks
// for and keeps books of its own, which must agree with the client's.
//
//   request, exchange   context = kPeerFinished | request bytes received << 32 | response bytes
//   owed stream              context = bytes sent; takes and discards; sends when the direction
//   says so, a number
//             of bytes and FIN, or without end
//   connect, hold       nothing but the close
#pragma once

#include "apps/load/end.hpp"
#include "apps/load/plan.hpp"

namespace handfast::load {

class EmbeddedServer final : public End {
 public:
  explicit EmbeddedServer(const ServerPlan& plan) : plan_(plan) {}

  std::expected<void, std::string> on_start(Worker& worker) override;

  void on_open(Connection connection);
  std::size_t on_data(Connection connection, Bytes data);
  void on_writable(Connection connection);
  void on_peer_finished(Connection connection);
  void on_closed(Connection connection, CloseReason reason);

 private:
  bool answers() const { return plan_.mode == Mode::request || plan_.mode == Mode::exchange; }
  bool streams() const { return plan_.mode == Mode::stream && plan_.direction != Direction::send; }
  void stream(Connection connection);
  std::size_t answer(Connection connection, Bytes data);
  bool pay(Connection connection, std::uint64_t& owed);

  const ServerPlan plan_;
};

}  // namespace handfast::load
