#include "tests/sim/weather.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/flow_key.hpp"
#include "tests/sim/bulk.hpp"
#include "tests/sim/world.hpp"

namespace handfast::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kNetwork = 0x0a000000;  // 10.0.0.0/16; the senders count from .0.1
constexpr Endpoint kReceiver{Address::v4(kNetwork + 0x0100), 7000};
constexpr std::uint16_t kFirstPort = 10'000;
constexpr std::uint64_t kFrameBytes = 1514;

class Weather {
 public:
  using Tap = std::function<void(Instant, base::Bytes)>;

  Weather(const WeatherConfig& config, const Tap& tap);
  WeatherReport run();

 private:
  StackConfig stack_config(CongestionControl algorithm, std::uint32_t address) const;
  void add_sender(const WeatherSender& sender);
  void add_receiver();
  void connect(std::size_t host, std::size_t flow);
  void start_all();
  bool is_over() const { return flows_.through_count == flows_.flows.size(); }
  void measure(Instant from, const std::vector<std::uint64_t>& before);
  void finish();
  void digest_frame(Instant now, base::Bytes frame);
  std::vector<std::uint64_t> received() const;

  WeatherConfig config_;
  base::Random random_;
  BulkFlows flows_;
  BulkSender sender_{flows_};
  BulkReceiver receiver_{flows_, kFirstPort};
  World world_;
  std::vector<std::size_t> sender_hosts_;
  std::size_t receiver_host_ = 0;
  WeatherReport report_;
};

Weather::Weather(const WeatherConfig& config, const Tap& tap)
    : config_(config), random_(config.seed) {
  for (const WeatherSender& sender : config_.senders) add_sender(sender);
  add_receiver();
  world_.link().set_tap([this, tap](Instant now, base::Bytes frame) {
    digest_frame(now, frame);
    if (tap) tap(now, frame);
  });
}

StackConfig Weather::stack_config(CongestionControl algorithm, std::uint32_t address) const {
  StackConfig stack;
  stack.interface.addresses = {{Address::v4(address), 16}};
  stack.max_connections = WeatherConfig::kSendersMax * WeatherConfig::kFlowsMax + 64;
  stack.max_half_open = stack.max_connections;
  stack.max_time_wait = stack.max_connections;
  stack.syn_timeout = 60min;
  stack.user_timeout = 60min;
  stack.congestion_control = algorithm;
  if (algorithm == CongestionControl::dctcp) stack.ecn = EcnMode::offer;
  // Never the bound that is met: the path's is to be seen, up to four times what it holds.
  const auto room = static_cast<std::uint32_t>(4 * config_.bdp_bytes());
  stack.send_buffer_max = std::max(stack.send_buffer_max, room);
  stack.receive_buffer_max = std::max(stack.receive_buffer_max, room);
  return stack;
}

void Weather::add_sender(const WeatherSender& sender) {
  const auto number = static_cast<std::uint32_t>(sender_hosts_.size());
  HostConfig host{.stack = stack_config(sender.algorithm, kNetwork + number + 1),
                  .seed = random_.next()};
  // What waits to be acknowledged, four times: the pool counts as low at a quarter.
  host.packets = 32'768 + 16 * config_.bdp_bytes() / kFrameBytes;
  sender_hosts_.push_back(world_.add_host(host));
  flows_.flows.resize(flows_.flows.size() + sender.flows, BulkFlow{.bytes = config_.bytes});
}

void Weather::add_receiver() {
  HostConfig host{
      .stack = stack_config(config_.senders.front().algorithm, kReceiver.address.v4_value()),
      .seed = random_.next()};
  drivers::Impairment forth = config_.line;
  forth.queue_max.bytes = config_.queue_bytes();
  drivers::Impairment back = forth;
  back.ce_threshold = {};
  const std::uint64_t on_the_way = config_.bdp_bytes() + config_.queue_bytes();
  host.impair = drivers::ImpairConfig{
      .send = back,
      .receive = forth,
      .seed = random_.next(),
      // Acknowledgements are small: many more of them are on the way at once.
      .held_max = drivers::ImpairConfig::kHeldMax + 4 * on_the_way / kFrameBytes};
  host.packets = 32'768 + 16 * on_the_way / kFrameBytes;
  receiver_host_ = world_.add_host(host);
}

void Weather::connect(std::size_t host, std::size_t flow) {
  const ConnectOptions options{.source_port = static_cast<std::uint16_t>(kFirstPort + flow),
                               .context = flow};
  const auto connection = world_.worker(host).connect(kReceiver, sender_, options);
  if (!connection) {
    flows_.fail(flow, fmt::format("connect: {}", to_string(connection.error())));
    return;
  }
  flows_.flows[flow].sender = *connection;
}

void Weather::start_all() {
  std::size_t flow = 0;
  for (std::size_t i = 0; i < sender_hosts_.size(); ++i) {
    for (std::uint32_t j = 0; j < config_.senders[i].flows; ++j, ++flow) {
      if (flow > 0 && config_.stagger > Duration{0}) world_.run_for(config_.stagger);
      connect(sender_hosts_[i], flow);
    }
  }
}

std::vector<std::uint64_t> Weather::received() const {
  std::vector<std::uint64_t> bytes;
  for (const BulkFlow& flow : flows_.flows) bytes.push_back(flow.received);
  return bytes;
}

void Weather::measure(Instant from, const std::vector<std::uint64_t>& before) {
  Instant end = world_.now();
  report_.is_complete = is_over();
  if (report_.is_complete) {
    end = from;
    for (const BulkFlow& flow : flows_.flows) end = std::max(end, flow.through_at);
  }
  report_.measured = end - from;
  for (std::size_t i = 0; i < flows_.flows.size(); ++i) {
    report_.bytes.push_back(flows_.flows[i].received - before[i]);
  }
}

// Ends what is still open, so that every packet must be back.
void Weather::finish() {
  for (BulkFlow& flow : flows_.flows) {
    if (flow.is_through) continue;
    (void)flow.sender.abort();
    (void)flow.receiver.abort();
  }
  for (const std::size_t host : sender_hosts_) {
    report_.senders += world_.worker(host).counters();
  }
  report_.receiver = world_.worker(receiver_host_).counters();
  report_.line = world_.impairment(receiver_host_).received();
  if (world_.shut_down() != 0) flows_.failures.emplace_back("a pool misses packets");
  const drivers::LinkCounters& link = world_.link().counters();
  if (link.dropped_pool + link.dropped_queue + report_.line.dropped_pool != 0) {
    flows_.failures.emplace_back("the simulator itself lost frames");
  }
  report_.failures = flows_.failures;
}

void Weather::digest_frame(Instant now, base::Bytes frame) {
  std::array<std::uint64_t, 8> words{};  // the TCP checksum among them stands for the rest
  std::memcpy(words.data(), frame.data(), std::min(frame.size(), sizeof words));
  for (const std::uint64_t word : words) {
    report_.digest = base::fold_multiply(
        report_.digest ^ word ^ static_cast<std::uint64_t>(now.ns()), 0x9e3779b97f4a7c15);
  }
}

WeatherReport Weather::run() {
  const Instant start = world_.now();
  if (!world_.worker(receiver_host_).listen(kReceiver, receiver_)) {
    flows_.failures.emplace_back("listen failed");
  }
  start_all();
  const Instant from = start + config_.measured_from;
  if (from > world_.now()) world_.run_for(from - world_.now());
  const std::vector<std::uint64_t> before = received();
  const Instant measured_from = world_.now();
  const Duration left = config_.limit - (measured_from - start);
  if (!world_.run_until([this] { return is_over(); }, left)) {
    world_.run_for(start + config_.limit - world_.now());
  }
  measure(measured_from, before);
  finish();
  return report_;
}

}  // namespace

std::uint64_t WeatherConfig::bdp_bytes() const {
  constexpr std::uint64_t kUsPerSecond = 1'000'000;
  const auto round_trip_us = static_cast<std::uint64_t>(2 * line.delay.count() / 1000);
  return line.bits_per_second / 8 * round_trip_us / kUsPerSecond;
}

std::uint64_t WeatherConfig::queue_bytes() const {
  // Less holds no burst of an initial window.
  return line.queue_max.bytes != 0 ? line.queue_max.bytes : std::max(bdp_bytes(), 16 * kFrameBytes);
}

std::uint64_t WeatherReport::goodput_kbps() const {
  constexpr std::uint64_t kKbitNsPerByteS = 8'000'000;
  std::uint64_t all = 0;
  for (const std::uint64_t one : bytes) all += one;
  const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(1, measured.count()));
  return static_cast<std::uint64_t>(base::Wide{all} * kKbitNsPerByteS / ns);
}

double WeatherReport::fairness() const {
  double sum = 0;
  double squares = 0;
  for (const std::uint64_t one : bytes) {
    const auto share = static_cast<double>(one);
    sum += share;
    squares += share * share;
  }
  return squares == 0 ? 0 : sum * sum / (static_cast<double>(bytes.size()) * squares);
}

WeatherReport run_weather(const WeatherConfig& config,
                          const std::function<void(Instant, base::Bytes)>& tap) {
  return Weather(config, tap).run();
}

}  // namespace handfast::sim
