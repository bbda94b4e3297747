// IcmpErrors: which ICMP error a packet that was refused earns its sender (RFC 1122 section 3.2.2,
// RFC 4443 section 2.4), if any: nothing that is not plainly one host's packet for us is answered,
// and only so many a second are. It decides and sends nothing: the stack does. Called by it for a
// frame that wire refused with Frame::refused filled in.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/counter.hpp"
#include "handfast/address.hpp"
#include "handfast/time.hpp"
#include "net/interface.hpp"
#include "net/token_bucket.hpp"
#include "wire/frame.hpp"
#include "wire/icmp.hpp"

namespace handfast::net {

// RFC 4443 section 2.4 (f) asks for a token bucket: enough for a traceroute or two, too little to
// be of use to who forges his source address. For each worker.
inline constexpr std::uint32_t kIcmpErrorsPerSecondMax = 100;
inline constexpr std::uint32_t kIcmpErrorsBurstMax = 50;

// An error to be sent: wire::emit_icmp_error.
struct OwnIcmpError {
  Address source;
  Address destination;
  wire::IcmpError error;
  base::Bytes quoted;  // of the frame it is about
};

class IcmpErrors {
 public:
  // Both are borrowed for life.
  IcmpErrors(const Interface& interface, base::LiveCounters& counters)
      : interface_(&interface), counters_(&counters) {}

  // Nothing also when the rate is used up, which is counted.
  std::optional<OwnIcmpError> about(const wire::Frame& frame, Instant now);

 private:
  bool may_be_answered(const wire::Frame& frame) const;

  const Interface* interface_;
  base::LiveCounters* counters_;
  TokenBucket tokens_{kIcmpErrorsPerSecondMax, kIcmpErrorsBurstMax};
};

}  // namespace handfast::net
