// Two whole stacks on one thread, joined by a wire that only hands frames over: what a connection
// costs both ends together, without a link, a driver or a second core. Items are connections.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "base/device.hpp"
#include "drivers/link/sim_pool.hpp"
#include "stack/pump.hpp"
#include "stack/stack.hpp"

namespace handfast::stack {
namespace {

using base::Packet;

// One end of the wire. Both ends draw from one pool, so a frame changes hands without a copy.
class WireEnd final : public base::Device {
 public:
  WireEnd(base::PacketPool& pool, std::uint8_t last_octet) : pool_(&pool) {
    info_.mac = {2, 0, 0, 0, 0, last_octet};
    info_.copies_shared = true;  // the peer gets the very packet: it must not be shared
  }
  void join(WireEnd& peer) { peer_ = &peer; }

  const base::DeviceInfo& info() const override { return info_; }
  base::PacketPool& pool() override { return *pool_; }
  std::size_t receive(Instant, std::span<Packet> out) override {
    const std::size_t n = std::min(out.size(), count_ - first_);
    std::copy_n(arrived_.begin() + static_cast<std::ptrdiff_t>(first_), n, out.begin());
    first_ += n;
    if (first_ == count_) first_ = count_ = 0;
    return n;
  }
  std::size_t send(Instant, std::span<const Packet> frames) override {
    WireEnd& to = *peer_;
    const std::size_t n = std::min(frames.size(), to.arrived_.size() - to.count_);
    std::copy_n(frames.begin(), n, to.arrived_.begin() + static_cast<std::ptrdiff_t>(to.count_));
    to.count_ += n;
    return n;
  }

 private:
  base::DeviceInfo info_;
  base::PacketPool* pool_;
  WireEnd* peer_ = nullptr;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::array<Packet, 4096> arrived_;
};

StackConfig config_of(const char* address) {
  StackConfig config;
  config.interface.addresses = {*Prefix::parse(address)};
  config.max_time_wait = 30'000'000;
  config.seed = 1;
  return config;
}

struct Server {
  std::size_t on_data(Connection connection, Bytes data) {
    return connection.send(data).value_or(0);
  }
};

struct Client {
  void on_open(Connection connection) {
    if (request.empty()) {
      (void)connection.close();
    } else {
      (void)connection.send(request);
    }
  }
  std::size_t on_data(Connection connection, Bytes data) {
    (void)connection.close();
    return data.size();
  }
  void on_closed(Connection, CloseReason) {
    ++closed;
    --in_flight;
  }
  std::vector<std::byte> request;
  std::uint64_t closed = 0;
  std::uint64_t in_flight = 0;
};

struct TwoHosts {
  explicit TwoHosts(std::size_t request_bytes) {
    client_end.join(server_end);
    server_end.join(client_end);
    client_handler.request.resize(request_bytes);
    (void)server->worker().listen({.address = {}, .port = 80}, server_handler);
  }
  static std::unique_ptr<Stack> make(const StackConfig& config, WireEnd& end, unsigned worker) {
    auto stack = Stack::create(config, {.worker = worker}, end.info(), end.pool(), nullptr);
    if (!stack) std::abort();
    return std::move(*stack);
  }
  void turn() {
    constexpr std::uint64_t kConcurrency = 256;
    now = now + std::chrono::microseconds(5);
    client_pump.turn(now, [this] {
      for (int i = 0; i < 32 && client_handler.in_flight < kConcurrency; ++i) {
        if (!client->worker().connect(to, client_handler, {.source = source()})) break;
        ++client_handler.in_flight;
      }
    });
    server_pump.turn(now);
  }
  // A run of ports from each address of the range.
  Address source() {
    constexpr std::uint64_t kRun = 1024;
    if (opened % kRun == 0) current_source = sources.nth(opened / kRun % sources.size());
    ++opened;
    return current_source;
  }

  drivers::SimPool pool{16'384};
  WireEnd client_end{pool, 1};
  WireEnd server_end{pool, 2};
  StackConfig client_config = [] {
    StackConfig config = config_of("198.19.0.2/24");
    config.interface.owned_ranges = {*Prefix::parse("198.18.0.0/16")};
    return config;
  }();
  StackConfig server_config = [] {
    StackConfig config = config_of("198.19.0.1/24");
    config.interface.routes = {
        {.destination = *Prefix::parse("198.18.0.0/16"), .gateway = *Address::parse("198.19.0.2")}};
    return config;
  }();
  std::unique_ptr<Stack> client = make(client_config, client_end, 0);
  std::unique_ptr<Stack> server = make(server_config, server_end, 1);
  Pump client_pump{*client, client_end};
  Pump server_pump{*server, server_end};
  Client client_handler;
  Server server_handler;
  Endpoint to = *Endpoint::parse("198.19.0.1:80");
  Prefix sources = *Prefix::parse("198.18.0.0/16");
  Address current_source;
  std::uint64_t opened = 0;
  Instant now = Instant::from_ns(1'000'000'000);
};

// Opens and closes connections without pause; one iteration is one turn of each end. The argument
// is the size of request and answer in bytes, 0 for none.
void open_and_close(benchmark::State& state) {
  TwoHosts hosts(static_cast<std::size_t>(state.range(0)));
  while (hosts.client_handler.closed < 100'000) hosts.turn();
  const std::uint64_t before = hosts.client_handler.closed;
  for (auto _ : state) hosts.turn();
  const std::uint64_t closed = hosts.client_handler.closed - before;
  state.SetItemsProcessed(static_cast<std::int64_t>(closed));
  state.counters["a_connection"] = benchmark::Counter(
      static_cast<double>(closed), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(open_and_close)->Arg(0)->Arg(64);

}  // namespace
}  // namespace handfast::stack

BENCHMARK_MAIN();
