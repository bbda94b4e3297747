// HandfastEnd: lib/stack in virtual time, one frame a turn. Time stands still but for what the
// runner waits for; the stack's questions for link addresses are answered here.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "drivers/link/sim_pool.hpp"
#include "stack/stack.hpp"
#include "tests/script/runner/end.hpp"

namespace handfast::script {

class HandfastEnd final : public End {
 public:
  // The error is the stack's about the settings.
  static std::expected<std::unique_ptr<HandfastEnd>, std::string> start(const Script& script);
  ~HandfastEnd() override;

  bool is_exact() const override { return true; }
  Duration now() const override { return now_ - kStart; }
  void inject(base::Bytes frame) override;
  std::optional<FrameAt> next_frame(Duration until) override;
  Complaint call(const Call& call, const FlowPorts& ports) override;
  Complaint await(const Event& event, const FlowPorts& ports, Duration until) override;
  FrameBytes take_data(const FlowPorts& ports) override;
  Complaint check(const StateIs& state, const FlowPorts& ports) override;
  Complaint check(const CounterIs& counter) override;
  Complaint check(const InfoIs& info, const FlowPorts& ports) override;

  // The stack's handler.
  void on_open(Connection connection);
  std::size_t on_data(Connection connection, base::Bytes data);
  void on_urgent(Connection connection);
  void on_writable(Connection connection);
  void on_peer_finished(Connection connection);
  void on_closed(Connection connection, CloseReason reason);

 private:
  static constexpr Instant kStart = Instant::from_ns(1'000'000'000);

  // A connection as its application knows it.
  struct Socket {
    FlowPorts ports;
    Connection connection;
    std::deque<Event> events;
    FrameBytes data;
    std::uint64_t sent = 0;
    bool is_paused = false;
  };

  explicit HandfastEnd(const Script& script);
  void turn();
  // To the next thing that happens, or until then. False when it is then.
  bool step(Duration until);
  void collect();
  void answer_neighbour(base::Bytes frame);
  void introduce_peer();
  Socket& socket_of(const FlowPorts& ports);
  Socket& socket_of(Connection connection);
  void note(Connection connection, Event event);
  std::expected<std::uint32_t, Error> perform(const Call& call, Socket& socket);
  std::expected<void, Error> connect(const Call& call, Socket& socket);
  std::expected<std::uint32_t, Error> send(const Call& call, Socket& socket);

  bool is_v6_;
  drivers::SimPool pool_{2048};
  std::unique_ptr<stack::Stack> stack_;
  Instant now_ = kStart;
  std::deque<FrameAt> left_;
  std::deque<Socket> sockets_;  // their place is the connection's context, from 1
};

}  // namespace handfast::script
