#include <nlohmann/json.hpp>

#include "apps/load/report.hpp"
#include "apps/load/stage_table.hpp"
#include "apps/options/rates.hpp"
#include "apps/options/transport.hpp"

namespace handfast::load {
namespace {

using apps::per_second;
using apps::seconds;
using Json = nlohmann::ordered_json;

// "SYN-SENT" becomes "syn_sent".
std::string snake_case(std::string_view name) {
  std::string text(name);
  for (char& c : text) {
    if (c == '-' || c == ' ') c = '_';
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

Json options_json(const Options& options) {
  Json json;
  json["mode"] = to_string(options.mode);
  json["server"] = options.server.to_string();
  json["source"] = options.source_range().to_string();
  json["embedded"] = options.embedded();
  json["port"] = options.embedded() ? Json(nullptr) : Json(options.port);
  json["workers_a_side"] = options.workers;
  json["rate_per_second"] = options.rate ? Json(*options.rate) : Json(nullptr);
  json["close"] = to_string(options.closing);
  json["textbook"] = options.textbook;
  json["fast_open"] = options.fast_open;
  json["tso"] = apps::to_string(options.tso);
  json["congestion"] = apps::to_string(options.congestion);
  json["request_bytes"] = options.request_size;
  json["response_bytes"] = options.response_size;
  json["msl_seconds"] = seconds(options.msl);
  json["huge_pages"] = options.huge_pages;
  json["prefault"] = !options.no_prefault;
  json["idle"] = apps::to_string(options.idle);
  json["seed"] = options.seed ? Json(*options.seed) : Json(nullptr);
  return json;
}

template <std::size_t kCount>
Json by_name(const std::array<std::uint64_t, kCount>& counts, auto&& name_of) {
  Json json = Json::object();
  for (std::size_t i = 0; i < kCount; ++i) json[snake_case(name_of(i))] = counts[i];
  return json;
}

Json tally_json(const Tally& tally) {
  const auto reason = [](std::size_t i) { return to_string(static_cast<CloseReason>(i)); };
  const auto error = [](std::size_t i) { return to_string(static_cast<Error>(i)); };
  Json json;
  json["attempted"] = tally.attempted;
  json["established"] = tally.established;
  json["completed"] = tally.completed;
  json["failed"] = tally.failed();
  json["failed_while_opening"] = by_name(tally.failed_to_open, reason);
  json["failed_when_open"] = by_name(tally.failed_when_open, reason);
  json["not_attempted"] = by_name(tally.open_errors, error);
  json["responses"] = tally.responses;
  json["bytes_sent"] = tally.bytes_sent;
  json["bytes_received"] = tally.bytes_received;
  json["waited_for_time_wait_ns"] = tally.room_wait_ns;
  return json;
}

Json side_json(const Side& side) {
  Json frames = Json::object();
  for (const FrameKind& kind : kTcpKinds) {
    frames[std::string(kind.json_name)] = {{"sent", side.counters.*kind.sent},
                                           {"received", side.counters.*kind.received}};
  }
  frames["all"] = {{"sent", side.counters.frames_sent},
                   {"received", side.counters.frames_received}};
  Json json = tally_json(side.tally);
  json["retransmissions"] = retransmissions(side.counters);
  json["frames"] = std::move(frames);
  json["states"] =
      by_name(side.states, [](std::size_t i) { return to_string(static_cast<State>(i)); });
  json["time_wait"] = {{"kept", side.counters.time_wait_kept},
                       {"still_being_kept", side.time_wait},
                       {"cut_short", side.counters.time_wait_cut_short},
                       {"reused", side.counters.time_wait_reused}};
  Json counters = Json::object();
  side.counters.for_each([&](std::string_view name, std::string_view, std::uint64_t count) {
    counters[std::string(name)] = count;
  });
  json["counters"] = std::move(counters);
  return json;
}

Json times_json(const Histogram& times) {
  return {{"count", times.count()},
          {"min_ns", times.min()},
          {"mean_ns", times.mean()},
          {"p50_ns", times.percentile(50)},
          {"p90_ns", times.percentile(90)},
          {"p99_ns", times.percentile(99)},
          {"p99_9_ns", times.percentile(99.9)},
          {"max_ns", times.max()}};
}

Json work_json(const Counters& counters) {
  return {{"busy_share", busy_share(counters)},
          {"busy_ns", counters.busy_ns},
          {"idle_ns", counters.idle_ns},
          {"sleeps", counters.sleeps},
          {"bursts_sent", counters.bursts_sent},
          {"device_full", counters.device_full},
          {"device_full_share", full_share(counters)}};
}

Json bottleneck_json(const Work& work) {
  return {{"limit", to_string(find_bottleneck(work))},
          {"kept_rate", work.kept_rate},
          {"client", work_json(work.client)},
          {"server", work.server ? work_json(*work.server) : Json(nullptr)}};
}

// Connections: those whose SYN had text, and those of which the server took it.
Json fast_open_json(const Books& books) {
  const Counters& client = books.client.counters;
  return {{"text_in_syn", client.fast_open_sent},
          {"acknowledged", client.fast_open_taken},
          {"accepted_by_server",
           books.server ? Json(books.server->counters.fast_open_accepted) : Json(nullptr)}};
}

Json kept_json(const KeptResult& kept) {
  return {{"connections", kept.connections},
          {"open_time_seconds", seconds(kept.open_time)},
          {"open_per_second", per_second(kept.connections, kept.open_time)}};
}

Json memory_json(const MemoryUse& memory) {
  const auto footprint = [](const Footprint& one) -> Json {
    return {{"resident_bytes", one.resident},
            {"huge_page_bytes", one.huge_pages},
            {"anonymous_huge_bytes_of_resident", one.anon_huge}};
  };
  return {{"bytes_per_connection_program", memory.program_bytes_each()},
          {"bytes_per_connection_kernel", memory.kernel_bytes_each()},
          {"connection_ends", memory.records},
          {"table_bytes", memory.table_bytes},
          {"list_bytes_per_connection", memory.list_bytes_each},
          {"before", footprint(memory.before)},
          {"after", footprint(memory.after)}};
}

}  // namespace

Json to_json(const Report& report) {
  const bool exchanges = report.options.mode == Mode::exchange;
  Json json;
  json["options"] = options_json(report.options);
  json["start_time_seconds"] = seconds(report.start_time);
  json["run_time_seconds"] = seconds(report.run_time);
  json["interrupted"] = report.interrupted;
  json["drained"] = report.drained;
  json["connections_per_second"] = report.connections_per_second();
  if (exchanges) json["requests_per_second"] = report.requests_per_second();
  if (exchanges) json["latency"] = times_json(report.round_trip);
  json["frames_per_connection"] = frames_per_connection(report.books.client);
  json["handshake"] = times_json(report.handshake);
  json["bottleneck"] = bottleneck_json(report.work);
  if (report.options.fast_open) json["fast_open"] = fast_open_json(report.books);
  json["stages"] = stages_json(report.books);
  json["client"] = side_json(report.books.client);
  json["server"] = report.books.server ? side_json(*report.books.server) : Json(nullptr);
  if (report.stream) {
    const StreamResult& stream = *report.stream;
    json["stream"] = {
        {"time_seconds", seconds(stream.time)},
        {"bytes_sent", stream.bytes_sent},
        {"bytes_received", stream.bytes_received},
        {"sent_bits_per_second", per_second(stream.bytes_sent, stream.time) * 8},
        {"received_bits_per_second", per_second(stream.bytes_received, stream.time) * 8}};
  }
  if (report.kept) {
    json[report.options.held ? "held" : exchanges ? "exchange" : "hold"] = kept_json(*report.kept);
    if (report.options.mode == Mode::hold) json["memory"] = memory_json(report.kept->memory);
  }
  if (report.options.bytes || report.options.mode == Mode::fetch) {
    json["transfers"] = Json::array();
    for (const auto& transfer : report.transfers) json["transfers"].push_back(to_json(transfer));
  }
  const std::string shortfall = report.shortfall();
  json["shortfall"] = shortfall.empty() ? Json(nullptr) : Json(shortfall);
  json["books_agree"] = report.disagreements.empty();
  json["disagreements"] = report.disagreements;
  json["went_well"] = report.went_well();
  return json;
}

}  // namespace handfast::load
