// flood-load: what `handfast-load connect` does, from a port that it shares with a SYN flood. Half
// of the time without the flood and half of it with: the same clients, on the same link, to the
// same server. Says "flood begins" and "flood ends" on lines of their own, for who watches the
// server meanwhile, and then its report as one line of JSON.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "apps/load/churn.hpp"
#include "apps/load/options.hpp"
#include "apps/load/plan.hpp"
#include "apps/options/quantity.hpp"
#include "bench/syn_flood/flood_device.hpp"
#include "runtime/affinity.hpp"
#include "runtime/assembly.hpp"
#include "runtime/settings.hpp"
#include "stack/pump.hpp"

namespace handfast::bench {
namespace {

constexpr Duration kPatience = std::chrono::seconds(20);  // for the last ones to end

struct Settings {
  std::string server = "198.19.0.1:8000";
  std::string address = "198.19.0.2/24";
  std::string source = "198.18.0.0/16";
  std::string spoofed = "198.19.128.0/17";
  std::string mode = "connect";
  std::string device;
  double rate = 2e6;
  double seconds = 3;
  std::uint32_t concurrency = 512;
  unsigned cpu = 0;
  bool huge_pages = false;
};

// A phase of the run, or a moment.
struct Moment {
  Instant at;
  std::uint64_t completed = 0;
};

struct Outcome {
  load::Tally tally;
  Counters counters;
  Moment begin, flood, end;
  std::uint64_t offered = 0, taken = 0, answered = 0;
  bool is_over = false;  // all connections ended in time
};

template <class T>
T read(std::string_view name, const std::string& text) {
  const auto value = T::parse(text);
  if (value) return *value;
  fmt::print(stderr, "flood-load: {}: {}\n", name, value.error());
  std::exit(2);
}

load::Options options_of(const Settings& settings) {
  load::Options options;
  options.mode = settings.mode == "connect" ? load::Mode::connect : load::Mode::request;
  options.server = read<Endpoint>("--server", settings.server);
  options.address = read<Prefix>("--address", settings.address);
  options.source = read<Prefix>("--source", settings.source);
  options.duration =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(2 * settings.seconds));
  options.concurrency = settings.concurrency;
  options.cores = {settings.cpu};
  options.port = "net_memif0";
  options.huge_pages = settings.huge_pages;
  options.eal = {"--vdev=" + settings.device};
  return options;
}

void say(std::string_view line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

class Run {
 public:
  Run(const Settings& settings, const load::Plan& plan, stack::Stack& stack, FloodDevice& device)
      : settings_(settings),
        stack_(stack),
        device_(device),
        gate_(1),
        churn_(plan.client_of(0), gate_),
        pump_(stack, device) {}

  Outcome run(const runtime::TscClock& clock) {
    const auto half =
        std::chrono::duration_cast<Duration>(std::chrono::duration<double>(settings_.seconds));
    turn_until(clock, clock.now() + kPatience, [this] { return churn_.tally().completed != 0; });
    const Moment begin = moment(clock);
    turn_until(clock, begin.at + half, [] { return false; });
    const Moment flood = moment(clock);
    say("flood begins");
    device_.begin(clock.now());
    turn_until(clock, flood.at + half, [] { return false; });
    const Moment end = moment(clock);
    device_.stop();
    say("flood ends");
    const auto is_over = [this] { return churn_.phase() == load::Phase::finished; };
    turn_until(clock, clock.now() + kPatience, is_over);
    return {.tally = churn_.tally(),
            .counters = stack_.counters().snapshot(),
            .begin = begin,
            .flood = flood,
            .end = end,
            .offered = device_.offered(),
            .taken = device_.taken(),
            .answered = device_.answered(),
            .is_over = is_over()};
  }

 private:
  Moment moment(const runtime::TscClock& clock) const {
    return {.at = clock.now(), .completed = churn_.tally().completed};
  }
  template <class Condition>
  void turn_until(const runtime::TscClock& clock, Instant limit, Condition&& condition) {
    for (Instant now = clock.now(); now < limit && !condition(); now = clock.now()) {
      pump_.turn(now, [this] { churn_.on_poll(stack_.worker()); });
    }
  }

  const Settings& settings_;
  stack::Stack& stack_;
  FloodDevice& device_;
  load::Gate gate_;
  load::Churn churn_;
  stack::Pump pump_;
};

double rate_between(const Moment& from, const Moment& to) {
  return static_cast<double>(to.completed - from.completed) /
         std::chrono::duration<double>(to.at - from.at).count();
}

nlohmann::ordered_json report(const Outcome& outcome) {
  const double seconds = std::chrono::duration<double>(outcome.end.at - outcome.flood.at).count();
  nlohmann::ordered_json json;
  json["connections_per_second"] = rate_between(outcome.begin, outcome.flood);
  json["connections_per_second_flooded"] = rate_between(outcome.flood, outcome.end);
  json["attempted"] = outcome.tally.attempted;
  json["completed"] = outcome.tally.completed;
  json["failed"] = outcome.tally.failed();
  json["is_over"] = outcome.is_over;
  json["syn_retransmitted"] = outcome.counters.syn_retransmitted;
  json["rst_received"] = outcome.counters.rst_received;
  json["flood"] = {{"offered_per_second", static_cast<double>(outcome.offered) / seconds},
                   {"taken_per_second", static_cast<double>(outcome.taken) / seconds},
                   {"answered_per_second", static_cast<double>(outcome.answered) / seconds}};
  return json;
}

std::expected<Outcome, std::string> run(const Settings& settings) {
  const load::Options options = options_of(settings);
  const load::Plan plan = load::make_plan(options, load::memory_available());
  if (auto ok = runtime::start_eal(runtime::eal_request(plan.runtime)); !ok) {
    return std::unexpected(std::move(ok.error()));
  }
  const runtime::TscClock clock;
  runtime::Assembly assembly;
  if (auto ok = assembly.build(plan.runtime, clock); !ok) {
    return std::unexpected(std::move(ok.error()));
  }
  const auto spoofed = read<Prefix>("--spoofed", settings.spoofed);
  if (spoofed.network.is_v4() != options.server.address.is_v4()) {
    return std::unexpected("--spoofed and --server are of different IP versions");
  }
  FloodDevice device(assembly.device(0), spoofed, options.server, settings.rate);
  auto stack =
      stack::Stack::create(plan.runtime.ports[0].stack, {}, device.info(), device.pool(), nullptr);
  if (!stack) return std::unexpected(std::move(stack.error()));
  runtime::pin_this_thread(settings.cpu);
  (*stack)->advance(clock.now());
  return Run(settings, plan, **stack, device).run(clock);
}

int main_of(int count, char** values) {
  CLI::App app("Opens and closes connections beside a SYN flood, over memif.", "flood-load");
  Settings settings;
  app.add_option("--server", settings.server, "ADDRESS:PORT")->capture_default_str();
  app.add_option("--address", settings.address, "our own")->capture_default_str();
  app.add_option("--source", settings.source, "the clients' range")->capture_default_str();
  app.add_option("--spoofed", settings.spoofed, "the flood's range, of the server's family")
      ->capture_default_str();
  app.add_option("--mode", settings.mode, "the clients' work")
      ->check(CLI::IsMember({"connect", "request"}))
      ->capture_default_str();
  app.add_option("--device", settings.device, "EAL's arguments of net_memif0")->required();
  app.add_option("--rate", settings.rate, "SYNs a second of the flood")
      ->check(CLI::Range(0.0, 1e8))
      ->capture_default_str();
  app.add_option("--seconds", settings.seconds, "without the flood, and as long with it")
      ->check(CLI::Range(0.1, 600.0))
      ->capture_default_str();
  app.add_option("--concurrency", settings.concurrency, "connections at once")
      ->check(CLI::Range(1U, 10'000U))
      ->capture_default_str();
  app.add_option("--cpu", settings.cpu, "keep to this CPU")->capture_default_str();
  app.add_flag("--huge-pages", settings.huge_pages, "use 2 MiB pages (needs them to be set up)");
  CLI11_PARSE(app, count, values);

  const auto outcome = run(settings);
  if (!outcome) {
    fmt::print(stderr, "flood-load: {}\n", outcome.error());
    return 1;
  }
  say(report(*outcome).dump());
  return 0;
}

}  // namespace
}  // namespace handfast::bench

int main(int count, char** values) {
  return handfast::bench::main_of(count, values);
}
