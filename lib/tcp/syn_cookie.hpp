// SYN cookies (Bernstein 1996, RFC 4987 section 3.6): a SYN answered without a record. What the
// record would have held is in the SYN-ACK, under a MAC, and comes back with the third segment.
// When that is done, which is when half-open records run out, is for the stack to say.
//
//   ISS, which SEG.ACK returns plus 1          | minute modulo 4 : 2 | MSS : 3 | MAC : 27 |
//   TSval, which TSecr returns, low bits         | ECN : 1 | SACK : 1 | window shift or 15 : 4 |
//
// The MAC is keyed and of addresses, ports, IRS, the whole minute and all of the bits before it; a
// cookie is good for one to two minutes. Without timestamps there is no place for the options: the
// connection goes on with the MSS alone, as the SYN-ACK then says.
#pragma once

#include <optional>

#include "base/flow_key.hpp"
#include "base/segment.hpp"
#include "base/siphash.hpp"
#include "tcp/half_open.hpp"
#include "tcp/parameters.hpp"

namespace handfast::tcp {

// After so long no cookie is good any more.
inline constexpr Duration kSynCookieLifetimeMax = std::chrono::minutes(2);

// A key of their own; all workers of a port derive the same one from `secret`.
base::SipKey syn_cookie_key(const base::SipKey& secret);

base::Segment syn_ack_with_syn_cookie(const base::FlowKey& key, const base::Segment& syn,
                                      const base::SipKey& cookie_key, const Context& context);

// The record that would have been, if `seg` shows a cookie of ours, for promote(); nothing if not.
// An ACK that is lost may be made good by the first text or the FIN: they have the same numbers.
std::optional<HalfOpen> half_open_of_syn_cookie(const base::FlowKey& key, const base::Segment& seg,
                                                const base::SipKey& cookie_key,
                                                const Context& context);

}  // namespace handfast::tcp
