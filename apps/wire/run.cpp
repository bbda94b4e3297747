#include "apps/wire/run.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <fstream>

#include "apps/wire/nap.hpp"
#include "apps/wire/ports.hpp"
#include "apps/wire/report.hpp"
#include "runtime/affinity.hpp"
#include "runtime/clock.hpp"

namespace handfast::emulator {
namespace {

std::atomic<bool> g_stop{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void stop_on_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { g_stop.store(true, std::memory_order_relaxed); };
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

void nap(Duration time) {
  const timespec wanted{.tv_sec = 0, .tv_nsec = time.count()};
  ::nanosleep(&wanted, nullptr);  // a signal may end it early
}

void carry(Direction& a_to_b, Direction& b_to_a, const Options& options,
           const runtime::TscClock& clock) {
  const Instant end = options.duration ? clock.now() + *options.duration : Instant::never();
  Instant moved = clock.now();
  while (!g_stop.load(std::memory_order_relaxed)) {
    const Instant now = clock.now();
    if (now >= end) return;
    const bool first_moved = a_to_b.turn(now);
    if (b_to_a.turn(now) || first_moved) {
      moved = now;
    } else if (options.idle == IdleMode::sleep) {
      nap(time_to_nap(now, moved, std::min({a_to_b.next_release(), b_to_a.next_release(), end})));
    }
  }
}

bool write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.close();
  return file.good();
}

}  // namespace

std::expected<int, std::string> run(const Options& options) {
  stop_on_signals();  // also while the ports open
  const std::uint32_t held_max = options.held_max.value_or(
      std::max(frames_in_flight(options.a_to_b), frames_in_flight(options.b_to_a)));
  auto ports = open_ports(runtime_config(options, held_max));
  if (!ports) return std::unexpected(std::move(ports.error()));
  if (options.cpu && !runtime::pin_this_thread(*options.cpu)) {
    return std::unexpected(fmt::format("--cpu {}: there is no such CPU here", *options.cpu));
  }
  constexpr unsigned long kTimerSlackNs = 1000;  // of 50,000 otherwise: a nap would double
  ::prctl(PR_SET_TIMERSLACK, kTimerSlackNs, 0, 0, 0);

  base::Device& a = ports->a.port->queue(0);
  base::Device& b = ports->b.port->queue(0);
  Direction a_to_b(a, b, options.a_to_b, drivers::direction_seed(options.seed, 0), held_max);
  Direction b_to_a(b, a, options.b_to_a, drivers::direction_seed(options.seed, 1), held_max);
  fmt::print("joined: A is {}, B is {}\n", options.a.name, options.b.name);
  std::fflush(stdout);

  const runtime::TscClock clock;
  const Instant start = clock.now();
  carry(a_to_b, b_to_a, options, clock);
  const Report report{clock.now() - start, a_to_b.counters(), b_to_a.counters()};
  fmt::print("{}", to_text(report));
  if (!options.json_file.empty() && !write_file(options.json_file, to_json(report, options))) {
    fmt::print(stderr, "handfast-wire: cannot write '{}'\n", options.json_file);
    return apps::kExitFailed;
  }
  return 0;
}

}  // namespace handfast::emulator
