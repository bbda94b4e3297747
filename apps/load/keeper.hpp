// Keeper: the client of the modes `hold` and `stream`. Opens a number of connections, keeps them
// for a time, streaming or idle, then closes them all. A stream with a length ends by itself when
// both sides have sent theirs; what is left of it when the time is up is reset.
//
//   context = kOpened | where its Transfer stands
#pragma once

#include <optional>
#include <vector>

#include "apps/load/end.hpp"
#include "apps/load/group.hpp"

namespace handfast::load {

class Keeper final : public End {
 public:
  explicit Keeper(const ClientPlan& plan);

  void on_poll(Worker& worker) override;
  Instant next_poll() const override { return group_.next_poll(); }
  void on_drain(Worker& worker) override;

  void on_open(Connection connection);
  std::size_t on_data(Connection connection, Bytes data);
  void on_writable(Connection connection) { stream(connection); }
  void on_peer_finished(Connection connection);
  void on_closed(Connection connection, CloseReason reason);

  std::vector<apps::TransferRecord> transfers() const override;

 private:
  bool sends() const { return plan_.mode == Mode::stream && plan_.direction != Direction::receive; }
  bool receives() const { return plan_.mode == Mode::stream && plan_.direction != Direction::send; }
  bool has_length() const { return plan_.stream_bytes != kEndless; }
  bool is_whole(const apps::Transfer& transfer) const;
  apps::Transfer* transfer_of(Connection connection);
  void stream(Connection connection);
  void open_more(Worker& worker);
  void begin_closing();
  void close_some(const Worker& worker);

  const ClientPlan plan_;
  Group group_;
  std::vector<apps::Transfer> transfers_;  // of a stream, beside the group
  Instant open_until_ = Instant::never();
  std::optional<Instant> keep_until_;
  bool started_ = false;
};

}  // namespace handfast::load
