// sim_transfer: runs one simulated transfer, or several with seeds that follow each other, and says
// how each went. Exit code 1 when one failed.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <memory>

#include "drivers/capture/capture_file.hpp"
#include "tests/sim/transfer_options.hpp"

namespace handfast::sim {
namespace {

constexpr std::uint64_t kPcapFramesMax = 10'000'000;

struct Output {
  std::uint64_t seeds = 1;
  bool counters = false;
  std::string pcap_file;
};

void print_counters(const char* end, const Counters& counters) {
  counters.for_each([&](std::string_view name, std::string_view, std::uint64_t value) {
    if (value > 0) fmt::print("  {} {:<28} {}\n", end, name, value);
  });
}

using Tap = std::function<void(Instant, base::Bytes)>;

bool run_and_print(const TransferConfig& config, const Output& output, const Tap& tap) {
  const auto start = std::chrono::steady_clock::now();
  const TransferReport report = run_transfer(config, tap);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  const bool is_ok = report.failure_count == 0;
  fmt::print(
      "seed {}: {}; {} connections, {} frames, {:.1f} s of virtual time in {:.2f} s; {:016x}\n",
      config.seed, is_ok ? "ok" : "FAILED", config.connections, report.frames,
      std::chrono::duration<double>(report.virtual_time).count(), took.count(), report.digest);
  for (const std::string& failure : report.failures) fmt::print("  {}\n", failure);
  if (!is_ok)
    fmt::print("  {} failures; again with: {}\n", report.failure_count, command_of(config));
  if (output.counters) {
    print_counters("client", report.client);
    print_counters("server", report.server);
  }
  std::fflush(stdout);
  return is_ok;
}

int run_seeds(TransferConfig config, const Output& output) {
  Tap tap;
  if (!output.pcap_file.empty()) {
    auto file = drivers::CaptureFile::create(output.pcap_file, kPcapFramesMax, 0);
    if (!file) {
      fmt::print(stderr, "sim_transfer: {}\n", file.error());
      return 2;
    }
    tap = [capture = *file](Instant now, base::Bytes frame) {
      // A packet is writable by type; this one is only read.
      const base::Packet packet{.data = const_cast<std::byte*>(frame.data()),
                                .length = static_cast<std::uint32_t>(frame.size())};
      capture->write(now, {&packet, 1});
    };
  }
  bool is_ok = true;
  for (std::uint64_t i = 0; i < output.seeds; ++i, ++config.seed) {
    is_ok = run_and_print(config, output, tap) && is_ok;
  }
  return is_ok ? 0 : 1;
}

}  // namespace
}  // namespace handfast::sim

int main(int argc, char** argv) {
  handfast::sim::TransferConfig config;
  handfast::sim::Output output;
  CLI::App app{"Runs a simulated transfer and checks every byte and event of it."};
  handfast::sim::add_options(app, config);
  app.add_option("--seeds", output.seeds, "how many seeds, from --seed on");
  app.add_flag("--counters", output.counters, "print both ends' counters");
  app.add_option("--pcap", output.pcap_file, "write every frame sent, also those lost on the way");
  CLI11_PARSE(app, argc, argv);
  return handfast::sim::run_seeds(config, output);
}
