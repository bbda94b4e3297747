// What handfast-serve was asked to offer, read from its command line and checked as a whole.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "apps/options/command_line.hpp"
#include "apps/serve/http_patience.hpp"
#include "handfast/address.hpp"
#include "handfast/runtime.hpp"

namespace handfast::serve {

enum class Service : std::uint8_t {
  echo,
  discard,
  chargen,
  http,
  sink,
  source,
  close_first,
  shut_first,
  abort_first,
};
inline constexpr std::size_t kServiceCount = 9;

std::string_view to_string(Service service);

struct Listen {
  Service service = Service::echo;
  std::uint16_t port = 0;
  bool operator==(const Listen&) const = default;
};

struct Options {
  std::vector<Listen> listen;
  std::optional<Endpoint> dial;
  std::string port;  // an EAL port
  Prefix address;
  std::optional<Address> gateway;
  bool accept_ra = false;
  bool detect_duplicates = false;
  std::uint16_t mtu = InterfaceConfig{}.mtu;
  Offload tso = Offload::automatic;
  std::vector<Route> routes;
  unsigned workers = 1;
  std::vector<unsigned> cores;
  std::optional<Duration> duration;  // ends after so long
  Duration msl = std::chrono::seconds(30);
  std::uint32_t max_connections = 65'536;
  std::uint32_t packets = RuntimeConfig{}.packets_per_worker;
  std::uint64_t bytes = 100'000'000;  // of each connection of `source`
  CongestionControl congestion = StackConfig{}.congestion_control;
  StackConfig connection_settings;  // --ecn and its like; all else as it comes
  HttpPatience http_patience;
  bool textbook = false;   // nothing rides on anything else
  bool fast_open = false;  // take text in SYNs (RFC 7413)
  bool huge_pages = false;
  bool no_prefault = false;
  IdleMode idle = IdleMode::poll;
  std::string json_file;
  std::string pcap_file;
  std::vector<std::string> eal;

  bool has(Service service) const;
};

// "echo:7", "close-first:9000".
apps::Parsed<Listen> parse_listen(std::string_view text);

// Reads and checks. The error is help, or one line saying what is wrong and what would be right.
std::expected<Options, apps::Ending> parse_options(std::span<const char* const> arguments);

RuntimeConfig runtime_config(const Options& options);

}  // namespace handfast::serve
