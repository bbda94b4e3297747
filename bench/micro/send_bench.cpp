// Two whole stacks on one thread, over the simulated link: what a sending host costs when text
// leaves from where it lies, as against being copied into each frame, and when the port cuts it up.
// Only that host's turns are timed, without its device. Compare rows of one run.
#include <benchmark/benchmark.h>
#include <time.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <vector>

#include "drivers/link/link.hpp"
#include "stack/pump.hpp"
#include "stack/stack.hpp"

namespace handfast::stack {
namespace {

// The thread's own time: others use the machine too.
struct Clock {
  using duration = std::chrono::nanoseconds;
  static duration now() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + duration(time.tv_nsec);
  }
};

struct Way {
  bool copies_shared = false;
  drivers::LinkOffloads offloads = {};
};

// A link's port that says of itself what the benchmark wants, and how long it took.
class Port final : public base::Device {
 public:
  Port(base::Device& inner, bool copies_shared) : inner_(&inner), info_(inner.info()) {
    info_.copies_shared = copies_shared;
  }
  const base::DeviceInfo& info() const override { return info_; }
  base::PacketPool& pool() override { return inner_->pool(); }
  std::size_t receive(Instant now, std::span<base::Packet> out) override {
    const auto began = Clock::now();
    const std::size_t count = inner_->receive(now, out);
    spent += Clock::now() - began;
    return count;
  }
  std::size_t send(Instant now, std::span<const base::Packet> frames) override {
    const auto began = Clock::now();
    const std::size_t count = inner_->send(now, frames);
    spent += Clock::now() - began;
    return count;
  }

  Clock::duration spent{};

 private:
  base::Device* inner_;
  base::DeviceInfo info_;
};

class Host {
 public:
  Host(drivers::Link& link, const char* address, std::uint8_t number, const Way& way)
      : port_(link.add_port(pool_, {.mac = {2, 0, 0, 0, 0, number}}, way.offloads),
              way.copies_shared) {
    StackConfig config;
    config.interface.addresses = {*Prefix::parse(address)};
    config.congestion_control = CongestionControl::none;
    config.seed = number;
    auto stack = Stack::create(config, {}, port_.info(), pool_, nullptr);
    if (!stack) std::abort();
    stack_ = std::move(*stack);
    pump_ = std::make_unique<Pump>(*stack_, port_);
  }
  Worker& worker() { return stack_->worker(); }
  // Returns how long it took, without the device.
  Clock::duration turn(Instant now) {
    port_.spent = {};
    const auto began = Clock::now();
    pump_->turn(now);
    return Clock::now() - began - port_.spent;
  }

 private:
  drivers::SimPool pool_{16'384};
  Port port_;
  std::unique_ptr<Stack> stack_;
  std::unique_ptr<Pump> pump_;
};

struct Source {
  void on_open(Connection c) { fill(c); }
  void on_writable(Connection c) { fill(c); }
  void fill(Connection c) {
    while (c.send(text).value_or(0) == text.size()) {
    }
  }
  std::vector<std::byte> text{std::size_t{64} * 1024};
};

struct Sink {
  std::size_t on_data(Connection, Bytes data) {
    received += data.size();
    return data.size();
  }
  std::uint64_t received = 0;
};

// Sends back what arrives: by copy, or the packet itself.
struct Echo {
  std::size_t on_data(Connection c, Bytes data) {
    if (!retains) return c.send(data).value_or(0);
    if (auto buffer = c.retain()) (void)c.send(std::move(*buffer));
    return data.size();
  }
  bool retains = false;
};

// Sends and waits for all of it to come back.
struct PingPong {
  void on_open(Connection c) { (void)c.send(text); }
  std::size_t on_data(Connection c, Bytes data) {
    received += data.size();
    if (received % text.size() == 0) (void)c.send(text);
    return data.size();
  }
  std::vector<std::byte> text{std::size_t{14} * 1448};
  std::uint64_t received = 0;
};

constexpr Endpoint kServer{Address::v4(0xc6120002), 80};

class Pair {
 public:
  explicit Pair(const Way& way)
      : client_(link_, "198.18.0.1/24", 1, way), server_(link_, "198.18.0.2/24", 2, way) {}
  template <class Client, class Server>
  void connect(Client& client, Server& server) {
    if (!server_.worker().listen(kServer, server)) std::abort();
    if (!client_.worker().connect(kServer, client)) std::abort();
  }
  void turn() {
    constexpr Duration kTurn = std::chrono::microseconds(5);
    now_ = now_ + kTurn;
    client_time += client_.turn(now_);
    server_time += server_.turn(now_);
  }

  Clock::duration client_time{};
  Clock::duration server_time{};

 private:
  drivers::Link link_;
  Host client_;
  Host server_;
  Instant now_ = Instant::from_ns(1'000'000'000);
};

// Each iteration is `bytes` received; `spent` is the time of the host in question.
void measure(benchmark::State& state, Pair& pair, const std::uint64_t& received,
             std::uint64_t bytes, const Clock::duration& spent) {
  const auto run = [&] {
    const std::uint64_t enough = received + bytes;
    while (received < enough) pair.turn();
  };
  for (int i = 0; i < 10; ++i) run();
  const std::uint64_t before = received;
  for (auto _ : state) {
    const auto so_far = spent;
    run();
    state.SetIterationTime(std::chrono::duration<double>(spent - so_far).count());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(received - before));
}

void stream(benchmark::State& state, const Way& way) {
  Pair pair(way);
  Source source;
  Sink sink;
  pair.connect(source, sink);
  measure(state, pair, sink.received, 1'000'000, pair.client_time);
}
BENCHMARK_CAPTURE(stream, copied, Way{.copies_shared = true})->UseManualTime();
BENCHMARK_CAPTURE(stream, in_place, Way{})->UseManualTime();
BENCHMARK_CAPTURE(stream, copied_offloaded, Way{true, {.checksums = true}})->UseManualTime();
BENCHMARK_CAPTURE(stream, in_place_offloaded, Way{false, {.checksums = true}})->UseManualTime();
BENCHMARK_CAPTURE(stream, cut_up, Way{false, {.tso = true}})->UseManualTime();

void echo(benchmark::State& state, bool retains) {
  Pair pair(Way{false, {.checksums = true}});
  PingPong client;
  Echo server{.retains = retains};
  pair.connect(client, server);
  measure(state, pair, client.received, 100'000, pair.server_time);
}
BENCHMARK_CAPTURE(echo, copied, false)->UseManualTime();
BENCHMARK_CAPTURE(echo, retained, true)->UseManualTime();

}  // namespace
}  // namespace handfast::stack

BENCHMARK_MAIN();
