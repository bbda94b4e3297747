#include "apps/serve/run.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/options/command_line.hpp"
#include "apps/options/interrupt.hpp"
#include "apps/options/readable.hpp"
#include "apps/serve/server.hpp"

namespace handfast::serve {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Duration kLookEvery = std::chrono::milliseconds(20);
constexpr Duration kDrainMax = std::chrono::seconds(2);
constexpr Duration kDrainStep = std::chrono::milliseconds(100);

// All workers together.
struct Summary {
  std::array<ServiceTally, kServiceCount> services;
  ServiceTally dialled;
  std::vector<apps::TransferRecord> transfers;
  Counters counters;
  std::uint64_t open = 0;
  std::uint64_t time_wait = 0;
};

class Run {
 public:
  explicit Run(const Options& options) : options_(options), servers_(options.workers) {}

  std::expected<void, std::string> start();
  void watch(const apps::Interrupt& interrupt) const;
  void drain(const apps::Interrupt& interrupt);
  Summary summary();
  // How the dialled connection ended, if it has.
  std::optional<CloseReason> dial_ending() const {
    return options_.dial ? servers_.front()->dial_ending() : std::nullopt;
  }
  Runtime& runtime() { return *runtime_; }

 private:
  const Options& options_;
  std::vector<Server*> servers_;  // by worker; they belong to the workers' threads
  std::unique_ptr<Runtime> runtime_;
};

std::expected<void, std::string> Run::start() {
  auto runtime = Runtime::start(runtime_config(options_), [this](unsigned worker) {
    auto server = std::make_unique<Server>(options_, options_.dial && worker == 0);
    servers_[worker] = server.get();
    return server;
  });
  if (!runtime) return std::unexpected(runtime.error());
  runtime_ = std::move(*runtime);
  return {};
}

void Run::watch(const apps::Interrupt& interrupt) const {
  const Clock::time_point begin = Clock::now();
  const bool only_dials = options_.listen.empty();
  while (!interrupt.asked()) {
    if (options_.duration && Clock::now() - begin >= *options_.duration) return;
    if (only_dials && dial_ending()) return;
    runtime_->wait(kLookEvery);
  }
}

void Run::drain(const apps::Interrupt& interrupt) {
  const Clock::time_point begin = Clock::now();
  while (!runtime_->drain(kDrainStep)) {
    if (interrupt.asked_again() || Clock::now() - begin > kDrainMax) return;
  }
}

Summary Run::summary() {
  Summary sum;
  for (unsigned worker = 0; worker < servers_.size(); ++worker) {
    runtime_->run_on(worker, [&](Worker& at) {
      const Server& server = *servers_[worker];
      for (std::size_t i = 0; i < kServiceCount; ++i) {
        sum.services[i] += server.tally(static_cast<Service>(i));
      }
      sum.dialled += server.dialled();
      for (apps::TransferRecord& transfer : server.transfers()) {
        sum.transfers.push_back(std::move(transfer));
      }
      sum.counters += runtime_->counters(worker);  // with the port's
      sum.open += at.open_count() + at.half_open_count();
      sum.time_wait += at.time_wait_count();
    });
  }
  return sum;
}

std::string ready_line(const Options& options) {
  std::string line;
  for (const Listen& listen : options.listen) {
    const Endpoint at{options.address.network, listen.port};
    fmt::format_to(std::back_inserter(line), "{}{} ({})", line.empty() ? "listening on " : ", ",
                   at.to_string(), to_string(listen.service));
  }
  if (options.dial) {
    fmt::format_to(std::back_inserter(line), "{}dialling {}", line.empty() ? "" : "; ",
                   options.dial->to_string());
  }
  return line + "\n";
}

void print_tally(std::string_view name, const ServiceTally& tally) {
  std::string endings;
  for (std::size_t i = 0; i < tally.closed.size(); ++i) {
    if (tally.closed[i] == 0) continue;
    fmt::format_to(std::back_inserter(endings), "{}{} {}", endings.empty() ? "" : ", ",
                   apps::grouped(tally.closed[i]), to_string(static_cast<CloseReason>(i)));
  }
  fmt::print("{:<12}{:>14}{:>16}{:>16}   {}\n", name, apps::grouped(tally.opened),
             apps::readable_bytes(static_cast<double>(tally.bytes_received)),
             apps::readable_bytes(static_cast<double>(tally.bytes_sent)),
             endings.empty() ? "none" : endings);
}

void print_summary(const Options& options, const Summary& sum) {
  fmt::print("\n{:<12}{:>14}{:>16}{:>16}   {}\n", "service", "connections", "received", "sent",
             "ended");
  for (std::size_t i = 0; i < kServiceCount; ++i) {
    const auto service = static_cast<Service>(i);
    if (options.has(service)) print_tally(to_string(service), sum.services[i]);
  }
  if (options.dial) print_tally("dialled", sum.dialled);
  fmt::print("\nframes received {}, sent {}; still open {}, in TIME-WAIT {}\n",
             apps::grouped(sum.counters.frames_received), apps::grouped(sum.counters.frames_sent),
             apps::grouped(sum.open), apps::grouped(sum.time_wait));
  if (options.fast_open) {
    fmt::print("requests that came in the SYN {}, cookies refused {}\n",
               apps::grouped(sum.counters.fast_open_accepted),
               apps::grouped(sum.counters.fast_open_refused));
  }
  sum.counters.for_each([](std::string_view name, std::string_view meaning, std::uint64_t count) {
    if (count != 0 && (name.starts_with("drop_") || name.starts_with("port_"))) {
      fmt::print("  {:<24}{:>14}  {}\n", name, apps::grouped(count), meaning);
    }
  });
}

bool write_json(const Options& options, const Summary& sum) {
  using Json = nlohmann::ordered_json;
  Json json;
  Json services = Json::object();
  for (std::size_t i = 0; i < kServiceCount; ++i) {
    const auto service = static_cast<Service>(i);
    if (!options.has(service)) continue;
    const ServiceTally& tally = sum.services[i];
    services[std::string(to_string(service))] = {{"opened", tally.opened},
                                                 {"bytes_received", tally.bytes_received},
                                                 {"bytes_sent", tally.bytes_sent}};
  }
  json["services"] = std::move(services);
  json["transfers"] = Json::array();
  for (const auto& transfer : sum.transfers) json["transfers"].push_back(apps::to_json(transfer));
  Json counters = Json::object();
  sum.counters.for_each([&](std::string_view name, std::string_view, std::uint64_t count) {
    counters[std::string(name)] = count;
  });
  json["counters"] = std::move(counters);
  std::ofstream file(options.json_file);
  file << json.dump(2) << '\n';
  file.close();
  return file.good();
}

// A dialled connection is to end by both FINs.
int exit_code(const std::optional<CloseReason>& ending) {
  return !ending || *ending == CloseReason::finished ? 0 : apps::kExitFailed;
}

}  // namespace

std::expected<int, std::string> run(const Options& options) {
  Run run(options);
  if (auto started = run.start(); !started) return std::unexpected(started.error());
  const apps::Interrupt interrupt(run.runtime());
  fmt::print("{}", ready_line(options));
  std::fflush(stdout);
  run.watch(interrupt);
  run.drain(interrupt);
  const Summary summary = run.summary();
  print_summary(options, summary);
  const auto ending = run.dial_ending();
  run.runtime().stop();
  if (!options.json_file.empty() && !write_json(options, summary)) {
    return std::unexpected(fmt::format("cannot write '{}'", options.json_file));
  }
  return exit_code(ending);
}

}  // namespace handfast::serve
