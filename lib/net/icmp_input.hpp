// IcmpInput: what a received ICMP message asks of us (RFC 792, RFC 1122 section 3.2.2), or an
// ICMPv6 one (RFC 4443) that is not Neighbour Discovery. It decides and does nothing: the stack
// sends the echo reply, or finds the connection that an error is about and believes it only if the
// quoted sequence number is in flight (RFC 5927 section 4.1). Called by the stack for each ICMP
// message that wire has parsed and whose destination is known.
#pragma once

#include <cstdint>
#include <variant>

#include "handfast/error.hpp"
#include "handfast/time.hpp"
#include "net/interface.hpp"
#include "net/token_bucket.hpp"
#include "wire/frame.hpp"
#include "wire/icmp.hpp"

namespace handfast::net {

// RFC 1122 section 3.2.2.6 asks for an echo server, not for one that can be used to load us.
inline constexpr std::uint32_t kEchoPerSecondMax = 1000;
inline constexpr std::uint32_t kEchoBurstMax = 100;

// An error about a TCP segment that came from one of our addresses.
struct TcpError {
  enum class Kind : std::uint8_t {
    // May pass: type 3, all codes but 2 to 4 (RFC 1122 section 4.2.3.9); of ICMPv6 type 1, all
    // codes but 1 and 4.
    unreachable_soft,
    // Type 3 codes 2 and 3; of ICMPv6 type 1 codes 1 and 4. Ends a connection that is not yet
    // synchronized; for one that is, RFC 5927 section 5.2 takes it as soft.
    unreachable_hard,
    packet_too_big,     // type 3 code 4 (RFC 1191); of ICMPv6 type 2
    time_exceeded,      // type 11, of ICMPv6 type 3: soft
    parameter_problem,  // type 12, of ICMPv6 type 4: soft
  };
  wire::QuotedTcp quoted;
  Kind kind = Kind::unreachable_soft;
  NetworkError said = NetworkError::none;  // the same for the application; of packet_too_big none
  // Of packet_too_big; 0 from a router older than RFC 1191. Of IPv6 at least 1280 (RFC 8201).
  std::uint16_t next_hop_mtu = 0;
};

// An echo request that deserves an answer: wire::emit_echo_reply.
struct AnswerEcho {};

// Nothing is to be done, and nothing is wrong with the message: an echo reply, an echo request over
// the rate or to a broadcast address, a source quench (RFC 9293 MUST-55). A redirect too: RFC 1122
// section 3.2.2.2 would have it change our routes, but anybody can forge one.
struct IgnoreIcmp {};

// An error that is malformed, or about another protocol or about no address of ours.
struct DisbelieveIcmp {};

using IcmpVerdict = std::variant<IgnoreIcmp, DisbelieveIcmp, AnswerEcho, TcpError>;

class IcmpInput {
 public:
  // `interface` is borrowed for life.
  explicit IcmpInput(const Interface& interface) : interface_(&interface) {}

  // `frame` is the one that carried the message.
  IcmpVerdict decide(const wire::Icmp& message, const wire::Frame& frame, Instant now);

 private:
  bool is_from_host_to_us(const wire::Frame& frame) const;
  IcmpVerdict decide_error(const wire::Icmp& message, const wire::Frame& frame) const;

  const Interface* interface_;
  TokenBucket echoes_{kEchoPerSecondMax, kEchoBurstMax};
};

}  // namespace handfast::net
