// ARP for IPv4 over Ethernet (RFC 826): the body as a value, parsed and emitted. No table and no
// policy: those are lib/net's.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "handfast/address.hpp"
#include "wire/drop.hpp"
#include "wire/ethernet.hpp"

namespace handfast::wire {

inline constexpr std::size_t kArpSize = 28;

struct Arp {
  enum class Operation : std::uint8_t { request = 1, reply = 2 };

  Operation operation = Operation::request;
  MacAddress sender_mac{};
  Address sender_ip;  // 0.0.0.0 in a probe (RFC 5227)
  MacAddress target_mac{};
  Address target_ip;
  bool operator==(const Arp&) const = default;
};

// Reads a Frame's payload. A sender that no host can be (group MAC address; multicast, broadcast or
// loopback IP address) is malformed.
Drop parse_arp(base::Bytes body, Arp& out);

// Writes a whole frame, padded with zeros to 60 bytes; returns its length. `at` has room for 60.
std::uint32_t emit_arp(std::byte* at, const LinkHeader& link, const Arp& arp);

}  // namespace handfast::wire
