#include "apps/load/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "apps/options/rates.hpp"
#include "apps/options/readable.hpp"

namespace handfast::load {
namespace {

using apps::seconds;

constexpr std::uint32_t kConcurrencyDefault = 512;
// With a rate, what is in flight follows from the rate and the round trip; this only bounds it.
constexpr std::uint32_t kConcurrencyAtRate = 65'536;
constexpr std::uint64_t kTimeWaitBytes = 36;  // a record and its share of the table
constexpr std::uint64_t kTimeWaitMin = 65'536;
constexpr std::uint64_t kTimeWaitPlannedMax = 500'000'000;
constexpr double kUsualRate = 2e6;    // whose TIME-WAIT records' memory is taken at start
constexpr double kFastestRate = 5e6;  // connections/s, where no rate is given
constexpr std::uint32_t kSpareRecords = 4'096;
constexpr std::uint32_t kRequestsAtOnce = 10'240;
// A record with its share of the tables, and the TIME-WAIT that follows it.
constexpr std::uint64_t kKeptBytes = 340;

std::uint32_t concurrency_of(const Options& options) {
  if (options.concurrency) return *options.concurrency;
  if (options.mode == Mode::stream || options.mode == Mode::fetch) return 1;
  return options.rate ? kConcurrencyAtRate : kConcurrencyDefault;
}

// Handshakes of the connections that are opened first and kept.
std::uint32_t held_concurrency_of(const Options& options) {
  return options.concurrency.value_or(kConcurrencyDefault);
}

// Connections beside the kept ones that are open at the same time, at most, over all workers.
std::uint64_t in_passing(const Options& options) {
  return std::max(concurrency_of(options), held_concurrency_of(options));
}

// Each occupies a packet until it is acknowledged, and another while it is in a queue on its way.
std::uint32_t requests_at_once(const Options& options) {
  if (options.mode != Mode::exchange) return 0;
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(options.in_flight.value_or(kRequestsAtOnce), *options.connections));
}

// Connections whose 2MSL falls into the run, at so many a second where no rate is asked for.
std::uint64_t closes_in_run(const Options& options, double rate) {
  const bool keeps_all = options.mode == Mode::hold || options.mode == Mode::exchange;
  if (keeps_all) return 0;
  if (options.mode == Mode::stream) return concurrency_of(options);
  double time = seconds(2 * options.msl);
  if (options.duration) time = std::min(time, seconds(*options.duration));
  double closes = options.rate.value_or(rate) * time;
  if (options.connections) closes = std::min(closes, static_cast<double>(*options.connections));
  return static_cast<std::uint64_t>(closes);
}

// Room for every one of them, as far as an eighth of the memory goes.
std::uint64_t time_wait_room(const Options& options, std::uint64_t memory_available) {
  if (options.max_time_wait) return *options.max_time_wait;
  const std::uint64_t wanted =
      closes_in_run(options, kFastestRate) + in_passing(options) + kTimeWaitMin;
  const std::uint64_t memory = memory_available / 8 / kTimeWaitBytes;
  // Each of the kept ones ends as one, and takes no more memory than it had.
  return std::min(options.kept() + std::max(std::min(wanted, memory), kTimeWaitMin),
                  kTimeWaitPlannedMax);
}

// The size of a record table for so many in passing, with some to spare. The kept ones are added
// to it without, for the flow table takes memory for every place.
std::uint32_t records_for(std::uint64_t open) {
  return static_cast<std::uint32_t>(open + open / 4 + kSpareRecords);
}

StackConfig both_sides(const Options& options) {
  StackConfig stack = options.connection_settings;
  // The same at both ends of the embedded pair, whose workers then agree on who owns a flow.
  stack.seed = options.seed;
  stack.msl = options.msl;
  stack.textbook = options.textbook;
  stack.congestion_control = options.congestion;
  stack.prefault = !options.no_prefault;
  stack.interface.mtu = options.mtu;
  // A pure load has no use for long patience: what is lost is to show in the report.
  stack.syn_timeout = std::chrono::seconds(30);
  return stack;
}

StackConfig client_stack(const Options& options, std::uint64_t time_wait_per_worker) {
  StackConfig stack = both_sides(options);
  stack.interface.addresses = {options.address};
  const Prefix source = options.source_range();
  if (source.size() > 1 || source.network != options.address.network) {
    stack.interface.owned_ranges = {source};
  }
  (options.address.network.is_v4() ? stack.interface.gateway : stack.interface.gateway6) =
      options.gateway;
  stack.max_connections =
      static_cast<std::uint32_t>(options.kept()) + records_for(in_passing(options));
  stack.max_half_open = kSpareRecords;
  stack.max_time_wait = static_cast<std::uint32_t>(time_wait_per_worker) + kSpareTimeWait;
  const std::uint64_t closes = closes_in_run(options, kUsualRate) / options.workers;
  if (stack.prefault) {
    stack.prefault_time_wait =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(closes, stack.max_time_wait));
  }
  if (options.fast_open) stack.fast_open = FastOpen::client;
  return stack;
}

// Twice the client's records: a connection that the client counts as ended waits here for its last
// ACK while the next one already opens.
StackConfig server_stack(const Options& options) {
  StackConfig stack = both_sides(options);
  const std::uint64_t open = in_passing(options);
  stack.interface.addresses = {Prefix{options.server.address, options.address.length}};
  const Prefix source = options.source_range();
  if (!options.address.contains(source.network)) {
    stack.interface.routes = {Route{source, options.address.network}};
  }
  stack.max_connections = static_cast<std::uint32_t>(options.kept()) + records_for(2 * open);
  stack.max_half_open = stack.max_half_open_per_listener = records_for(2 * open);
  stack.max_time_wait = static_cast<std::uint32_t>(std::max<std::uint64_t>(2 * open, kTimeWaitMin));
  if (options.fast_open) stack.fast_open = FastOpen::server;
  stack.max_fast_open = stack.max_half_open;
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
  config.packets_per_worker += 2 * requests_at_once(options);
  PortConfig client{options.port, client_stack(options, time_wait_per_worker), options.workers,
                    options.tso};
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
                           .fast_open = options.fast_open,
                           .server = options.server,
                           .source = options.source_range(),
                           .on_link = options.address,
                           .rate = options.rate.value_or(0),
                           .concurrency = concurrency_of(options),
                           .connections = opens,
                           .held = options.held.value_or(0),
                           .held_concurrency = held_concurrency_of(options),
                           .in_flight = options.in_flight.value_or(kRequestsAtOnce),
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
  const auto at_once = [&](std::uint32_t all) {
    return static_cast<std::uint32_t>(
        std::max<std::uint64_t>(share(all, client_workers, client_worker), 1));
  };
  mine.concurrency = at_once(client.concurrency);
  mine.held_concurrency = at_once(client.held_concurrency);
  mine.in_flight = at_once(client.in_flight);
  mine.connections = share(client.connections, client_workers, client_worker);
  mine.held = share(client.held, client_workers, client_worker);
  mine.first_source = client.source.size() / client_workers * client_worker;
  return mine;
}

std::expected<void, std::string> check_memory(const Options& options,
                                              std::uint64_t memory_available) {
  const std::uint64_t ends = options.embedded() ? 2 : 1;
  const std::uint64_t needed = options.kept() * ends * kKeptBytes;
  if (needed <= memory_available) return {};
  return std::unexpected(fmt::format(
      "{} connections kept open need about {} of memory{}, and {} are available; give fewer",
      apps::grouped(options.kept()), apps::readable_bytes(static_cast<double>(needed)),
      ends == 2 ? " for both ends" : "",
      apps::readable_bytes(static_cast<double>(memory_available))));
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
