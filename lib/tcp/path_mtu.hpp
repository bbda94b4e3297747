// Path MTU: how large a segment the path takes. It is told by ICMP (RFC 1191, RFC 8201), believed
// only about a segment that was sent, is unanswered and is larger than what it says (RFC 5927
// section 7.2); or found out when routers keep silent and full segments never arrive (RFC 4821's
// black holes). It is nothing about congestion: the window stays.
//
// Each connection learns for itself, and starts from what ICMP told another one towards the same
// host lately (PathMtus). What it has learned stands in its Transfer, which it then
// keeps while idle, and is tried anew by SEND: after ten minutes (RFC 1191 section 6.3, RFC 8201
// section 5.3), for a black hole twice as long each time it is found again.
#pragma once

#include <array>
#include <cstdint>

#include "handfast/address.hpp"
#include "handfast/time.hpp"
#include "tcp/icmp_error.hpp"
#include "tcp/parameters.hpp"
#include "tcp/tcb.hpp"

namespace handfast::tcp {

// An ICMP error says that the segment with `quoted` was too big for a hop of `mtu` bytes of IP
// packet; 0 comes from an old router that does not say. What was too big is marked to be sent again
// in smaller pieces.
IcmpVerdict packet_too_big(Tcb& tcb, Seq quoted, std::uint16_t mtu, Context& context);

// A retransmission time-out, before it does anything else: after three of one large segment the
// next are smaller, as Linux has it with tcp_mtu_probing = 1; after six where segments of that size
// have arrived before.
void suspect_black_hole(Tcb& tcb, Context& context);

// Whether so many probes of the window were not answered that the path may swallow what fills it: a
// byte passes everywhere.
bool is_probe_suspect(const Tcb& tcb);

// What was told of the paths to other hosts in the last ten minutes (RFC 1191 section 6.3, RFC 8201
// section 5.3), by address; what is new takes the place of what is old. One worker's own.
class PathMtus {
 public:
  struct Known {
    Address remote;
    std::uint16_t mtu = 0;  // bytes of IP packet; 0: the place is free
    Instant until;
  };
  void remember(const Address& remote, std::uint32_t mtu, Instant now);
  // Null when nothing is known, or no longer.
  const Known* find(const Address& remote, Instant now) const;
  // Of all, from the first that was remembered on: asked for each connection.
  bool knows_any() const { return knows_any_; }

 private:
  static constexpr std::size_t kPlaces = 256;
  static std::size_t place_of(const Address& remote);
  std::array<Known, kPlaces> places_;
  bool knows_any_ = false;
};

// A connection has just been established with a host to which the path is known to be smaller.
void start_at(Tcb& tcb, const PathMtus::Known& known, Context& context);

// SEND with a Transfer: full size again, if it is time.
void try_full_size(Tcb& tcb, Context& context);

inline bool knows_smaller_path(const Tcb& tcb) {
  return tcb.transfer != nullptr && tcb.transfer->full_mss != 0;
}

// Bytes of IP packet that are thought to get through.
std::uint32_t path_mtu(const Tcb& tcb, const Parameters& parameters);

}  // namespace handfast::tcp
