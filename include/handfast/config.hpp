// What a stack is told before it starts. Every bound is here and has a default; a stack allocates
// nothing later. check() names the first value that makes no sense.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "handfast/address.hpp"
#include "handfast/time.hpp"

namespace handfast {

struct Route {
  Prefix destination;
  Address gateway;  // must itself be on-link
};

struct InterfaceConfig {
  // Our addresses, each with the length of its on-link network: "198.18.0.1/15".
  std::vector<Prefix> addresses;
  // Ranges of which every address is ours too: ARP is answered for them, connections come from
  // them. For load generators.
  std::vector<Prefix> owned_ranges;
  std::vector<Route> routes;
  std::optional<Address> gateway;     // the default route
  std::uint16_t mtu = 1500;           // bytes of IP packet, 576 to 9000
  std::optional<std::uint16_t> vlan;  // tag of all frames, 1 to 4094
  std::uint8_t hop_limit = 64;
};

struct StackConfig {
  InterfaceConfig interface;

  std::uint32_t max_connections = 65'536;   // full records: SYN-SENT to LAST-ACK
  std::uint32_t max_half_open = 65'536;     // SYN-RECEIVED of listeners, 64 bytes each
  std::uint32_t max_time_wait = 1'000'000;  // 28 bytes each, allocated as they come
  std::uint16_t max_listeners = 64;

  Duration msl = std::chrono::seconds(30);            // TIME-WAIT lasts twice this
  Duration rto_initial = std::chrono::seconds(1);     // RFC 6298 section 2.1
  Duration rto_min = std::chrono::milliseconds(200);  // RFC 6298 asks for 1 s; Linux has 200 ms
  Duration rto_max = std::chrono::seconds(60);
  // R2 of RFC 9293 section 3.8.3 (MUST-20, MUST-23): gives up after so long without an answer.
  Duration syn_timeout = std::chrono::minutes(3);
  Duration user_timeout = std::chrono::minutes(5);
  std::uint32_t send_buffer = 256 * 1024;     // bytes a connection may have queued
  std::uint32_t receive_buffer = 256 * 1024;  // bytes a connection may be sent unasked
  std::uint16_t first_port = 1024;            // source ports of active opens
  std::uint16_t last_port = 65'535;
  bool timestamps = true;      // offer and accept RFC 7323 timestamps
  bool window_scaling = true;  // offer and accept RFC 7323 window scaling
  // Every acknowledgement and FIN in a segment of its own, as textbooks draw them.
  bool textbook = false;
  // Secrets and random choices derive from it: equal seeds, equal runs. Without one they come from
  // the operating system.
  std::optional<std::uint64_t> seed;

  // The error is one sentence naming the setting, its value and what would be right.
  std::expected<void, std::string> check() const;
};

}  // namespace handfast
