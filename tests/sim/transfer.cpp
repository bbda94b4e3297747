#include "tests/sim/transfer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/flow_key.hpp"
#include "tests/sim/ledger.hpp"
#include "tests/sim/transfer_handler.hpp"
#include "tests/sim/world.hpp"

namespace handfast::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kClientNetwork = 0x0a000000;  // 10.0.0.0, and its 16 first hosts
constexpr std::uint32_t kSources = 16;
constexpr Endpoint kServer{Address::v4(0x0a000101), 7000};
constexpr Duration kMsl = 30s;
// Far more than any run takes: a connection that hangs must not hang the test.
constexpr Duration kLimit = std::chrono::hours(12);

// Bounds that give up no connection however unlucky its frames are: what is asked for is that
// every single one gets through.
StackConfig stack_config(const TransferConfig& config, base::Random& random) {
  StackConfig stack;
  stack.max_connections = config.concurrency * 2 + 64;
  stack.max_half_open = config.concurrency * 2 + 64;
  stack.max_time_wait = config.connections + 1024;
  stack.msl = kMsl;
  // Or six losses in a row outlast 2MSL, and the last FIN meets nobody: a reset that is right.
  stack.rto_max = 4s;
  stack.syn_timeout = 60min;
  stack.user_timeout = 60min;
  if (config.vary) {
    stack.send_buffer = 4096U << random.below(7);
    stack.receive_buffer = 4096U << random.below(7);
    stack.timestamps = random.below(4) != 0;
    stack.window_scaling = random.below(4) != 0;
    stack.textbook = random.below(4) == 0;
  }
  return stack;
}

class Transfer {
 public:
  using Tap = std::function<void(Instant, base::Bytes)>;

  Transfer(const TransferConfig& config, const Tap& tap);
  TransferReport run();

 private:
  void add_client();
  void add_server();
  void open_next();
  std::uint32_t number_of(const ConnectionInfo& info) const;
  static std::size_t slot_of(const Endpoint& source);
  bool is_over();
  void judge_counters(const Counters& seen, End end);
  void judge_time_wait();
  void require(bool holds, const char* what);
  void digest_frame(Instant now, base::Bytes frame);

  TransferConfig config_;
  base::Random random_;
  Ledger ledger_;
  TransferHandler client_{ledger_, End::client};
  TransferHandler server_{ledger_, End::server};
  World world_{{.latency = 1ms}, 100us};
  std::size_t client_host_ = 0;
  std::size_t server_host_ = 0;
  std::uint32_t opened_ = 0;
  // By source address and port: which connection uses it, or used it last.
  std::vector<std::uint32_t> numbers_;
  TransferReport report_;
};

Transfer::Transfer(const TransferConfig& config, const Tap& tap)
    : config_(config),
      random_(config.seed),
      ledger_(config),
      numbers_(std::size_t{kSources} << 16, TransferHandler::kUnknown) {
  add_client();
  add_server();
  client_.set_on_each_closed([this](std::uint32_t) { open_next(); });
  server_.set_number_of([this](const ConnectionInfo& info) { return number_of(info); });
  world_.link().set_tap([this, tap](Instant now, base::Bytes frame) {
    digest_frame(now, frame);
    if (tap) tap(now, frame);
  });
}

void Transfer::add_client() {
  HostConfig host{.stack = stack_config(config_, random_), .seed = random_.next()};
  host.packets = 65'536;
  host.stack.interface.addresses = {{Address::v4(kClientNetwork + kSources), 16}};
  host.stack.interface.owned_ranges = {{Address::v4(kClientNetwork), 28}};
  const drivers::Impairment weather{.drop = config_.loss,
                                    .duplicate = config_.duplicate,
                                    .reorder = config_.reorder,
                                    .corrupt = config_.corrupt,
                                    .jitter = 200us,
                                    .reorder_delay = 3ms};
  host.impair = drivers::ImpairConfig{.send = weather, .receive = weather, .seed = random_.next()};
  client_host_ = world_.add_host(host);
}

void Transfer::add_server() {
  HostConfig host{.stack = stack_config(config_, random_), .seed = random_.next()};
  host.packets = 65'536;
  host.stack.interface.addresses = {{kServer.address, 16}};
  server_host_ = world_.add_host(host);
}

std::size_t Transfer::slot_of(const Endpoint& source) {
  return std::size_t{source.address.v4_value() % kSources} << 16 | source.port;
}

std::uint32_t Transfer::number_of(const ConnectionInfo& info) const {
  return numbers_[slot_of(info.remote)];
}

void Transfer::open_next() {
  if (opened_ == config_.connections) return;
  const std::uint32_t number = opened_++;
  ConnectOptions options;
  options.source = Address::v4(kClientNetwork + number % kSources);
  options.context = number;
  const auto connection = world_.worker(client_host_).connect(kServer, client_, options);
  if (!connection) {
    ledger_.fail(number, End::client, fmt::format("connect: {}", to_string(connection.error())));
    return;
  }
  const Endpoint source = connection->info()->local;
  numbers_[slot_of(source)] = number;
  ledger_.record(number, End::client).source_port = source.port;
}

bool Transfer::is_over() {
  if (client_.closed_count() < config_.connections) return false;
  for (const std::size_t host : {client_host_, server_host_}) {
    const Worker& worker = world_.worker(host);
    if (worker.open_count() + worker.half_open_count() > 0) return false;
  }
  return true;
}

void Transfer::require(bool holds, const char* what) {
  if (!holds) ledger_.fail(what);
}

void Transfer::judge_counters(const Counters& seen, End end) {
  const std::uint64_t all = config_.connections;
  const std::uint64_t bytes = all * config_.bytes;
  const bool is_client = end == End::client;
  require(seen.active_opens == (is_client ? all : 0), "active_opens is wrong");
  require(seen.established_active == (is_client ? all : 0), "established_active is wrong");
  require(seen.established_passive == (is_client ? 0 : all), "established_passive is wrong");
  require(seen.closed_finished == all, "closed_finished is wrong");
  require(seen.closed_reset + seen.closed_refused + seen.closed_timed_out + seen.closed_aborted +
                  seen.closed_unreachable ==
              0,
          "a connection is counted as closed for another reason than finished");
  require(seen.payload_bytes_sent == bytes, "payload_bytes_sent is wrong");
  require(seen.payload_bytes_received == bytes, "payload_bytes_received is wrong");
  require(seen.time_wait_cut_short == 0, "a TIME-WAIT was cut short");
  require(seen.time_wait_entered == seen.time_wait_kept + seen.time_wait_reused,
          "TIME-WAIT records entered are not those kept and reused");
  if (config_.corrupt == 0) {
    require(seen.drop_tcp_checksum + seen.drop_ip_checksum == 0, "a bad checksum on a clean link");
  }
}

void Transfer::judge_time_wait() {
  const auto count = [this] {
    return world_.worker(client_host_).time_wait_count() +
           world_.worker(server_host_).time_wait_count();
  };
  require(count() > 0, "nobody is in TIME-WAIT after the last close");
  world_.run_for(2 * kMsl + 1s);
  require(count() == 0, "a TIME-WAIT record outlived 2MSL");
}

void Transfer::digest_frame(Instant now, base::Bytes frame) {
  constexpr std::size_t kHeaders = 64;  // the TCP checksum among them stands for the rest
  std::array<std::uint64_t, kHeaders / sizeof(std::uint64_t)> words{};
  std::memcpy(words.data(), frame.data(), std::min(frame.size(), kHeaders));
  std::uint64_t digest = report_.digest ^ static_cast<std::uint64_t>(now.ns()) ^ frame.size() << 48;
  for (const std::uint64_t word : words) {
    digest = base::fold_multiply(digest ^ word, 0x9e3779b97f4a7c15);
  }
  report_.digest = digest;
  ++report_.frames;
}

TransferReport Transfer::run() {
  const Instant start = world_.now();
  require(world_.worker(server_host_).listen(kServer, server_).has_value(), "listen failed");
  for (std::uint32_t i = 0; i < std::min(config_.concurrency, config_.connections); ++i) {
    open_next();
  }
  const bool is_complete = world_.run_until([this] { return is_over(); }, kLimit);
  require(is_complete, "it came to a halt before all connections had closed");
  report_.virtual_time = world_.now() - start;
  ledger_.judge_records();
  if (is_complete) judge_time_wait();
  report_.client = world_.worker(client_host_).counters();
  report_.server = world_.worker(server_host_).counters();
  judge_counters(report_.client, End::client);
  judge_counters(report_.server, End::server);
  const drivers::LinkCounters& link = world_.link().counters();
  require(link.dropped_pool + link.dropped_queue == 0, "the simulated link itself lost frames");
  require(world_.shut_down() == 0, "a pool misses packets");
  report_.failures = ledger_.failures();
  report_.failure_count = ledger_.failure_count();
  return report_;
}

}  // namespace

TransferReport run_transfer(const TransferConfig& config,
                            const std::function<void(Instant, base::Bytes)>& tap) {
  return Transfer(config, tap).run();
}

}  // namespace handfast::sim
