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

// A number from `least` to `most`.
template <class T>
auto number_within(T least, T most) {
  return [least, most](std::string_view text) -> Parsed<T> {
    const auto number = parse_count(text);
    if (number && *number >= least && *number <= most) return static_cast<T>(*number);
    return std::unexpected(fmt::format("'{}' is not from {} to {}", text, least, most));
  };
}

void add_headers(CLI::App& app, InterfaceConfig& into) {
  add_parsed(app, "--vlan", into.vlan, number_within<std::uint16_t>(1, 4094),
             "tag of all frames, and of those that are taken; default: none", "ID");
  add_parsed(app, "--dscp", into.dscp, number_within<std::uint8_t>(0, 63),
             "code point of all that is sent (RFC 2474); default: 0", "N");
  add_parsed(app, "--hop-limit", into.hop_limit, number_within<std::uint8_t>(1, 255),
             "hop limit or time to live of all that is sent; default: 64", "N");
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
  add_headers(app, into.interface);
  add_parsed(app, "--send-buffer-max", into.send_buffer_max, limit_for(into.send_buffer),
             "bytes a connection may have queued at most; default: 8MiB", "SIZE");
  add_parsed(app, "--receive-buffer-max", into.receive_buffer_max, limit_for(into.receive_buffer),
             "bytes a peer may send unasked at most; default: 8MiB", "SIZE");
}

}  // namespace handfast::apps
