// From options to what is started: the runtime's configuration, and what each client worker is to
// do. Pure arithmetic, so that tests can look at it without starting anything.
#pragma once

#include <cstdint>
#include <expected>
#include <limits>
#include <optional>
#include <string>

#include "apps/load/options.hpp"
#include "handfast/config.hpp"
#include "handfast/runtime.hpp"

namespace handfast::load {

// A stack is given room for so many more TIME-WAITs than the plan fills.
inline constexpr std::uint32_t kSpareTimeWait = 256;

// A stream's length where none was asked for.
inline constexpr std::uint64_t kEndless = std::numeric_limits<std::uint64_t>::max();

// What one client worker is to do; the run's numbers divided by the workers.
struct ClientPlan {
  Mode mode = Mode::connect;
  Closing closing = Closing::fin;
  Direction direction = Direction::send;
  bool textbook = false;
  bool fast_open = false;
  Endpoint server;
  Prefix source;
  Prefix on_link;                  // the interface's own network
  std::uint64_t first_source = 0;  // where in `source` this worker begins
  double rate = 0;                 // connections a second; 0: as fast as it goes
  std::uint32_t concurrency = 0;   // in flight; hold, exchange: handshakes in flight
  std::uint64_t connections = 0;   // 0: no limit
  std::uint64_t held = 0;          // opened first and kept
  std::uint32_t held_concurrency = 0;
  std::uint32_t in_flight = 0;  // requests of exchange
  std::optional<Duration> duration;
  std::uint64_t stream_bytes = kEndless;
  std::string path;  // of the page to fetch
  std::uint32_t request_size = 0;
  std::uint32_t response_size = 0;
  std::uint64_t max_time_wait = 0;
};

// What the embedded server does with what it is sent.
struct ServerPlan {
  Mode mode = Mode::connect;
  Closing closing = Closing::fin;  // the client's
  Direction direction = Direction::send;
  Endpoint local;
  std::uint64_t stream_bytes = kEndless;
  std::uint32_t request_size = 0;
  std::uint32_t response_size = 0;
};

struct Plan {
  RuntimeConfig runtime;
  unsigned server_workers = 0;  // the first ones; 0 with a foreign server
  unsigned client_workers = 0;
  ClientPlan client;  // of the first client worker
  ServerPlan server;

  ClientPlan client_of(unsigned client_worker) const;
};

// `memory_available` in bytes bounds the room for TIME-WAIT.
Plan make_plan(const Options& options, std::uint64_t memory_available);

// Whether the connections that are to be kept find room in so many bytes.
std::expected<void, std::string> check_memory(const Options& options,
                                              std::uint64_t memory_available);

// MemAvailable of /proc/meminfo in bytes; 1 GiB when it cannot be read.
std::uint64_t memory_available();

}  // namespace handfast::load
