#include "apps/load/bottleneck.hpp"

#include <fmt/format.h>

#include <array>

#include "apps/options/readable.hpp"

namespace handfast::load {
namespace {

// A worker that is so busy has no time left that more work could use: what remains is a poll that
// comes between two frames.
constexpr double kSaturated = 0.95;
// A link that is full now and then is only well used.
constexpr double kOftenFull = 0.05;

constexpr std::array<std::string_view, 5> kNames = {"client", "server", "link", "peer or path",
                                                    "rate"};

double share(std::uint64_t part, std::uint64_t rest) {
  const std::uint64_t whole = part + rest;
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string_view phrase(Bottleneck bottleneck) {
  switch (bottleneck) {
    case Bottleneck::client:
      return "the client's worker";
    case Bottleneck::server:
      return "the server's worker";
    case Bottleneck::link:
      return "the link";
    case Bottleneck::peer_or_path:
      return "the peer or the path: what is in flight waits for them";
    case Bottleneck::rate:
      return "none: the rate that was asked for was kept";
  }
  return "unknown";
}

}  // namespace

void Work::leave_out(const Work& before) {
  const auto subtract = [](Counters& from, const Counters& counted) {
    from.busy_ns -= counted.busy_ns;
    from.idle_ns -= counted.idle_ns;
    from.sleeps -= counted.sleeps;
    from.bursts_sent -= counted.bursts_sent;
    from.device_full -= counted.device_full;
  };
  subtract(client, before.client);
  if (server && before.server) subtract(*server, *before.server);
}

std::string_view to_string(Bottleneck bottleneck) {
  return kNames[static_cast<std::size_t>(bottleneck)];
}

double busy_share(const Counters& counters) {
  return share(counters.busy_ns, counters.idle_ns);
}

double full_share(const Counters& counters) {
  return share(counters.device_full, counters.bursts_sent - counters.device_full);
}

Bottleneck find_bottleneck(const Work& work) {
  const double client = busy_share(work.client);
  const double server = work.server ? busy_share(*work.server) : 0;
  // Of two that are saturated the busier one.
  if (client >= kSaturated && client >= server) return Bottleneck::client;
  if (server >= kSaturated) return Bottleneck::server;
  if (full_share(work.client) > kOftenFull) return Bottleneck::link;
  if (work.server && full_share(*work.server) > kOftenFull) return Bottleneck::link;
  return work.kept_rate ? Bottleneck::rate : Bottleneck::peer_or_path;
}

std::string describe_bottleneck(const Work& work) {
  const Bottleneck bottleneck = find_bottleneck(work);
  const bool is_server = bottleneck == Bottleneck::server;
  const auto percent = [](const Counters& counters) { return 100 * busy_share(counters); };
  std::uint64_t full = work.client.device_full;
  std::string busy;
  if (!work.server) {
    busy = fmt::format("{:.0f} %", percent(work.client));
  } else {
    full += work.server->device_full;
    busy = fmt::format("{:.0f} %; {} {:.0f} %", percent(is_server ? *work.server : work.client),
                       is_server ? "client's" : "server's",
                       percent(is_server ? work.client : *work.server));
  }
  const std::string_view whose =
      is_server || bottleneck == Bottleneck::client ? "busy" : "client's worker busy";
  return fmt::format("{} ({} {}; link full {} times)", phrase(bottleneck), whose, busy,
                     apps::grouped(full));
}

}  // namespace handfast::load
