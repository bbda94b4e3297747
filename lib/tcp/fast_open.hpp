// TCP Fast Open (RFC 7413): text in the SYN, taken before the handshake is done from a client that
// has shown, by a cookie we once gave it, that its address is its own. The text may then arrive
// twice, so an application asks for it. Both roles are here; who is let in, how many at once, and
// which addresses are known is for the stack to keep.
#pragma once

#include <array>
#include <cstdint>

#include "base/segment.hpp"
#include "base/siphash.hpp"
#include "tcp/parameters.hpp"
#include "tcp/segment_arrives.hpp"
#include "tcp/tcb.hpp"

namespace handfast::tcp {

inline bool asks_cookies(FastOpen mode) {
  return mode == FastOpen::client || mode == FastOpen::both;
}
inline bool gives_cookies(FastOpen mode) {
  return mode == FastOpen::server || mode == FastOpen::both;
}

// --- server

// Puts the cookie of these two addresses into a SYN-ACK. It is good for six to twelve hours: the
// key changes with the time, and all workers of a port derive the same one from `secret`.
void add_cookie(base::Segment& syn_ack, const base::FlowKey& key, const base::SipKey& secret,
                Instant now);
bool has_good_cookie(const base::Segment& syn, const base::FlowKey& key, const base::SipKey& secret,
                     Instant now);

// A SYN with a good cookie makes a Tcb in SYN-RECEIVED, its SYN-ACK to be sent and its text to be
// delivered as the result says. The Tcb is fresh but for configure().
Arrival open_with_text(Tcb& tcb, const base::FlowKey& key, const base::Segment& syn, Seq iss,
                       Context& context);

// --- client

// What servers have given us, by address; what is new takes the place of what is old.
class FastOpenCookies {
 public:
  struct Known {
    Address server;
    std::uint16_t mss = 0;    // of its SYN-ACK
    std::uint8_t length = 0;  // 0: the place is free
    std::array<std::uint8_t, 16> cookie{};
  };
  const Known* find(const Address& server) const;
  void remember(const Address& server, const base::TcpOptions& of_syn_ack);
  void forget(const Address& server);

 private:
  static constexpr std::size_t kPlaces = 256;
  std::size_t place_of(const Address& server) const;
  std::array<Known, kPlaces> places_;
};

// Our SYN's option, and as much queued text as it takes. Without a cookie (null) it asks for one.
// The text counts as probed: SND.NXT stays before it, and what the SYN-ACK does not acknowledge
// is sent again as if it never had been.
void add_fast_open(Tcb& tcb, const FastOpenCookies::Known* known, base::Segment& syn,
                   Context& context);

}  // namespace handfast::tcp
