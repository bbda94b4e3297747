// What an ICMP error does to a connection (RFC 9293 section 3.9.2.2, RFC 5927). The quoted sequence
// number must be in flight, or anybody could have sent it. A packet that was too big is
// path_mtu.hpp's.
#pragma once

#include <cstdint>

#include "tcp/tcb.hpp"

namespace handfast::tcp {

enum class IcmpVerdict : std::uint8_t {
  disbelieve,
  note,   // soft: the connection goes on and gives up by its own timeouts (MUST-56)
  abort,  // hard, and the connection is not synchronized yet (RFC 5927 section 5.2)
};

inline bool is_in_flight(const Tcb& tcb, Seq quoted) {
  return tcb.in_flight() > 0 && quoted.is_within(tcb.snd_una, tcb.in_flight());
}

// What is believed is kept until the peer acknowledges something, to say why if it never does.
inline IcmpVerdict icmp_error(Tcb& tcb, Seq quoted, NetworkError said, bool is_hard) {
  if (!is_in_flight(tcb, quoted)) return IcmpVerdict::disbelieve;
  tcb.network_error = said;
  return is_hard && !tcb.is_synchronized() ? IcmpVerdict::abort : IcmpVerdict::note;
}

}  // namespace handfast::tcp
