// ErrorMessage: the ICMP error that a router on the way, or who pretends to be one, sends about a
// TCP frame (RFC 792, RFC 4443). For MiddleboxDevice; the stack's own errors are lib/net's.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "drivers/impair/tcp_rewrite.hpp"
#include "wire/icmp.hpp"

namespace handfast::drivers {

enum class Complaint : std::uint8_t {
  host_unreachable,
  time_exceeded,
  too_big,
  port_unreachable,  // ends what is not yet synchronized (RFC 5927 section 5.2)
};

// `mtu` is that of too_big, of IP packet; 0: a router older than RFC 1191, of IPv4 only.
wire::IcmpError error_of(Complaint complaint, bool is_v4, std::uint16_t mtu = 0);

// The whole frame, to the sender of `frame`, which it quotes; it comes from where that was to go.
std::vector<std::byte> error_about(base::Bytes frame, const TcpGlance& glance,
                                   const wire::IcmpError& error);

}  // namespace handfast::drivers
