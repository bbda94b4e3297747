#include "tests/sim/weather_options.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace handfast::sim {
namespace {

using Algorithm = std::pair<std::string_view, CongestionControl>;
constexpr std::array<Algorithm, 5> kAlgorithms = {{
    {"new_reno", CongestionControl::new_reno},
    {"cubic", CongestionControl::cubic},
    {"dctcp", CongestionControl::dctcp},
    {"bbr", CongestionControl::bbr},
    {"none", CongestionControl::none},
}};

CongestionControl algorithm_of(std::string_view name) {
  for (const Algorithm& known : kAlgorithms) {
    if (known.first == name) return known.second;
  }
  throw CLI::ValidationError("--sender", fmt::format("'{}' is no algorithm", name));
}

// "cubic" or "cubic:8".
WeatherSender sender_of(const std::string& text) {
  const std::size_t colon = text.find(':');
  WeatherSender sender{.algorithm = algorithm_of(std::string_view{text}.substr(0, colon))};
  if (colon == std::string::npos) return sender;
  const std::string count = text.substr(colon + 1);
  if (!CLI::detail::lexical_cast(count, sender.flows) || sender.flows == 0 ||
      sender.flows > WeatherConfig::kFlowsMax) {
    throw CLI::ValidationError(
        "--sender", fmt::format("'{}' is not 1 to {} flows", count, WeatherConfig::kFlowsMax));
  }
  return sender;
}

void add_duration(CLI::App& app, const std::string& name, Duration& duration, double unit_ns,
                  const std::string& meaning) {
  app.add_option_function<double>(
         name,
         [&duration, unit_ns](double value) {
           duration = Duration{static_cast<std::int64_t>(value * unit_ns)};
         },
         meaning)
      ->check(CLI::Range(0.0, 1e6));
}

void add_line_options(CLI::App& app, drivers::Impairment& line) {
  constexpr double kMs = 1e6;
  const auto probability = CLI::Range(0.0, 0.9);
  app.add_option("--rate", line.bits_per_second, "bits per second, each way")
      ->check(CLI::Range(10'000ULL, 100'000'000'000ULL));
  add_duration(app, "--delay", line.delay, kMs, "milliseconds, each way");
  add_duration(app, "--jitter", line.jitter, kMs, "milliseconds at most, on top of it");
  app.add_option("--queue", line.queue_max.bytes, "bytes; 0: one bandwidth-delay product");
  app.add_option("--mark", line.ce_threshold.bytes,
                 "bytes of queue from which frames to the receiver are marked; 0: never");
  app.add_option("--loss", line.drop, "probability, of one frame")->check(probability);
  app.add_option("--burst", line.bursts.p, "probability that a burst of losses begins")
      ->check(probability);
  app.add_option("--burst-ends", line.bursts.r, "probability that it ends, at each frame")
      ->check(CLI::Range(0.01, 1.0));
  app.add_option("--reorder", line.reorder, "probability, of one frame")->check(probability);
  add_duration(app, "--reorder-delay", line.reorder_delay, kMs, "milliseconds by which it is late");
  app.add_option("--duplicate", line.duplicate, "probability, of one frame")->check(probability);
  app.add_option("--corrupt", line.corrupt, "probability, of one frame")->check(probability);
}

}  // namespace

std::string_view name_of(CongestionControl algorithm) {
  for (const Algorithm& known : kAlgorithms) {
    if (known.second == algorithm) return known.first;
  }
  return "?";
}

void add_weather_options(CLI::App& app, WeatherConfig& config) {
  constexpr double kSecond = 1e9;
  app.add_option("--seed", config.seed, "everything random derives from it");
  app.add_option_function<std::vector<std::string>>(
         "--sender",
         [&config](const std::vector<std::string>& texts) {
           config.senders.clear();
           for (const std::string& text : texts) config.senders.push_back(sender_of(text));
         },
         "a host that sends: its algorithm, and after a colon how many flows (default: 1)")
      ->expected(1, static_cast<int>(WeatherConfig::kSendersMax));
  app.add_option("--bytes", config.bytes, "of each flow");
  add_duration(app, "--limit", config.limit, kSecond,
               "seconds after which what is open is aborted");
  add_duration(app, "--stagger", config.stagger, kSecond,
               "seconds between the starts of two flows");
  add_duration(app, "--measured-from", config.measured_from, kSecond,
               "seconds before goodput counts");
  add_line_options(app, config.line);
}

std::string command_of(const WeatherConfig& config) {
  const auto seconds = [](Duration d) { return std::chrono::duration<double>(d).count(); };
  const auto ms = [](Duration d) { return std::chrono::duration<double, std::milli>(d).count(); };
  const drivers::Impairment& line = config.line;
  std::string command = fmt::format("sim_weather --seed {} --bytes {} --limit {} --sender",
                                    config.seed, config.bytes, seconds(config.limit));
  for (const WeatherSender& sender : config.senders) {
    command += fmt::format(" {}:{}", name_of(sender.algorithm), sender.flows);
  }
  const auto add = [&command](const char* name, auto value) {
    if (value != decltype(value){}) command += fmt::format(" --{} {}", name, value);
  };
  add("stagger", seconds(config.stagger));
  add("measured-from", seconds(config.measured_from));
  command += fmt::format(" --rate {} --delay {}", line.bits_per_second, ms(line.delay));
  add("jitter", ms(line.jitter));
  add("queue", line.queue_max.bytes);
  add("mark", line.ce_threshold.bytes);
  add("loss", line.drop);
  add("burst", line.bursts.p);
  if (line.bursts.is_on()) add("burst-ends", line.bursts.r);
  add("reorder", line.reorder);
  if (line.reorder > 0) add("reorder-delay", ms(line.reorder_delay));
  add("duplicate", line.duplicate);
  add("corrupt", line.corrupt);
  return command;
}

}  // namespace handfast::sim
