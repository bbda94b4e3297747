// kernel-serve: an echo server over the kernel's TCP, one thread, epoll. The other half of
// kernel-load in bench/compare, and a Linux peer for the tests against Linux. Echoes until the
// peer's FIN, then closes; on SIGTERM prints what it has seen as one line of JSON.
#include <fmt/core.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <vector>

#include "bench/kernel/socket.hpp"

namespace handfast::bench {
namespace {

struct Totals {
  std::uint64_t accepted = 0;
  std::uint64_t finished = 0;  // ended by the peer's FIN, everything echoed
  std::uint64_t failed = 0;    // ended by an error: a reset, mostly
  std::uint64_t bytes = 0;
};

struct Peer {
  Descriptor socket;
  std::vector<std::byte> owed;  // read and not yet echoed; while there is any, nothing is read
  std::size_t sent = 0;         // of `owed`
};

class EchoServer {
 public:
  explicit EchoServer(const SocketAddress& local);
  void run();
  const Totals& totals() const { return totals_; }

 private:
  void accept_all();
  void serve(Peer* peer);
  // False: the connection has ended.
  bool read_and_echo(Peer& peer);
  bool echo_owed(Peer& peer);

  Descriptor listener_;
  Poller poller_;
  Totals totals_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(256 * 1024);
};

EchoServer::EchoServer(const SocketAddress& local)
    : listener_(::socket(local.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
  const int one = 1;
  if (listener_.get() < 0 ||
      ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
      ::bind(listener_.get(), local.get(), local.size()) != 0 ||
      ::listen(listener_.get(), 65'535) != 0) {
    fail("listen");
  }
  poller_.add(listener_.get(), EPOLLIN, nullptr);
}

void EchoServer::run() {
  while (!stop_requested()) {
    for (const epoll_event& event : poller_.wait(100)) {
      if (event.data.ptr == nullptr) {
        accept_all();
      } else {
        serve(static_cast<Peer*>(event.data.ptr));
      }
    }
  }
}

void EchoServer::accept_all() {
  for (;;) {
    const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;  // nobody waits, or no descriptor is free: the next event tries again
    ++totals_.accepted;
    auto* peer = new Peer{.socket = Descriptor(fd)};
    poller_.add(fd, EPOLLIN, peer);
  }
}

void EchoServer::serve(Peer* peer) {
  const bool alive = peer->owed.empty() ? read_and_echo(*peer) : echo_owed(*peer);
  if (!alive) delete peer;
}

bool EchoServer::read_and_echo(Peer& peer) {
  const ssize_t got = ::read(peer.socket.get(), buffer_.data(), buffer_.size());
  if (got < 0) {
    if (errno == EAGAIN) return true;
    ++totals_.failed;
    return false;
  }
  if (got == 0) {
    ++totals_.finished;
    return false;
  }
  const auto size = static_cast<std::size_t>(got);
  totals_.bytes += size;
  const ssize_t put = ::send(peer.socket.get(), buffer_.data(), size, MSG_NOSIGNAL);
  if (put == got) return true;
  if (put < 0 && errno != EAGAIN) {
    ++totals_.failed;
    return false;
  }
  const auto rest = buffer_.begin() + (put < 0 ? 0 : put);
  peer.owed.assign(rest, buffer_.begin() + got);
  peer.sent = 0;
  poller_.modify(peer.socket.get(), EPOLLOUT, &peer);
  return true;
}

bool EchoServer::echo_owed(Peer& peer) {
  const std::span<const std::byte> rest = std::span(peer.owed).subspan(peer.sent);
  const ssize_t put = ::send(peer.socket.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
  if (put < 0) {
    if (errno == EAGAIN) return true;
    ++totals_.failed;
    return false;
  }
  peer.sent += static_cast<std::size_t>(put);
  if (peer.sent == peer.owed.size()) {
    peer.owed.clear();
    poller_.modify(peer.socket.get(), EPOLLIN, &peer);
  }
  return true;
}

int serve(int argc, char** argv) {
  CLI::App app("An echo server over the kernel's TCP.", "kernel-serve");
  std::string local = "127.0.0.1:8000";
  int cpu = -1;
  app.add_option("--listen", local, "ADDRESS:PORT")->capture_default_str();
  app.add_option("--cpu", cpu, "keep to this CPU");
  CLI11_PARSE(app, argc, argv);

  pin_to_cpu(cpu);
  stop_on_signals();
  EchoServer server{SocketAddress(local)};
  fmt::print("listening on {}\n", local);
  std::fflush(stdout);
  server.run();
  const Totals& totals = server.totals();
  fmt::print("{}\n", nlohmann::json{{"accepted", totals.accepted},
                                    {"finished", totals.finished},
                                    {"failed", totals.failed},
                                    {"bytes", totals.bytes}}
                         .dump());
  return 0;
}

}  // namespace
}  // namespace handfast::bench

int main(int argc, char** argv) {
  return handfast::bench::serve(argc, argv);
}
