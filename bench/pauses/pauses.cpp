// pauses: for how long the machine keeps a thread from its CPU that only reads the clock: for
// interrupts, for other threads, or because the host has something else to run. It is the floor of
// every tail latency here. What arrives during a pause waits for its end, however fast it is served
// then; so what is printed is how long arrivals at random moments wait, on all of the CPUs
// together: a handshake needs both ends.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "handfast/time.hpp"
#include "runtime/affinity.hpp"

namespace handfast::bench {
namespace {

using Clock = std::chrono::steady_clock;

// Shorter than this is what reading the clock takes, or a miss.
constexpr Duration kPauseMin = std::chrono::microseconds(1);
constexpr std::size_t kPausesMax = 1 << 20;  // kept; a CPU has some thousands a second

struct Watch {
  bool is_pinned = false;
  Duration length{0};
  std::vector<Duration> pauses;
};

void watch(unsigned cpu, Duration length, Watch& out) {
  out.is_pinned = runtime::pin_this_thread(cpu);
  if (!out.is_pinned) return;
  out.pauses.reserve(kPausesMax);
  const auto begin = Clock::now();
  auto last = begin;
  while (last - begin < length && out.pauses.size() < kPausesMax) {
    const auto now = Clock::now();
    if (now - last > kPauseMin) out.pauses.push_back(now - last);
    last = now;
  }
  out.length = last - begin;
}

// The share of arrivals that wait longer than `limit`: those that come in a pause, that much before
// its end.
double share_waiting(const std::vector<Watch>& watches, Duration limit) {
  double share = 0;
  for (const Watch& watch : watches) {
    Duration late{0};
    for (const Duration pause : watch.pauses) late += std::max(pause - limit, Duration{0});
    share += static_cast<double>(late.count()) / static_cast<double>(watch.length.count());
  }
  return share;
}

// The wait that no more than `share` of the arrivals exceed.
Duration wait_of(const std::vector<Watch>& watches, double share) {
  Duration low{0};
  Duration high = std::chrono::hours(1);
  while (high - low > std::chrono::nanoseconds(1)) {
    const Duration middle = low + (high - low) / 2;
    (share_waiting(watches, middle) > share ? low : high) = middle;
  }
  return high;
}

Duration longest(const std::vector<Watch>& watches) {
  Duration found{0};
  for (const Watch& watch : watches) {
    for (const Duration pause : watch.pauses) found = std::max(found, pause);
  }
  return found;
}

int run(int count, char** values) {
  double seconds = 2;
  bool as_json = false;
  std::vector<unsigned> cpus;
  CLI::App app("Measures for how long the machine keeps polling threads from their CPUs.");
  app.add_option("--seconds", seconds, "how long")
      ->check(CLI::Range(0.01, 60.0))
      ->capture_default_str();
  app.add_option("--cores", cpus, "the CPUs, one thread on each; default: the first two")
      ->delimiter(',');
  app.add_flag("--json", as_json, "print one line of JSON");
  CLI11_PARSE(app, count, values);
  if (cpus.empty()) {
    cpus = runtime::allowed_cpus();
    if (cpus.size() > 2) cpus.resize(2);
  }

  const auto length = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  std::vector<Watch> watches(cpus.size());
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < cpus.size(); ++i) {
      threads.emplace_back([&, i] { watch(cpus[i], length, watches[i]); });
    }
  }
  for (std::size_t i = 0; i < cpus.size(); ++i) {
    if (watches[i].is_pinned) continue;
    fmt::print(stderr,
               "pauses: no thread can be put on CPU {}; give CPUs that this process may "
               "use\n",
               cpus[i]);
    return 1;
  }

  const Duration p99 = wait_of(watches, 0.01);
  const Duration p999 = wait_of(watches, 0.001);
  if (as_json) {
    fmt::print("{}\n", nlohmann::json{{"seconds", seconds},
                                      {"cpus", cpus},
                                      {"p99_ns", p99.count()},
                                      {"p99_9_ns", p999.count()},
                                      {"max_ns", longest(watches).count()}}
                           .dump());
  } else {
    constexpr double kUs = 1000;
    fmt::print(
        "an arrival waits for the machine: p99 {:.1f} us, p99.9 {:.1f} us, longest {:.1f} "
        "us\n",
        static_cast<double>(p99.count()) / kUs, static_cast<double>(p999.count()) / kUs,
        static_cast<double>(longest(watches).count()) / kUs);
  }
  return 0;
}

}  // namespace
}  // namespace handfast::bench

int main(int count, char** values) {
  return handfast::bench::run(count, values);
}
