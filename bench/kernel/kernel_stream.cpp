// kernel-stream: one stream of bytes over the kernel's TCP, one thread, epoll. The Linux end of
// bench/weather and of the tests against Linux: sends the payload that handfast-load sends, or
// receives and hashes one. Prints what became of it as one line of JSON.
//
//   kernel-stream receive --listen 198.19.0.1:9000
//   kernel-stream send --connect 198.19.0.1:9000 --bytes 100000000 --congestion cubic --seconds 20
//
// Either way of opening goes with either way of sending. Ends when the peer has finished; when the
// time is up it resets the connection and reports what there is, and so it does on SIGTERM, but
// without the reset.
#include <fmt/core.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "apps/stream/payload.hpp"
#include "apps/stream/sha256.hpp"
#include "bench/kernel/socket.hpp"

namespace handfast::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string task;
  std::string listen;
  std::string connect;
  std::uint64_t bytes = 0;
  std::string congestion;
  double seconds = 600;
  int cpu = -1;
  bool hash = true;
};

class Stream {
 public:
  explicit Stream(const Options& options) : options_(options) {}

  void run();
  nlohmann::json report();

 private:
  bool sends() const { return options_.task == "send"; }
  // False: stopped, or the time is up.
  bool wait_for(int fd, std::uint32_t events);
  bool open();
  void set_congestion(int fd);
  void send_all();
  // Until the peer's FIN.
  void receive_all();
  void give_up(const char* what) { error_ = fmt::format("{}: {}", what, std::strerror(errno)); }

  const Options& options_;
  const Clock::time_point begin_ = Clock::now();
  Clock::time_point opened_ = begin_;
  Clock::time_point ended_ = begin_;
  Poller poller_;
  Descriptor listener_;
  Descriptor socket_;
  std::uint64_t bytes_ = 0;  // accepted by the kernel, or received
  bool finished_ = false;    // the peer's FIN has come
  bool late_ = false;
  std::string error_;
  apps::Payload payload_;
  apps::Sha256 received_;
};

bool Stream::wait_for(int fd, std::uint32_t events) {
  poller_.modify(fd, events, nullptr);
  const auto end = begin_ + std::chrono::duration<double>(options_.seconds);
  while (!stop_requested()) {
    if (Clock::now() >= end) {
      late_ = true;
      return false;
    }
    if (!poller_.wait(20).empty()) return true;
  }
  return false;
}

void Stream::set_congestion(int fd) {
  const std::string& name = options_.congestion;
  if (name.empty()) return;
  if (::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name.data(),
                   static_cast<socklen_t>(name.size())) != 0) {
    fail(fmt::format("congestion control {}", name));
  }
}

bool Stream::open() {
  const bool listens = !options_.listen.empty();
  const SocketAddress address(listens ? options_.listen : options_.connect);
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  Descriptor& owner = listens ? listener_ : socket_;
  owner = Descriptor(fd);
  if (fd < 0) fail("socket");
  set_congestion(fd);  // an accepted socket inherits it
  if (!listens) {
    if (::connect(fd, address.get(), address.size()) != 0 && errno != EINPROGRESS) fail("connect");
    poller_.add(fd, EPOLLOUT, nullptr);
    return wait_for(fd, EPOLLOUT);
  }
  const int one = 1;
  if (::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
      ::bind(fd, address.get(), address.size()) != 0 || ::listen(fd, 1) != 0) {
    fail(fmt::format("listen on {}", options_.listen));
  }
  fmt::print("listening on {}\n", options_.listen);
  std::fflush(stdout);
  poller_.add(fd, EPOLLIN, nullptr);
  if (!wait_for(fd, EPOLLIN)) return false;
  socket_ = Descriptor(::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (socket_.get() < 0) fail("accept");
  listener_.reset();
  poller_.add(socket_.get(), EPOLLIN, nullptr);
  return true;
}

void Stream::send_all() {
  while (bytes_ < options_.bytes) {
    const auto piece = payload_.at(bytes_, options_.bytes - bytes_);
    const ssize_t put = ::send(socket_.get(), piece.data(), piece.size(), MSG_NOSIGNAL);
    if (put >= 0) {
      bytes_ += static_cast<std::uint64_t>(put);
    } else if (errno != EAGAIN) {
      return give_up("send");
    } else if (!wait_for(socket_.get(), EPOLLOUT)) {
      return;
    }
  }
  ::shutdown(socket_.get(), SHUT_WR);
  receive_all();
}

void Stream::receive_all() {
  std::vector<std::byte> buffer(256 * 1024);
  while (!finished_) {
    if (!wait_for(socket_.get(), EPOLLIN)) return;
    const ssize_t got = ::read(socket_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EAGAIN) continue;
    if (got < 0) return give_up("receive");
    ended_ = Clock::now();
    finished_ = got == 0;
    if (sends()) continue;
    if (options_.hash) received_.add(std::span(buffer).first(static_cast<std::size_t>(got)));
    bytes_ += static_cast<std::uint64_t>(got);
  }
}

void Stream::run() {
  if (!open()) return;
  opened_ = ended_ = Clock::now();
  sends() ? send_all() : receive_all();
  if (!finished_) ended_ = Clock::now();
}

nlohmann::json Stream::report() {
  nlohmann::json json{{"task", options_.task},
                      {"bytes", bytes_},
                      {"seconds", std::chrono::duration<double>(ended_ - opened_).count()},
                      {"finished", finished_},
                      {"error", error_}};
  if (!sends() && options_.hash) json["sha256"] = received_.hex();
  tcp_info info{};
  socklen_t size = sizeof info;
  if (socket_.get() >= 0 && ::getsockopt(socket_.get(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0) {
    json["retransmitted"] = info.tcpi_total_retrans;
    json["rtt_us"] = info.tcpi_rtt;
    json["cwnd_segments"] = info.tcpi_snd_cwnd;
  }
  if (late_) {  // closing would leave the kernel sending what is queued for minutes more
    const linger reset{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  return json;
}

int stream(int argc, char** argv) {
  CLI::App app("Sends or receives one stream over the kernel's TCP.", "kernel-stream");
  Options options;
  app.add_option("task", options.task, "send or receive")
      ->required()
      ->check(CLI::IsMember({"send", "receive"}));
  auto* const listen = app.add_option("--listen", options.listen, "ADDRESS:PORT");
  app.add_option("--connect", options.connect, "ADDRESS:PORT")->excludes(listen);
  app.add_option("--bytes", options.bytes, "to send");
  app.add_option("--congestion", options.congestion, "such as cubic or reno");
  app.add_option("--seconds", options.seconds, "ends after so long, whatever has become of it")
      ->capture_default_str();
  app.add_option("--cpu", options.cpu, "keep to this CPU");
  app.add_flag("!--no-hash", options.hash, "look at no byte received: hashing costs speed");
  CLI11_PARSE(app, argc, argv);
  if (options.listen.empty() && options.connect.empty()) {
    fmt::print(stderr, "kernel-stream: give --listen or --connect\n");
    return 2;
  }
  pin_to_cpu(options.cpu);
  stop_on_signals();
  Stream run(options);
  run.run();
  fmt::print("{}\n", run.report().dump());
  return 0;
}

}  // namespace
}  // namespace handfast::bench

int main(int argc, char** argv) {
  return handfast::bench::stream(argc, argv);
}
