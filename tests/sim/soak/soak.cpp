// soak: runs many seeds, each a small world of its own, on all cores; prints every seed of which
// an invariant broke, and exits with 1 when there was one. --replay runs a single seed and prints
// all that happens in it.
#include <fmt/format.h>
#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <optional>
#include <thread>

#include "drivers/capture/capture_file.hpp"
#include "tests/sim/soak/soak_run.hpp"

namespace handfast::sim {
namespace {

struct Options {
  std::uint64_t seeds = 1000;
  std::uint64_t from = 1;
  std::size_t threads = 0;  // 0: all cores
  std::optional<std::uint64_t> replay;
  std::string pcap_file;
  bool plan_only = false;
};

// What all seeds together came to.
class Tally {
 public:
  void add(const SoakReport& report) {
    const std::scoped_lock lock(mutex_);
    ++seeds_;
    frames_ += report.frames;
    for (std::size_t i = 0; i < ends_.size(); ++i) ends_[i] += report.ends[i];
    if (report.failure_count == 0) return;
    ++failed_;
    fmt::print("seed {}: {} broken\n", report.seed, report.failure_count);
    for (const std::string& failure : report.failures) fmt::print("  {}\n", failure);
    std::fflush(stdout);
  }
  bool is_good() const { return failed_ == 0; }
  void print(double seconds) const {
    fmt::print("{} seeds, {} failed, {} frames, {:.1f} s;", seeds_, failed_, frames_, seconds);
    for (std::size_t i = 0; i < ends_.size(); ++i) {
      if (ends_[i] > 0) fmt::print(" {} {}", ends_[i], to_string(static_cast<CloseReason>(i)));
    }
    fmt::print("\n");
  }

 private:
  std::mutex mutex_;
  std::uint64_t seeds_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t frames_ = 0;
  std::array<std::uint64_t, std::tuple_size_v<decltype(SoakReport::ends)>> ends_{};
};

// An assertion ends the whole run: it is to be known in which seed.
thread_local std::uint64_t running_seed = 0;

void tell_seed(int) {
  std::array<char, 64> line{};
  const auto end = fmt::format_to_n(line.data(), line.size(), "seed {}: aborted\n", running_seed);
  (void)!::write(STDOUT_FILENO, line.data(), std::min(end.size, line.size()));
}

int run_many(const Options& options) {
  std::signal(SIGABRT, tell_seed);
  const std::size_t threads = options.threads != 0
                                  ? options.threads
                                  : static_cast<std::size_t>(std::thread::hardware_concurrency());
  const oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism,
                                          threads);
  const auto start = std::chrono::steady_clock::now();
  Tally tally;
  oneapi::tbb::parallel_for(
      oneapi::tbb::blocked_range<std::uint64_t>(options.from, options.from + options.seeds),
      [&](const auto& range) {
        for (std::uint64_t seed = range.begin(); seed != range.end(); ++seed) {
          running_seed = seed;
          tally.add(run_soak(Plan::draw(seed)));
        }
      });
  tally.print(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  return tally.is_good() ? 0 : 1;
}

int replay(const Options& options) {
  const Plan plan = Plan::draw(*options.replay);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // all of it is there when an assertion fails
  fmt::print("{}", plan.to_string());
  if (options.plan_only) return 0;
  SoakWatchers watchers;
  watchers.trace = [](Instant now, const std::string& line) {
    fmt::print("{:>14.6f} {}\n", static_cast<double>(now.ns()) / 1e9, line);
  };
  if (!options.pcap_file.empty()) {
    constexpr std::uint64_t kFramesMax = 10'000'000;
    auto file = drivers::CaptureFile::create(options.pcap_file, kFramesMax, 0);
    if (!file) {
      fmt::print(stderr, "soak: {}\n", file.error());
      return 2;
    }
    watchers.tap = [capture = *file](Instant now, base::Bytes frame) {
      // A packet is writable by type; this one is only read.
      const base::Packet packet{.data = const_cast<std::byte*>(frame.data()),
                                .length = static_cast<std::uint32_t>(frame.size())};
      capture->write(now, {&packet, 1});
    };
  }
  const SoakReport report = run_soak(plan, watchers);
  Tally tally;
  tally.add(report);
  tally.print(std::chrono::duration<double>(report.virtual_time).count());
  fmt::print("digest {:016x}\n", report.digest);
  return tally.is_good() ? 0 : 1;
}

}  // namespace
}  // namespace handfast::sim

int main(int argc, char** argv) {
  handfast::sim::Options options;
  CLI::App app{"Runs small worlds drawn from seeds and checks every step of them."};
  app.add_option("--seeds", options.seeds, "how many")->capture_default_str();
  app.add_option("--from", options.from, "the first one")->capture_default_str();
  app.add_option("--threads", options.threads, "0: as many as there are cores");
  app.add_option("--replay", options.replay, "run this one seed and print all that happens");
  app.add_option("--pcap", options.pcap_file, "with --replay: write every frame");
  app.add_flag("--plan", options.plan_only, "with --replay: print only what the seed means");
  CLI11_PARSE(app, argc, argv);
  return options.replay ? handfast::sim::replay(options) : handfast::sim::run_many(options);
}
