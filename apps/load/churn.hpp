// Churn: the client of the modes `connect` and `request`. Keeps a number of connections in flight,
// each opened, used and closed, until the time or the number is reached. Nothing is allocated and
// nothing looked up for a connection: all there is to know stands in its context word.
//
//   connect   context = kOpened
//   request   context = kOpened | request bytes sent << 32 | response bytes received
#pragma once

#include <optional>
#include <vector>

#include "apps/load/end.hpp"
#include "apps/load/opener.hpp"
#include "apps/stream/payload.hpp"

namespace handfast::load {

class Churn final : public End {
 public:
  explicit Churn(const ClientPlan& plan);

  void on_poll(Worker& worker) override;
  Instant next_poll() const override { return opener_.next_poll(); }
  void on_drain(Worker&) override { opener_.stop(); }

  void on_open(Connection connection);
  std::size_t on_data(Connection connection, Bytes data);
  void on_writable(Connection connection);
  void on_closed(Connection connection, CloseReason reason);

 private:
  void continue_request(Connection connection, std::uint64_t context);
  void finish(Connection connection);
  void close_waiting();
  bool was_completed(std::uint64_t context, CloseReason reason) const;

  const ClientPlan plan_;
  Opener opener_;
  const apps::Payload payload_;
  std::uint64_t in_flight_ = 0;
  std::optional<Instant> end_;
  bool started_ = false;
  // With --textbook and --close rst the third segment of the handshake is to leave by itself.
  // Output follows on_poll, so a connection is closed in the second poll after its on_open.
  std::vector<Connection> opened_now_;
  std::vector<Connection> opened_before_;
};

}  // namespace handfast::load
