#include "apps/load/stage_table.hpp"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

namespace handfast::load {
namespace {

using Json = nlohmann::ordered_json;
using Out = std::back_insert_iterator<std::string>;

enum class Frames : std::uint8_t { received, sent, both };

constexpr Frames frames_of(Stage stage) {
  switch (stage) {
    case Stage::receive:
    case Stage::parse:
    case Stage::demux:
      return Frames::received;
    case Stage::emit:
    case Stage::transmit:
      return Frames::sent;
    case Stage::protocol:
    case Stage::callback:
    case Stage::timers:
    case Stage::loop:
      break;
  }
  return Frames::both;
}

std::uint64_t count(const Counters& counters, Frames frames) {
  return (frames != Frames::sent ? counters.frames_received : 0) +
         (frames != Frames::received ? counters.frames_sent : 0);
}

constexpr std::string_view name_of(Frames frames) {
  return frames == Frames::received ? "received" : frames == Frames::sent ? "sent" : "either way";
}

double divided(double cycles, std::uint64_t by) {
  return by == 0 ? 0 : cycles / static_cast<double>(by);
}

std::uint64_t connections(const Side& side) {
  return side.counters.established_active + side.counters.established_passive;
}

double cycles_per_connection(const Side& side, Stage stage) {
  return divided(side.stages.of(stage), connections(side));
}

void write_cells(Out out, const Side& side, Stage stage) {
  fmt::format_to(out, "{:>12.1f}{:>14.0f}{:>9.1f} %", cycles_per_frame(side, stage),
                 cycles_per_connection(side, stage),
                 100 * side.stages.of(stage) / side.stages.sum());
}

Json stages_json(const Side& side) {
  Json json;
  json["reading_cycles"] = side.stages.reading_cycles;
  json["frames_received"] = side.counters.frames_received;
  json["frames_sent"] = side.counters.frames_sent;
  json["connections"] = connections(side);
  for (std::size_t i = 0; i < kStageCount; ++i) {
    const auto stage = static_cast<Stage>(i);
    json[std::string(to_string(stage))] = {
        {"cycles", side.stages.of(stage)},
        {"readings", side.stages.readings[i]},
        {"cycles_per_frame", cycles_per_frame(side, stage)},
        {"frames", name_of(frames_of(stage))},
        {"cycles_per_connection", cycles_per_connection(side, stage)}};
  }
  return json;
}

}  // namespace

double cycles_per_frame(const Side& side, Stage stage) {
  return divided(side.stages.of(stage), count(side.counters, frames_of(stage)));
}

std::string stage_table(const Books& books) {
  std::string text;
  if (!books.client.stages.is_measured) return text;
  const Out out = std::back_inserter(text);
  const auto each_side = [&](auto&& write) {
    write(books.client);
    if (books.server) write(*books.server);
    fmt::format_to(out, "\n");
  };
  fmt::format_to(out, "\n{:<12}{:<12}", "stages", "frames");
  each_side([&](const Side& side) {
    fmt::format_to(out, "{:>12}{:>14}{:>11}", &side == &books.client ? "client /frame" : "server",
                   "/connection", "share");
  });
  for (std::size_t i = 0; i < kStageCount; ++i) {
    const auto stage = static_cast<Stage>(i);
    fmt::format_to(out, "  {:<10}{:<12}", to_string(stage), name_of(frames_of(stage)));
    each_side([&](const Side& side) { write_cells(out, side, stage); });
  }
  fmt::format_to(out, "  {:<10}{:<12}", "all", "");
  each_side([&](const Side& side) {
    const double all = side.stages.sum();
    fmt::format_to(out, "{:>12.1f}{:>14.0f}{:>11}",
                   divided(all, count(side.counters, Frames::both)),
                   divided(all, connections(side)), "");
  });
  fmt::format_to(
      out,
      "  in cycles of the time-stamp counter; of each reading {:.0f} are taken off, which "
      "is what one costs here\n",
      books.client.stages.reading_cycles);
  return text;
}

Json stages_json(const Books& books) {
  if (!books.client.stages.is_measured) return nullptr;
  return {{"client", stages_json(books.client)},
          {"server", books.server ? stages_json(*books.server) : Json(nullptr)}};
}

}  // namespace handfast::load
