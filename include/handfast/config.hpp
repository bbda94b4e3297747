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

// The window after a loss and its growth, one file each in lib/tcp/congestion.
enum class CongestionControl : std::uint8_t {
  new_reno,  // RFC 5681, RFC 6582
  cubic,     // RFC 9438, with HyStart++ (RFC 9406)
  dctcp,     // RFC 8257; only where every queue marks (ECN is always offered)
  bbr,       // v1, draft-cardwell-iccrg-bbr-congestion-control-00; paced
  none,      // no window but the peer's: for closed laboratories only
};

// Explicit congestion notification (RFC 3168).
enum class EcnMode : std::uint8_t { off, accept, offer };

// Whether a port does some of the work in our stead: where it can and where that pays; never; or
// always, and a port that cannot is an error.
enum class Offload : std::uint8_t { automatic, off, on };

// TCP Fast Open (RFC 7413): data in the SYN.
enum class FastOpen : std::uint8_t { off, client, server, both };

// What a listener's connections, or one connection, do otherwise than the stack's configuration.
// What is left out is the stack's.
struct ConnectionOptions {
  std::optional<CongestionControl> congestion_control;
  std::optional<bool> nagle;
  // Nothing was heard for so long, and nothing is owed: ask whether the peer lives (RFC 9293
  // section 3.8.4). At most 65,535 s, in whole seconds, rounded up. Zero: never.
  std::optional<Duration> keep_alive;
  std::optional<Duration> user_timeout;  // RFC 5482's, as set locally; at most 24 hours
  std::optional<std::uint8_t> dscp;      // 0 to 63

  // The error is one sentence, as StackConfig's.
  std::expected<void, std::string> check() const;
};

struct Route {
  Prefix destination;
  Address gateway;  // must itself be on-link
};

struct InterfaceConfig {
  // Our addresses, each with the length of its on-link network: "198.18.0.1/15",
  // "2001:db8::1/64". With one of IPv6 the link-local address of the port's MAC address (RFC 4291)
  // is ours as well, unless another link-local one is given.
  std::vector<Prefix> addresses;
  // Ranges of which every address is ours too: ARP and Neighbour Discovery answer for them,
  // connections come from them. For load generators.
  std::vector<Prefix> owned_ranges;
  std::vector<Route> routes;
  std::optional<Address> gateway;   // the default route of IPv4
  std::optional<Address> gateway6;  // that of IPv6; may be link-local
  // Without a gateway6: ask for routers, and take the default route of IPv6, the prefixes on the
  // link and its MTU from what they advertise (RFC 4861 section 6.3). Anybody on the link can forge
  // that. Addresses are not made from it: ours are those above.
  bool router_advertisements = false;
  // Ask at start whether another host has one of our IPv6 addresses (RFC 4862 section 5.4), and
  // give up one that has. It is used meanwhile (RFC 4429).
  bool duplicate_detection = false;
  // Tell switches which IPv6 multicast groups we listen to (RFC 3810), at start and when asked.
  bool listener_reports = true;
  std::uint16_t mtu = 1500;           // bytes of IP packet, 576 (with IPv6 1280) to 9000
  std::optional<std::uint16_t> vlan;  // tag of all frames, 1 to 4094
  std::uint8_t hop_limit = 64;
  std::uint8_t dscp = 0;  // of everything sent, 0 to 63 (RFC 2474)
};

struct StackConfig {
  InterfaceConfig interface;

  std::uint32_t max_connections = 65'536;  // full records: SYN-SENT to LAST-ACK
  std::uint32_t max_half_open = 65'536;    // SYN-RECEIVED of listeners, 64 bytes each
  std::uint32_t max_half_open_per_listener = 32'768;
  std::uint32_t max_time_wait = 1'000'000;  // 28 bytes each, allocated as they come
  std::uint16_t max_listeners = 64;
  // Take the memory of the flow table and the connections at start, and that of so many TIME-WAIT
  // records, rather than page by page when first touched: no frame then waits for the kernel to
  // find and clear a page. The start takes longer, and what is not used is taken too.
  bool prefault = false;
  std::uint32_t prefault_time_wait = 0;  // at most max_time_wait

  Duration msl = std::chrono::seconds(30);            // TIME-WAIT lasts twice this
  Duration rto_initial = std::chrono::seconds(1);     // RFC 6298 section 2.1
  Duration rto_min = std::chrono::milliseconds(200);  // RFC 6298 asks for 1 s; Linux has 200 ms
  Duration rto_max = std::chrono::seconds(60);
  // R2 of RFC 9293 section 3.8.3 (MUST-20, MUST-23): gives up after so long without an answer.
  Duration syn_timeout = std::chrono::minutes(3);
  Duration user_timeout = std::chrono::minutes(5);
  // Bytes a connection may have queued, and be sent unasked: at first, and at most when the
  // bandwidth-delay product asks for more.
  std::uint32_t send_buffer = 256 * 1024;
  std::uint32_t receive_buffer = 256 * 1024;
  std::uint32_t send_buffer_max = 8 * 1024 * 1024;
  std::uint32_t receive_buffer_max = 8 * 1024 * 1024;
  std::uint16_t first_port = 1024;  // source ports of active opens
  std::uint16_t last_port = 65'535;
  bool timestamps = true;      // offer and accept RFC 7323 timestamps
  bool window_scaling = true;  // offer and accept RFC 7323 window scaling
  bool sack = true;            // offer and accept selective acknowledgement (RFC 2018)
  // Past the bounds of half-open records a SYN is answered with a cookie instead of being dropped
  // (RFC 4987 section 3.6).
  bool syn_cookies = true;
  EcnMode ecn = EcnMode::accept;
  FastOpen fast_open = FastOpen::off;
  std::uint32_t max_fast_open = 1024;  // let in by a SYN, their handshakes not done (section 5.1)
  CongestionControl congestion_control = CongestionControl::cubic;
  // Small segments wait for the acknowledgement of what is in flight (RFC 9293 section 3.7.4).
  bool nagle = true;
  // An acknowledgement waits so long for data to ride on, or for a second segment (RFC 9293 section
  // 3.8.6.3; at most 500 ms). Zero: every segment is acknowledged at the end of its burst.
  Duration delayed_ack = std::chrono::milliseconds(40);
  // Keep-alive (MUST-24 to 28): after so much idleness, in whole seconds, rounded up, at most
  // 65,535; zero is off, the default asked for.
  Duration keep_alive = Duration(0);
  Duration keep_alive_interval = std::chrono::seconds(75);  // between probes without an answer
  std::uint8_t keep_alive_probes = 9;                       // then the connection is given up
  // Every acknowledgement and FIN in a segment of its own, as textbooks draw them.
  bool textbook = false;
  // Secrets and random choices derive from it: equal seeds, equal runs. Without one they come from
  // the operating system.
  std::optional<std::uint64_t> seed;

  // The error is one sentence naming the setting, its value and what would be right.
  std::expected<void, std::string> check() const;
};

}  // namespace handfast
