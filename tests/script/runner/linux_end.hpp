// LinuxEnd: the kernel's TCP in a network namespace of this process's own, reached through a TUN
// and through sockets. close() of a script is shutdown(SHUT_WR), which is what RFC 9293 calls
// CLOSE; the application reads when the script looks at what it was given.
#pragma once

#include <deque>
#include <memory>

#include "tests/script/runner/end.hpp"

namespace handfast::script {

class LinuxEnd final : public End {
 public:
  // Moves the calling process into a namespace: one script a process. The error also says which
  // settings have no counterpart there.
  static std::expected<std::unique_ptr<LinuxEnd>, std::string> start(const Script& script);
  ~LinuxEnd() override;

  bool is_exact() const override { return false; }
  Duration now() const override;
  void inject(base::Bytes frame) override;
  std::optional<FrameAt> next_frame(Duration until) override;
  Complaint call(const Call& call, const FlowPorts& ports) override;
  Complaint await(const Event& event, const FlowPorts& ports, Duration until) override;
  FrameBytes take_data(const FlowPorts& ports) override;
  Complaint check(const StateIs& state, const FlowPorts& ports) override;
  Complaint check(const CounterIs&) override { return std::nullopt; }
  Complaint check(const InfoIs&, const FlowPorts&) override { return std::nullopt; }

 private:
  struct Socket {
    FlowPorts ports;
    int descriptor = -1;
    std::uint64_t sent = 0;
    FrameBytes data;
    short told = 0;  // what poll() says again and again, and the script knows
  };

  LinuxEnd(const Script& script, int tun) : script_(script), tun_(tun) {}
  int make_socket();
  void accept_all();
  Socket& socket_of(const FlowPorts& ports);
  // Does it; the return value is errno's.
  int perform(const Call& call, Socket& socket);
  int listen(const Call& call);
  int connect(const Call& call, Socket& socket);
  int send(const Call& call, Socket& socket);
  int abort(Socket& socket);
  bool poll_for(Socket& socket, short events, Duration until);
  void read_all(Socket& socket);
  Complaint await_open(Socket& socket, Duration until);
  Complaint await_data(Socket& socket, std::uint32_t bytes, Duration until);
  Complaint await_closed(Socket& socket, CloseReason reason, Duration until);

  const Script& script_;
  int tun_;
  int listener_ = -1;
  std::uint32_t taken_ = 0;  // by the last send
  std::deque<Socket> sockets_;
};

}  // namespace handfast::script
