// Drop: why a received frame goes no further. Each reason is the counter `drop_<name>` of
// handfast/counters.hpp. The parsers of this folder return one; whoever called them counts it.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/counter.hpp"

namespace handfast::wire {

// clang-format off
#define HANDFAST_DROPS(X) \
  X(too_short) \
  X(not_for_us_l2) \
  X(vlan) \
  X(ethertype) \
  X(arp_malformed) \
  X(ip_version) \
  X(ip_header_length) \
  X(ip_total_length) \
  X(ip_checksum) \
  X(ip_option) \
  X(ip_fragment) \
  X(ip_source) \
  X(ip_protocol) \
  X(not_for_us_l3) \
  X(icmp_malformed) \
  X(discovery_malformed) \
  X(tcp_header) \
  X(tcp_checksum) \
  X(tcp_port) \
  X(tcp_flags) \
  X(no_listener)
// clang-format on

enum class Drop : std::uint8_t {
  none,  // not dropped
#define HANDFAST_DROP_NAME(name) name,
  HANDFAST_DROPS(HANDFAST_DROP_NAME)
#undef HANDFAST_DROP_NAME
};

// Adds one to the reason's counter; nothing for Drop::none.
void count(Drop reason, base::LiveCounters& counters);

std::string_view to_string(Drop reason);

}  // namespace handfast::wire
