#include "apps/options/connection_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace handfast::apps {
namespace {

// In the order of the enumerators.
constexpr std::array<std::string_view, 3> kEcnModes = {"off", "accept", "offer"};

// A limit below the size to begin with lowers that too.
auto limit_for(std::uint32_t& at_first) {
  return [&at_first](std::string_view text) -> Parsed<std::uint32_t> {
    const auto size = parse_size(text);
    if (size) at_first = std::min(at_first, *size);
    return size;
  };
}

void add_times(CLI::App& app, StackConfig& into) {
  add_parsed(app, "--keep-alive", into.keep_alive, parse_duration,
             "ask idle peers for a sign of life after so long (2h); default: never", "TIME");
  add_parsed(app, "--delayed-ack", into.delayed_ack, parse_duration,
             "how long an acknowledgement may wait for company, at most 500ms; default: 40ms",
             "TIME");
  app.add_flag_callback(
      "--no-delayed-ack", [&into] { into.delayed_ack = Duration(0); },
      "acknowledge every segment at once");
  add_parsed(app, "--rto-min", into.rto_min, parse_duration,
             "least retransmission time-out; default: 200ms", "TIME");
}

}  // namespace

Parsed<EcnMode> parse_ecn(std::string_view text) {
  const auto found = std::find(kEcnModes.begin(), kEcnModes.end(), text);
  if (found != kEcnModes.end()) return static_cast<EcnMode>(found - kEcnModes.begin());
  return std::unexpected(fmt::format("'{}' is none of {}", text, fmt::join(kEcnModes, ", ")));
}

void add_connection_settings(CLI::App& app, StackConfig& into) {
  add_parsed(app, "--ecn", into.ecn, parse_ecn,
             "congestion notification: off, accept (default) or offer", "MODE");
  app.add_flag_callback(
      "--no-nagle", [&into] { into.nagle = false; }, "small segments wait for no acknowledgement");
  app.add_flag_callback(
      "--no-sack", [&into] { into.sack = false; }, "no selective acknowledgement");
  add_times(app, into);
  add_parsed(app, "--send-buffer-max", into.send_buffer_max, limit_for(into.send_buffer),
             "bytes a connection may have queued at most; default: 8MiB", "SIZE");
  add_parsed(app, "--receive-buffer-max", into.receive_buffer_max, limit_for(into.receive_buffer),
             "bytes a peer may send unasked at most; default: 8MiB", "SIZE");
}

}  // namespace handfast::apps
