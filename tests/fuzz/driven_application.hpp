// DrivenApplication: a handler that calls whatever the input says, from within its callbacks and
// between them, on the connection at hand or on another, stale ones included. It keeps the books
// that the stack owes it: nothing is called from within a callback, on_open comes once, nothing
// after on_closed, no data after the peer's FIN, nothing but on_closed after abort().
#pragma once

#include <array>
#include <vector>

#include "handfast/handler.hpp"
#include "handfast/worker.hpp"
#include "tests/fuzz/input.hpp"

namespace handfast::fuzz {

class DrivenApplication {
 public:
  DrivenApplication(Input& input, const std::vector<Endpoint>& remotes)
      : input_(input), remotes_(remotes) {}

  void set_worker(Worker& worker) { worker_ = &worker; }
  // One call, chosen by the input.
  void act();
  void give_buffers_back() { buffers_.clear(); }
  // Every connection that was announced has been told its end.
  bool are_all_closed() const;

  void on_open(Connection connection);
  std::size_t on_data(Connection connection, Bytes data);
  void on_urgent(Connection connection);
  void on_writable(Connection connection);
  void on_peer_finished(Connection connection);
  void on_timer(Connection connection);
  void on_closed(Connection connection, CloseReason reason);

 private:
  struct Life {
    Connection connection;
    bool is_open = false;
    bool is_finished = false;  // the peer's FIN was told
    bool is_aborted = false;
    bool is_closed = false;
  };
  // Those that began last are called on, so that stale ones are too.
  static constexpr std::size_t kRemembered = 8;
  static constexpr std::size_t kBuffersMax = 6;

  // Marks that a callback runs, for its life.
  class Inside;

  Life& life_of(Connection connection);
  Life& begin(Connection connection);
  Connection choose();
  void act_inside(Connection connection);
  void act_on(Connection connection);
  void set_something(Connection connection);
  void send_buffer(Connection connection);
  void connect();
  void listen();
  void look_at(Connection connection) const;

  Input& input_;
  const std::vector<Endpoint>& remotes_;
  Worker* worker_ = nullptr;
  std::vector<Life> lives_;
  std::vector<Buffer> buffers_;
  std::array<std::byte, 4096> text_{};
  bool is_inside_ = false;
};

}  // namespace handfast::fuzz
