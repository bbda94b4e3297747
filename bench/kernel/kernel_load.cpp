// kernel-load: what `handfast-load connect`, `request` and `exchange` do, over the kernel's TCP:
// one thread, epoll, non-blocking sockets, source addresses in turn so that TIME-WAIT does not use
// up the ports. The client closes first. Prints its report as one line of JSON.
#include <fmt/core.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "apps/load/histogram.hpp"
#include "bench/kernel/socket.hpp"

namespace handfast::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string mode = "connect";
  std::string server = "127.0.0.1:8000";
  std::string source = "127.1.0.0/16";
  unsigned concurrency = 256;
  unsigned request_bytes = 64;
  double seconds = 5;
  int cpu = -1;
};

// One connection after the other, each through the same steps.
struct Slot {
  enum class Step { connecting, waiting_for_answer, waiting_for_fin };
  Descriptor socket;
  Step step = Step::connecting;
  std::size_t answered = 0;  // bytes
  Clock::time_point asked{};
};

class Load {
 public:
  explicit Load(const Options& options);
  void run();
  nlohmann::json report() const;

 private:
  void start(Slot& slot);
  void advance(Slot& slot, std::uint32_t events);
  void on_connected(Slot& slot);
  void ask(Slot& slot);
  void on_readable(Slot& slot);
  void on_answer(Slot& slot);
  void finish_sending(Slot& slot);
  void complete(Slot& slot);
  void fail_slot(Slot& slot, int error);
  void restart(Slot& slot);

  Options options_;
  SocketAddress server_;
  SourceRange sources_;
  Poller poller_;
  std::vector<Slot> slots_;
  std::vector<std::byte> request_;
  bool asks_again_;
  std::array<std::byte, 64 * 1024> buffer_{};
  bool stopping_ = false;
  unsigned open_ = 0;
  std::uint64_t attempted_ = 0;
  std::uint64_t completed_ = 0;
  std::map<std::string, std::uint64_t> failed_;
  load::Histogram round_trips_;  // from a request to its whole answer
  double elapsed_seconds_ = 0;
};

Load::Load(const Options& options)
    : options_(options),
      server_(options.server),
      sources_(options.source),
      slots_(options.concurrency),
      request_(options.mode == "connect" ? 0 : options.request_bytes, std::byte{'x'}),
      asks_again_(options.mode == "exchange") {}

// Runs for the time asked and at most two seconds more for what is still open.
void Load::run() {
  const auto begin = Clock::now();
  const auto end = begin + std::chrono::duration<double>(options_.seconds);
  const auto give_up = end + std::chrono::seconds(2);
  for (Slot& slot : slots_) start(slot);
  while (open_ > 0 && Clock::now() < give_up) {
    for (const epoll_event& event : poller_.wait(100)) {
      advance(*static_cast<Slot*>(event.data.ptr), event.events);
    }
    stopping_ = stop_requested() || Clock::now() >= end;
  }
  elapsed_seconds_ = std::chrono::duration<double>(Clock::now() - begin).count();
  if (open_ > 0) failed_["unfinished"] += open_;
}

void Load::start(Slot& slot) {
  const SocketAddress source = sources_.next();
  const int one = 1;
  slot = Slot{.socket = Descriptor(::socket(server_.family(), SOCK_STREAM | SOCK_NONBLOCK, 0))};
  const int fd = slot.socket.get();
  if (fd < 0) fail("socket");
  ++attempted_;
  ++open_;
  // Without the option bind() takes a port of its own for every socket, whatever the destination.
  // And an IPv6 address that is ours by a route alone is refused, unless it need not be ours.
  if (::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one) != 0 ||
      (source.family() == AF_INET6 &&
       ::setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof one) != 0) ||
      ::bind(fd, source.get(), source.size()) != 0) {
    fail(fmt::format("source range {}", options_.source));
  }
  if (::connect(fd, server_.get(), server_.size()) != 0 && errno != EINPROGRESS) {
    fail(fmt::format("connect to {}", options_.server));
  }
  poller_.add(fd, EPOLLOUT, &slot);
}

void Load::advance(Slot& slot, std::uint32_t events) {
  if ((events & EPOLLERR) != 0) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(slot.socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    fail_slot(slot, error);
  } else if (slot.step == Slot::Step::connecting) {
    on_connected(slot);
  } else {
    on_readable(slot);
  }
}

void Load::on_connected(Slot& slot) {
  poller_.modify(slot.socket.get(), EPOLLIN, &slot);
  if (request_.empty()) {
    finish_sending(slot);
    return;
  }
  slot.step = Slot::Step::waiting_for_answer;
  ask(slot);
}

void Load::ask(Slot& slot) {
  slot.answered = 0;
  slot.asked = Clock::now();
  // An idle socket's send buffer holds any request that the options allow.
  const ssize_t put = ::send(slot.socket.get(), request_.data(), request_.size(), MSG_NOSIGNAL);
  if (put != static_cast<ssize_t>(request_.size())) fail_slot(slot, errno);
}

void Load::on_readable(Slot& slot) {
  const ssize_t got = ::read(slot.socket.get(), buffer_.data(), buffer_.size());
  if (got < 0) {
    if (errno != EAGAIN) fail_slot(slot, errno);
  } else if (got == 0) {
    slot.step == Slot::Step::waiting_for_fin ? complete(slot) : fail_slot(slot, EPIPE);
  } else {
    slot.answered += static_cast<std::size_t>(got);
    if (slot.answered == request_.size()) on_answer(slot);
  }
}

void Load::on_answer(Slot& slot) {
  const auto time = Clock::now() - slot.asked;
  round_trips_.record(static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(time).count()));
  asks_again_ && !stopping_ ? ask(slot) : finish_sending(slot);
}

void Load::finish_sending(Slot& slot) {
  slot.step = Slot::Step::waiting_for_fin;
  ::shutdown(slot.socket.get(), SHUT_WR);
}

void Load::complete(Slot& slot) {
  ++completed_;
  restart(slot);
}

void Load::fail_slot(Slot& slot, int error) {
  ++failed_[std::strerror(error)];
  restart(slot);
}

void Load::restart(Slot& slot) {
  slot.socket.reset();
  --open_;
  if (!stopping_) start(slot);
}

nlohmann::json Load::report() const {
  return {{"mode", options_.mode},
          {"attempted", attempted_},
          {"completed", completed_},
          {"failed", failed_},
          {"seconds", elapsed_seconds_},
          {"connections_per_second", static_cast<double>(completed_) / elapsed_seconds_},
          {"requests_per_second", static_cast<double>(round_trips_.count()) / elapsed_seconds_},
          {"round_trip",
           {{"count", round_trips_.count()},
            {"p50_ns", round_trips_.percentile(50)},
            {"p99_ns", round_trips_.percentile(99)}}}};
}

int load(int argc, char** argv) {
  CLI::App app("Opens and closes connections over the kernel's TCP.", "kernel-load");
  Options options;
  app.add_option("--mode", options.mode,
                 "connect, request or exchange (requests on the same connections)")
      ->check(CLI::IsMember({"connect", "request", "exchange"}))
      ->capture_default_str();
  app.add_option("--server", options.server, "ADDRESS:PORT")->capture_default_str();
  app.add_option("--source", options.source, "range of source addresses")->capture_default_str();
  app.add_option("--concurrency", options.concurrency, "connections at once")
      ->check(CLI::Range(1U, 10'000U))
      ->capture_default_str();
  app.add_option("--request-size", options.request_bytes, "bytes there and back")
      ->check(CLI::Range(1U, 16'384U))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "how long new connections are opened")
      ->check(CLI::Range(0.1, 600.0))
      ->capture_default_str();
  app.add_option("--cpu", options.cpu, "keep to this CPU");
  CLI11_PARSE(app, argc, argv);

  if (SourceRange(options.source).family() != SocketAddress(options.server).family()) {
    fmt::print(stderr, "--source {} and --server {} are of different families\n", options.source,
               options.server);
    return 2;
  }
  pin_to_cpu(options.cpu);
  stop_on_signals();
  Load run(options);
  run.run();
  fmt::print("{}\n", run.report().dump());
  return 0;
}

}  // namespace
}  // namespace handfast::bench

int main(int argc, char** argv) {
  return handfast::bench::load(argc, argv);
}
