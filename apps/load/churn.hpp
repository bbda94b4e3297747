// Churn: the client of the modes `connect` and `request`. Keeps a number of connections in flight,
// each opened, used and closed, until the time or the number is reached. Nothing is allocated and
// nothing looked up for a connection: all there is to know stands in its context word. With --held
// it first opens those, and closes them when the work is done.
//
//   connect   context = kOpened
//   request   context = kOpened | request bytes sent << 32 | response bytes received
//             before on_open kMarked says that the first bytes were given to go with the SYN
#pragma once

#include <optional>
#include <vector>

#include "apps/load/end.hpp"
#include "apps/load/gate.hpp"
#include "apps/load/held.hpp"
#include "apps/load/opener.hpp"

namespace handfast::load {

class Churn final : public End {
 public:
  // `gate` is borrowed for life.
  Churn(const ClientPlan& plan, Gate& gate);

  void on_poll(Worker& worker) override;
  Instant next_poll() const override { return opener_.next_poll(); }
  void on_drain(Worker& worker) override;

  void on_asked(Connection connection);
  void on_open(Connection connection);
  std::size_t on_data(Connection connection, Bytes data);
  void on_writable(Connection connection);
  void on_closed(Connection connection, CloseReason reason);

 private:
  void prepare(Worker& worker);
  void work(Worker& worker);
  void continue_request(Connection connection, std::uint64_t context);
  void close_waiting();
  std::uint64_t bytes_with_syn() const;
  bool was_completed(std::uint64_t context, CloseReason reason) const;

  const ClientPlan plan_;
  Gate& gate_;
  std::optional<Held> held_;
  Opener opener_;
  std::uint64_t in_flight_ = 0;
  std::optional<Instant> end_;
  bool started_ = false;  // the phase it is in
  bool arrived_ = false;  // at the gate
  // With --textbook and --close rst the third segment of the handshake is to leave by itself.
  // Output follows on_poll, so a connection is closed in the second poll after its on_open.
  std::vector<Connection> opened_now_;
  std::vector<Connection> opened_before_;
};

}  // namespace handfast::load
