#include "apps/load/plan.hpp"

#include <algorithm>
#include <fstream>
#include <string>

namespace handfast::load {
namespace {

constexpr std::uint32_t kConcurrencyDefault = 512;
// With a rate, what is in flight follows from the rate and the round trip; this only bounds it.
constexpr std::uint32_t kConcurrencyAtRate = 65'536;
constexpr std::uint64_t kTimeWaitBytes = 36;  // a record and its share of the table
constexpr std::uint64_t kTimeWaitMin = 65'536;
constexpr std::uint64_t kTimeWaitMax = 500'000'000;
constexpr double kFastestRate = 5e6;  // connections/s, where no rate is given
constexpr std::uint32_t kSpareRecords = 4'096;

double seconds(Duration time) {
  return std::chrono::duration<double>(time).count();
}

std::uint32_t concurrency_of(const Options& options) {
  if (options.concurrency) return *options.concurrency;
  if (options.mode == Mode::stream || options.mode == Mode::fetch) return 1;
  return options.rate ? kConcurrencyAtRate : kConcurrencyDefault;
}

// Connections that are open at the same time, at most, over all workers.
std::uint64_t open_at_once(const Options& options) {
  const std::uint64_t concurrency = concurrency_of(options);
  return options.mode == Mode::hold ? *options.connections : concurrency;
}

// Room for every close whose 2MSL falls into the run, as far as an eighth of the memory goes.
std::uint64_t time_wait_room(const Options& options, std::uint64_t memory_available) {
  if (options.max_time_wait) return *options.max_time_wait;
  double time = seconds(2 * options.msl);
  if (options.duration && options.mode != Mode::hold) {
    time = std::min(time, seconds(*options.duration));
  }
  double closes = options.rate.value_or(kFastestRate) * time;
  if (options.connections) closes = std::min(closes, static_cast<double>(*options.connections));
  const std::uint64_t wanted =
      static_cast<std::uint64_t>(closes) + open_at_once(options) + kTimeWaitMin;
  const std::uint64_t memory = memory_available / 8 / kTimeWaitBytes;
  return std::min(std::max(std::min(wanted, memory), kTimeWaitMin), kTimeWaitMax);
}

// The size of a record table that holds `open` connections with some to spare.
std::uint32_t records_for(std::uint64_t open) {
  return static_cast<std::uint32_t>(open + open / 4 + kSpareRecords);
}

StackConfig both_sides(const Options& options) {
  StackConfig stack = options.connection_settings;
  stack.msl = options.msl;
  stack.textbook = options.textbook;
  stack.congestion_control = options.congestion;
  stack.interface.mtu = options.mtu;
  // A pure load has no use for long patience: what is lost is to show in the report.
  stack.syn_timeout = std::chrono::seconds(30);
  return stack;
}

StackConfig client_stack(const Options& options, std::uint64_t time_wait_per_worker) {
  StackConfig stack = both_sides(options);
  const std::uint64_t open = open_at_once(options);
  stack.interface.addresses = {options.address};
  const Prefix source = options.source_range();
  if (source.size() > 1 || source.network != options.address.network) {
    stack.interface.owned_ranges = {source};
  }
  (options.address.network.is_v4() ? stack.interface.gateway : stack.interface.gateway6) =
      options.gateway;
  stack.max_connections = records_for(open);
  stack.max_half_open = kSpareRecords;
  stack.max_time_wait = static_cast<std::uint32_t>(time_wait_per_worker) + kSpareTimeWait;
  stack.seed = options.seed;
  return stack;
}

// Twice the client's records: a connection that the client counts as ended waits here for its last
// ACK while the next one already opens.
StackConfig server_stack(const Options& options) {
  StackConfig stack = both_sides(options);
  const std::uint64_t open = open_at_once(options);
  stack.interface.addresses = {Prefix{options.server.address, options.address.length}};
  const Prefix source = options.source_range();
  if (!options.address.contains(source.network)) {
    stack.interface.routes = {Route{source, options.address.network}};
  }
  stack.max_connections = records_for(2 * open);
  stack.max_half_open = records_for(2 * open);
  stack.max_time_wait = static_cast<std::uint32_t>(std::max<std::uint64_t>(2 * open, kTimeWaitMin));
  if (options.seed) stack.seed = *options.seed + 1;
  return stack;
}

RuntimeConfig runtime_config(const Options& options, std::uint64_t time_wait_per_worker) {
  RuntimeConfig config;
  config.eal = options.eal;
  config.embedded = options.embedded();
  config.cores = options.cores;
  config.huge_pages = options.huge_pages;
  config.idle = options.idle;
  config.pcap_file = options.pcap_file;
  PortConfig client{options.port, client_stack(options, time_wait_per_worker), options.workers};
  if (config.embedded) {
    config.ports.push_back(PortConfig{"", server_stack(options), options.workers});
  }
  config.ports.push_back(std::move(client));
  return config;
}

// The share of worker `index` of `workers` in `total`: they differ by one at most.
std::uint64_t share(std::uint64_t total, unsigned workers, unsigned index) {
  return total / workers + (index < total % workers ? 1 : 0);
}

}  // namespace

Plan make_plan(const Options& options, std::uint64_t memory_available) {
  const std::uint64_t time_wait =
      std::max<std::uint64_t>(time_wait_room(options, memory_available) / options.workers, 1);
  Plan plan;
  plan.runtime = runtime_config(options, time_wait);
  plan.server_workers = options.embedded() ? options.workers : 0;
  plan.client_workers = options.workers;
  const std::uint64_t opens =
      options.mode == Mode::stream ? concurrency_of(options) : options.connections.value_or(0);
  plan.client = ClientPlan{.mode = options.mode,
                           .closing = options.closing,
                           .direction = options.direction,
                           .textbook = options.textbook,
                           .server = options.server,
                           .source = options.source_range(),
                           .on_link = options.address,
                           .rate = options.rate.value_or(0),
                           .concurrency = concurrency_of(options),
                           .connections = opens,
                           .duration = options.duration,
                           .stream_bytes = options.bytes.value_or(kEndless),
                           .path = options.path,
                           .request_size = options.request_size,
                           .response_size = options.response_size,
                           .max_time_wait = time_wait};
  plan.server = ServerPlan{.mode = options.mode,
                           .closing = options.closing,
                           .direction = options.direction,
                           .local = options.server,
                           .stream_bytes = options.bytes.value_or(kEndless),
                           .request_size = options.request_size,
                           .response_size = options.response_size};
  return plan;
}

ClientPlan Plan::client_of(unsigned client_worker) const {
  ClientPlan mine = client;
  mine.rate = client.rate / client_workers;
  mine.concurrency =
      static_cast<std::uint32_t>(share(client.concurrency, client_workers, client_worker));
  mine.concurrency = std::max(mine.concurrency, 1U);
  mine.connections = share(client.connections, client_workers, client_worker);
  mine.first_source = client.source.size() / client_workers * client_worker;
  return mine;
}

std::uint64_t memory_available() {
  std::ifstream file("/proc/meminfo");
  std::string name;
  std::uint64_t kilobytes = 0;
  std::string unit;
  while (file >> name >> kilobytes >> unit) {
    if (name == "MemAvailable:") return kilobytes * 1024;
  }
  return std::uint64_t{1} << 30;
}

}  // namespace handfast::load
