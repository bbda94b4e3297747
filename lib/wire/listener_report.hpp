// Multicast Listener Discovery: version 2's report and the queries that ask for it (RFC 3810, RFC
// 2710), so that switches which watch it forward to us what is sent to our groups. No state: which
// groups, and when, is lib/net's.
#pragma once

#include <cstdint>
#include <span>

#include "handfast/address.hpp"
#include "handfast/time.hpp"
#include "wire/discovery.hpp"

namespace handfast::wire {

// ff02::16, where version 2's reports go.
inline constexpr Address kAllMldRouters =
    Address::from_bytes({0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16});

// What a report says of its groups: that we listen to every source.
enum class ListenerRecord : std::uint8_t {
  is_exclude = 2,         // now, as was asked
  change_to_exclude = 4,  // from now on
};

// So many groups fit a report in the least MTU of IPv6.
inline constexpr std::size_t kReportedGroupsMax = 60;
inline constexpr std::size_t kListenerReportFrameMax =
    sizeof(LinkHeader::bytes) + kIpv6HeaderSize + 8 + kIcmpHeaderSize + 20 * kReportedGroupsMax;

struct ListenerQuery {
  Address group;  // unspecified: about all
  Duration max_delay{0};
  bool is_version_1 = false;
};

// Reads a message that parse_icmpv6 took from `frame`, type known, with the checks of RFC 3810
// section 6.2 but one: whether there was a router alert option is not looked at.
Drop parse_listener_query(const Icmp& message, const Frame& frame, ListenerQuery& out);

// Writes a whole frame to `kAllMldRouters`, of at most kReportedGroupsMax groups; returns its
// length. The hop limit is 1 whatever `ip` says, and a router alert option goes along (RFC 2711).
std::uint32_t emit_listener_report(std::byte* at, const LinkHeader& link, const IpFields& ip,
                                   ListenerRecord record, std::span<const Address> groups);
// Version 1's, of one group, to which it goes.
std::uint32_t emit_listener_report_v1(std::byte* at, const LinkHeader& link, const IpFields& ip,
                                      const Address& group);

}  // namespace handfast::wire
