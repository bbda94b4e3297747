#include "apps/wire/report.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/options/rates.hpp"
#include "apps/options/readable.hpp"

namespace handfast::emulator {
namespace {

using apps::seconds;
using Json = nlohmann::ordered_json;

struct Line {
  const char* name;  // JSON's
  const char* text;
  std::uint64_t (*value)(const DirectionCounters&);
};

constexpr Line kLines[] = {
    {"frames", "frames in", [](const DirectionCounters& c) { return c.weather.frames; }},
    {"bytes", "bytes in", [](const DirectionCounters& c) { return c.weather.bytes; }},
    {"forwarded", "frames out", [](const DirectionCounters& c) { return c.forwarded; }},
    {"missed", "missed by the port", [](const DirectionCounters& c) { return c.missed; }},
    {"dropped_loss", "lost", [](const DirectionCounters& c) { return c.weather.dropped; }},
    {"dropped_queue", "dropped: queue full",
     [](const DirectionCounters& c) { return c.weather.dropped_queue; }},
    {"dropped_full", "dropped: --held reached",
     [](const DirectionCounters& c) { return c.dropped_full; }},
    {"dropped_pool", "dropped: no packet for a copy",
     [](const DirectionCounters& c) { return c.weather.dropped_pool; }},
    {"duplicated", "duplicated", [](const DirectionCounters& c) { return c.weather.duplicated; }},
    {"duplicates_failed", "not duplicated: no packet",
     [](const DirectionCounters& c) { return c.weather.duplicates_failed; }},
    {"reordered", "came late", [](const DirectionCounters& c) { return c.weather.reordered; }},
    {"corrupted", "corrupted", [](const DirectionCounters& c) { return c.weather.corrupted; }},
    {"ce_marked", "marked CE", [](const DirectionCounters& c) { return c.weather.ce_marked; }},
    {"queue_bytes_max", "longest queue, bytes",
     [](const DirectionCounters& c) { return c.weather.queue_peak.bytes; }},
    {"queue_frames_max", "longest queue, frames",
     [](const DirectionCounters& c) { return c.weather.queue_peak.frames; }},
    {"held", "on their way at the end", [](const DirectionCounters& c) { return c.held; }},
};

Json counters_json(const DirectionCounters& counters) {
  Json json;
  for (const Line& line : kLines) json[line.name] = line.value(counters);
  return json;
}

Json level_json(const drivers::QueueLevel& level) {
  return {{"bytes", level.bytes}, {"frames", level.frames}};
}

Json weather_json(const drivers::Impairment& weather) {
  return {{"loss", weather.drop},
          {"burst_loss",
           {{"p", weather.bursts.p},
            {"r", weather.bursts.r},
            {"bad", weather.bursts.loss_bad},
            {"good", weather.bursts.loss_good}}},
          {"delay_ns", weather.delay.count()},
          {"jitter_ns", weather.jitter.count()},
          {"reorder", weather.reorder},
          {"reorder_by_ns", weather.reorder_delay.count()},
          {"duplicate", weather.duplicate},
          {"corrupt", weather.corrupt},
          {"rate_bits_per_second", weather.bits_per_second},
          {"queue", level_json(weather.queue_max)},
          {"ecn", level_json(weather.ce_threshold)}};
}

}  // namespace

std::string to_text(const Report& report) {
  std::string text = fmt::format("{} on the wire\n{:<32}{:>18}{:>18}\n",
                                 apps::readable(report.run_time), "", "A to B", "B to A");
  for (const Line& line : kLines) {
    text += fmt::format("{:<32}{:>18}{:>18}\n", line.text, apps::grouped(line.value(report.a_to_b)),
                        apps::grouped(line.value(report.b_to_a)));
  }
  return text;
}

std::string to_json(const Report& report, const Options& options) {
  Json json;
  json["a"] = options.a.name;
  json["b"] = options.b.name;
  json["seed"] = options.seed;
  json["run_time_seconds"] = seconds(report.run_time);
  json["weather"] = {{"a_to_b", weather_json(options.a_to_b)},
                     {"b_to_a", weather_json(options.b_to_a)}};
  json["a_to_b"] = counters_json(report.a_to_b);
  json["b_to_a"] = counters_json(report.b_to_a);
  return json.dump(2) + "\n";
}

}  // namespace handfast::emulator
