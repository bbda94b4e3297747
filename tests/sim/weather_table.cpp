#include "tests/sim/weather_table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/weather_options.hpp"

namespace handfast::sim {
namespace {

using namespace std::chrono_literals;

constexpr CongestionControl kAlgorithms[] = {CongestionControl::new_reno, CongestionControl::cubic,
                                             CongestionControl::bbr, CongestionControl::dctcp};

struct Named {
  const char* name;
  drivers::Impairment weather;
};

// Those of bench/weather. Bursts: one percent of the frames, four at a time.
const Named kWeathers[] = {
    {"clear", {}},
    {"loss 0.1 %", {.drop = 0.001}},
    {"loss 1 %", {.drop = 0.01}},
    {"loss 3 %", {.drop = 0.03}},
    {"loss 5 %", {.drop = 0.05}},
    {"loss 10 %", {.drop = 0.10}},
    {"bursts 1 %", {.bursts = {.p = 0.002525, .r = 0.25}}},
    {"reordering 1 %", {.reorder = 0.01}},
    {"reordering 10 %", {.reorder = 0.10}},
    {"duplication 1 %", {.duplicate = 0.01}},
    {"corruption 0.1 %", {.corrupt = 0.001}},
};

std::string path_name(const WeatherPath& path) {
  return fmt::format("{:>4} Mbit/s {:>2} ms", path.bits_per_second / 1'000'000, path.delay_ms);
}

void put_on(WeatherConfig& config, const WeatherPath& path) {
  config.line.bits_per_second = path.bits_per_second;
  config.line.delay = std::chrono::milliseconds(path.delay_ms);
}

// RFC 8257 section 4.4: above a seventh of the bandwidth-delay product. Less than eight frames
// would mark an initial window.
void mark_for_dctcp(WeatherConfig& config) {
  constexpr std::uint64_t kMarkFloor = 8 * 1514;
  for (const WeatherSender& sender : config.senders) {
    if (sender.algorithm != CongestionControl::dctcp) continue;
    config.line.ce_threshold.bytes = std::max(config.bdp_bytes() / 5, kMarkFloor);
  }
}

WeatherRow recovery_row(const WeatherPath& path, const Named& named, CongestionControl algorithm) {
  WeatherConfig config;
  config.line = named.weather;
  put_on(config, path);
  config.senders = {{.algorithm = algorithm}};
  // Long enough that the start is not most of it.
  config.bytes = std::max<std::uint64_t>(16'000'000, 20 * config.bdp_bytes());
  config.limit = 30s;
  mark_for_dctcp(config);
  return {fmt::format("{}  {:<17} {:<8}", path_name(path), named.name, name_of(algorithm)), config};
}

WeatherRow fairness_row(const char* name, std::vector<WeatherSender> senders) {
  WeatherConfig config;
  put_on(config, {100'000'000, 10});
  // On a perfectly regular line the queue's last place always falls to the same flow.
  config.line.jitter = 100us;
  config.senders = std::move(senders);
  config.bytes = 10'000'000'000;
  config.stagger = 200ms;
  config.measured_from = 10s;
  config.limit = 40s;
  mark_for_dctcp(config);
  return {fmt::format("{:<45}", name), config};
}

}  // namespace

std::vector<WeatherRow> recovery_rows(const WeatherPath& path) {
  std::vector<WeatherRow> rows;
  for (const Named& weather : kWeathers) {
    for (const CongestionControl algorithm : kAlgorithms) {
      rows.push_back(recovery_row(path, weather, algorithm));
    }
  }
  return rows;
}

std::vector<WeatherRow> fairness_rows() {
  std::vector<WeatherRow> rows;
  const auto add = [&rows](const std::string& name, std::vector<WeatherSender> senders) {
    rows.push_back(fairness_row(name.c_str(), std::move(senders)));
  };
  for (const CongestionControl algorithm : kAlgorithms) {
    const std::string_view name = name_of(algorithm);
    add(fmt::format("2 flows of one host, {}", name), {{algorithm, 2}});
    add(fmt::format("8 flows of one host, {}", name), {{algorithm, 8}});
    add(fmt::format("2 hosts, {}", name), {2, {algorithm, 1}});
    add(fmt::format("8 hosts, {}", name), {8, {algorithm, 1}});
  }
  constexpr auto kCubic = CongestionControl::cubic;
  constexpr auto kNewReno = CongestionControl::new_reno;
  add("cubic beside new_reno", {{kCubic, 1}, {kNewReno, 1}});
  add("4 of cubic beside 4 of new_reno", {{kCubic, 4}, {kNewReno, 4}});
  return rows;
}

std::string key_of(const Trace& trace) {
  return fmt::format("{:<45}", fmt::format("trace {}", trace.name));
}

std::vector<std::string> all_keys() {
  std::vector<std::string> keys;
  const auto add = [&keys](const std::vector<WeatherRow>& rows) {
    for (const WeatherRow& row : rows) keys.push_back(row.key);
  };
  for (const WeatherPath& path : kWeatherPaths) add(recovery_rows(path));
  add(fairness_rows());
  for (const Trace& trace : all_traces()) keys.push_back(key_of(trace));
  return keys;
}

std::string table_heading() {
  return "# What bulk transfers get out of simulated weather: rate, one-way delay, what goes wrong "
         "both ways,\n"
         "# algorithm | goodput and what it is of the rate, segments sent again, time-outs. The "
         "queue holds one\n"
         "# bandwidth-delay product; for dctcp it marks. Several flows: on 100 Mbit/s and 10 ms, "
         "with Jain's index\n"
         "# and what the first sender got of all. Traces: sim_weather --trace. Accept a change "
         "with\n"
         "# HANDFAST_UPDATE_SNAPSHOTS=1 BUILD/tests/sim/weather_table_test\n";
}

std::string values_of(const WeatherRow& row, const WeatherReport& report) {
  const std::uint64_t kbps = report.goodput_kbps();
  const std::uint64_t percent = kbps * 100'000 / row.config.line.bits_per_second;
  std::string values = fmt::format(
      "{:>4}.{:02} Mbit/s {:>3} % {:>7} again {:>4} time-outs", kbps / 1000, kbps % 1000 / 10,
      percent, report.senders.data_retransmitted, report.senders.retransmission_timeouts);
  if (report.bytes.size() < 2) return values;
  values += fmt::format("  index {:.3f}", report.fairness());
  if (row.config.senders.size() > 1) {
    std::uint64_t first = 0;
    std::uint64_t all = 0;
    for (std::size_t i = 0; i < report.bytes.size(); ++i) {
      all += report.bytes[i];
      if (i < row.config.senders.front().flows) first += report.bytes[i];
    }
    values += fmt::format("  first {:>2} %", all == 0 ? 0 : first * 100 / all);
  }
  return values;
}

std::string values_of(const TraceReport& report) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(report.took).count();
  return fmt::format("{:>4}.{:03} ms through       {:>7} again {:>4} time-outs", us / 1000,
                     us % 1000, report.sender.data_retransmitted,
                     report.sender.retransmission_timeouts);
}

}  // namespace handfast::sim
