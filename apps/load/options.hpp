// What a run of handfast-load was asked for, read from its command line and checked as a whole.
// Nothing is started or derived here; see plan.hpp for what becomes of it.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "apps/options/command_line.hpp"
#include "handfast/address.hpp"
#include "handfast/config.hpp"
#include "handfast/runtime.hpp"
#include "handfast/time.hpp"

namespace handfast::load {

enum class Mode : std::uint8_t { connect, request, stream, hold, fetch, exchange };
enum class Closing : std::uint8_t { fin, rst };
enum class Direction : std::uint8_t { send, receive, both };

std::string_view to_string(Mode mode);
std::string_view to_string(Closing closing);
std::string_view to_string(Direction direction);

// Source ports of each address that active opens use: StackConfig's first_port to last_port.
inline constexpr std::uint64_t kPortsPerAddress = 64'512;

// A request or an answer of `exchange` is no longer.
inline constexpr std::uint32_t kExchangeSizeMax = 32'767;

struct Options {
  Mode mode = Mode::connect;
  std::optional<double> rate;                // connections a second; none: as fast as it goes
  std::optional<std::uint32_t> concurrency;  // in flight at once; none: the mode's default
  std::optional<Duration> duration;
  std::optional<std::uint64_t> connections;  // stop after so many
  std::optional<std::uint64_t> held;         // open and idle beside the others
  std::optional<std::uint32_t> in_flight;    // requests of `exchange` at once; none: a default
  std::optional<std::uint64_t> bytes;        // each stream's; none: until the time is up
  std::string path = "/";                    // of the page to fetch
  std::uint32_t request_size = 64;           // bytes
  std::uint32_t response_size = 64;          // bytes
  Direction direction = Direction::send;
  Closing closing = Closing::fin;
  bool textbook = false;
  bool fast_open = false;  // requests go with the SYN (RFC 7413), once there is a cookie
  CongestionControl congestion = StackConfig{}.congestion_control;
  StackConfig connection_settings;  // --ecn and its like; all else as it comes

  std::string port;  // an EAL port; empty: the embedded pair
  Prefix address;
  Endpoint server;
  std::optional<Prefix> source;  // none: the embedded default's range, else `address` alone
  std::optional<Address> gateway;
  std::uint16_t mtu = InterfaceConfig{}.mtu;
  Offload tso = Offload::automatic;

  std::vector<unsigned> cores;
  unsigned workers = 1;  // a side
  Duration msl = std::chrono::seconds(30);
  std::optional<std::uint32_t> max_time_wait;  // none: from rate, duration and memory
  std::optional<std::uint64_t> seed;
  bool huge_pages = false;
  bool no_prefault = false;
  IdleMode idle = IdleMode::poll;
  std::string json_file;
  std::string pcap_file;
  std::vector<std::string> eal;

  bool embedded() const { return port.empty(); }
  // Connections that are all opened before the rest of the run, and kept.
  std::uint64_t kept() const;
  // The range connections come from.
  Prefix source_range() const;
};

// Reads and checks. The error is help, or one line saying what is wrong and what would be right.
std::expected<Options, apps::Ending> parse_options(std::span<const char* const> arguments);

// What needs more than one option to be seen; called by parse_options().
std::expected<void, std::string> check_options(const Options& options);

}  // namespace handfast::load
