// Exchanger: the client of the mode `exchange`. Opens a number of connections, then keeps one
// request on the way on each: the next leaves as soon as the answer to the last has come whole, and
// carries its acknowledgement. Of more connections than requests may be on the way at once, the
// next in line that has none is asked in place of the one that answered. Measured from when every
// connection has answered once.
//
//   context = kOpened | request bytes sent << 48 | response bytes received << 33 | when the request
//             began, in units of 8 ns; sent is 0 while nothing is asked
#pragma once

#include <vector>

#include "apps/load/end.hpp"
#include "apps/load/gate.hpp"
#include "apps/load/group.hpp"

namespace handfast::load {

class Exchanger final : public End {
 public:
  // `gate` is borrowed for life.
  Exchanger(const ClientPlan& plan, Gate& gate);

  void on_poll(Worker& worker) override;
  void on_drain(Worker& worker) override;

  void on_open(Connection connection);
  std::size_t on_data(Connection connection, Bytes data);
  void on_writable(Connection connection);
  void on_closed(Connection connection, CloseReason reason);

 private:
  void prepare(Worker& worker);
  void ask_each_once(Instant now);
  void ask_more();
  void keep(Instant now);
  void close(const Worker& worker);
  void begin_closing(Instant now);
  void ask(Connection connection);
  void continue_request(Connection connection, std::uint64_t context);
  void answered(Connection connection, std::uint64_t context);
  // Whether the connections take turns.
  bool takes_turns() const { return plan_.connections > plan_.in_flight; }

  const ClientPlan plan_;
  Gate& gate_;
  Group group_;
  std::vector<Connection> members_;  // in order of their opening, ended ones included
  std::uint64_t in_flight_ = 0;      // requests
  std::uint64_t asked_ = 0;          // connections whose turn has come, over all rounds
  std::size_t next_ = 0;             // of the members, to be asked
  bool started_ = false;
  bool arrived_ = false;  // at the gate
  Instant keep_until_ = Instant::never();
  std::uint64_t first_answers_ = 0;  // to the first requests
  Instant wait_until_;               // for answers, the first ones or the last
  bool waits_ = true;
};

}  // namespace handfast::load
