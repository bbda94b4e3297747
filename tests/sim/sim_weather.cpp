// sim_weather: runs one bulk transfer through simulated weather and says what came of it, or one of
// the four traces of docs/recovery.md. Either can be written as pcap and printed segment by
// segment, as seen at the sender. Exit code 1 when something went wrong.
//
//   sim_weather --loss 0.01 --delay 10 --rate 100000000 --sender cubic
//   sim_weather --trace lost-tail --picture 100 --pcap lost-tail.pcap
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "drivers/capture/capture_file.hpp"
#include "tests/sim/picture.hpp"
#include "tests/sim/traces.hpp"
#include "tests/sim/weather_options.hpp"

namespace handfast::sim {
namespace {

constexpr std::uint64_t kPcapFramesMax = 10'000'000;

struct Output {
  std::string trace;
  std::string pcap_file;
  std::uint64_t picture_lines = 0;
  bool counters = false;
};

// Where frames go that are seen.
class Show {
 public:
  // False: the pcap file cannot be written.
  bool open(const Output& output) {
    lines_left_ = output.picture_lines;
    if (lines_left_ > 0) fmt::print("{}", Picture::heading());
    if (output.pcap_file.empty()) return true;
    auto file = drivers::CaptureFile::create(output.pcap_file, kPcapFramesMax, 0);
    if (!file) {
      fmt::print(stderr, "sim_weather: {}\n", file.error());
      return false;
    }
    pcap_ = *file;
    return true;
  }
  bool is_on() const { return pcap_ != nullptr || lines_left_ > 0; }
  void frame(Instant now, const base::Packet& packet, std::string_view note = {}) {
    if (pcap_ != nullptr) pcap_->write(now, {&packet, 1});
    if (lines_left_ == 0) return;
    const std::string line = picture_.line_of(now, packet.bytes(), note);
    if (line.empty()) return;
    fmt::print("{}", line);
    --lines_left_;
  }

 private:
  std::shared_ptr<drivers::CaptureFile> pcap_;
  std::uint64_t lines_left_ = 0;
  Picture picture_;
};

void print_counters(const char* end, const Counters& counters) {
  counters.for_each([&](std::string_view name, std::string_view, std::uint64_t value) {
    if (value > 0) fmt::print("  {} {:<28} {}\n", end, name, value);
  });
}

int print_end(const std::vector<std::string>& failures, const Counters& sender,
              const Counters& receiver, const Output& output) {
  fmt::print("{} segments sent again, {} time-outs\n", sender.data_retransmitted,
             sender.retransmission_timeouts);
  if (output.counters) {
    print_counters("sender", sender);
    print_counters("receiver", receiver);
  }
  for (const std::string& failure : failures) fmt::print("FAILED: {}\n", failure);
  return failures.empty() ? 0 : 1;
}

std::string note_of(const Fate* fate) {
  if (fate == nullptr) return {};
  if (fate->is_lost) return "lost";
  if (fate->held == Duration{0}) return {};
  return fmt::format("{:.1f} ms late",
                     std::chrono::duration<double, std::milli>(fate->held).count());
}

int run_trace(const Trace& trace, CongestionControl algorithm, const Output& output, Show& show) {
  const TraceReport report =
      run_trace(trace, algorithm, [&](Instant now, const base::Packet& packet, const Fate* fate) {
        show.frame(now, packet, note_of(fate));
      });
  fmt::print("{} {}: {:.3f} ms, ", trace.what, name_of(algorithm),
             std::chrono::duration<double, std::milli>(report.took).count());
  return print_end(report.failures, report.sender, report.receiver, output);
}

int run_weather(const WeatherConfig& config, const Output& output, Show& show) {
  std::function<void(Instant, base::Bytes)> tap;
  if (show.is_on()) {
    tap = [&show](Instant now, base::Bytes frame) {
      // A packet is writable by type; this one is only read.
      show.frame(now, {.data = const_cast<std::byte*>(frame.data()),
                       .length = static_cast<std::uint32_t>(frame.size())});
    };
  }
  const WeatherReport report = run_weather(config, tap);
  fmt::print(
      "{:.3f} Mbit/s over {:.3f} s of virtual time, {}; {} frames on the line, {} lost, {} "
      "dropped at the queue, {} marked; fairness {:.3f}; {:016x}\n",
      static_cast<double>(report.goodput_kbps()) / 1000,
      std::chrono::duration<double>(report.measured).count(),
      report.is_complete ? "complete" : "cut off", report.line.frames, report.line.dropped,
      report.line.dropped_queue, report.line.ce_marked, report.fairness(), report.digest);
  return print_end(report.failures, report.senders, report.receiver, output);
}

}  // namespace
}  // namespace handfast::sim

int main(int argc, char** argv) {
  using namespace handfast::sim;
  WeatherConfig config;
  Output output;
  CLI::App app{"Runs a bulk transfer through simulated weather."};
  add_weather_options(app, config);
  std::vector<std::string> names;
  for (const Trace& trace : all_traces()) names.emplace_back(trace.name);
  app.add_option("--trace", output.trace, "one of the known traces instead; --sender counts")
      ->check(CLI::IsMember(names));
  app.add_option("--pcap", output.pcap_file, "write every frame as seen at the senders");
  app.add_option("--picture", output.picture_lines, "print so many segments, one a line");
  app.add_flag("--counters", output.counters, "print both ends' counters");
  CLI11_PARSE(app, argc, argv);
  Show show;
  if (!show.open(output)) return 2;
  const Trace* const trace = find_trace(output.trace);
  if (trace == nullptr) return run_weather(config, output, show);
  return run_trace(*trace, config.senders.front().algorithm, output, show);
}
