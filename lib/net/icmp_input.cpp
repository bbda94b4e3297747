#include "net/icmp_input.hpp"

#include <algorithm>
#include <optional>

namespace handfast::net {
namespace {

constexpr std::uint8_t kCodeProtocolUnreachable = 2;
constexpr std::uint8_t kCodePortUnreachable = 3;
constexpr std::uint8_t kCodeFragmentationNeeded = 4;

// RFC 1122 section 4.2.3.9. Codes 6 to 15 are newer than its list or not in it: soft, for RFC 1812
// section 5.2.7.1 gives them to networks and filters that may change.
TcpError::Kind kind_of_unreachable(std::uint8_t code) {
  switch (code) {
    case kCodeProtocolUnreachable:
    case kCodePortUnreachable:
      return TcpError::Kind::unreachable_hard;
    case kCodeFragmentationNeeded:
      return TcpError::Kind::packet_too_big;
    default:
      return TcpError::Kind::unreachable_soft;
  }
}

// RFC 4443 section 3.1. RFC 5927 section 5.2 counts these two among the hard errors.
TcpError::Kind kind_of_unreachable_v6(std::uint8_t code) {
  constexpr std::uint8_t kCodeProhibited = 1;
  constexpr std::uint8_t kCodeNoPort = 4;
  return code == kCodeProhibited || code == kCodeNoPort ? TcpError::Kind::unreachable_hard
                                                        : TcpError::Kind::unreachable_soft;
}

// RFC 1812 section 5.2.7.1.
NetworkError said_by_unreachable(std::uint8_t code) {
  switch (code) {
    case kCodeProtocolUnreachable:
    case kCodePortUnreachable:
      return NetworkError::not_listening;
    case 0:   // network unreachable
    case 6:   // network unknown
    case 11:  // not for this type of service
      return NetworkError::network_unreachable;
    case 9:   // network prohibited
    case 10:  // host prohibited
    case 13:  // by a filter
    case 14:  // by precedence
    case 15:
      return NetworkError::prohibited;
    default:
      return NetworkError::host_unreachable;
  }
}

// RFC 4443 section 3.1.
NetworkError said_by_unreachable_v6(std::uint8_t code) {
  switch (code) {
    case 0:  // no route
    case 2:  // beyond the source's scope
      return NetworkError::network_unreachable;
    case 4:
      return NetworkError::not_listening;
    case 1:  // prohibited
    case 5:  // the source failed a policy
    case 6:  // a route that rejects
      return NetworkError::prohibited;
    default:
      return NetworkError::host_unreachable;
  }
}

NetworkError said_by(TcpError::Kind kind, std::uint8_t code, bool is_v6) {
  switch (kind) {
    case TcpError::Kind::unreachable_soft:
    case TcpError::Kind::unreachable_hard:
      return is_v6 ? said_by_unreachable_v6(code) : said_by_unreachable(code);
    case TcpError::Kind::time_exceeded:
      return NetworkError::time_exceeded;
    case TcpError::Kind::parameter_problem:
      return NetworkError::malformed;
    case TcpError::Kind::packet_too_big:
      break;
  }
  return NetworkError::none;
}

std::optional<TcpError::Kind> kind_of_v6(const wire::Icmp& message) {
  switch (message.type) {
    case wire::kIcmpv6DestinationUnreachable:
      return kind_of_unreachable_v6(message.code);
    case wire::kIcmpv6PacketTooBig:
      return TcpError::Kind::packet_too_big;
    case wire::kIcmpv6TimeExceeded:
      return TcpError::Kind::time_exceeded;
    case wire::kIcmpv6ParameterProblem:
      return TcpError::Kind::parameter_problem;
    default:
      return std::nullopt;
  }
}

// RFC 1191 section 4: 16 bits. RFC 8201 section 4: 32 bits, and never below what every link has.
std::uint16_t next_hop_mtu_of(const wire::Icmp& message, bool is_v6) {
  constexpr std::uint32_t kIpv6MtuMin = 1280;
  constexpr std::uint32_t kMtuMax = 65'535;
  if (!is_v6) return static_cast<std::uint16_t>(message.rest);
  return static_cast<std::uint16_t>(std::clamp(message.rest, kIpv6MtuMin, kMtuMax));
}

std::optional<TcpError::Kind> kind_of(const wire::Icmp& message) {
  switch (message.type) {
    case wire::kIcmpDestinationUnreachable:
      return kind_of_unreachable(message.code);
    case wire::kIcmpTimeExceeded:
      return TcpError::Kind::time_exceeded;
    case wire::kIcmpParameterProblem:
      return TcpError::Kind::parameter_problem;
    default:
      return std::nullopt;
  }
}

bool is_v6(const wire::Frame& frame) {
  return frame.kind == wire::FrameKind::icmpv6;
}

}  // namespace

IcmpVerdict IcmpInput::decide(const wire::Icmp& message, const wire::Frame& frame, Instant now) {
  const std::uint8_t echo_request =
      is_v6(frame) ? +wire::kIcmpv6EchoRequest : +wire::kIcmpEchoRequest;
  if (message.type != echo_request) return decide_error(message, frame);
  // RFC 1122 section 3.2.2.6 lets an echo to a broadcast address go unanswered, and an answer to a
  // broadcast address would be an amplifier.
  if (is_from_host_to_us(frame) && echoes_.take(now)) return AnswerEcho{};
  return IgnoreIcmp{};
}

IcmpVerdict IcmpInput::decide_error(const wire::Icmp& message, const wire::Frame& frame) const {
  const auto kind = is_v6(frame) ? kind_of_v6(message) : kind_of(message);
  if (!kind) return IgnoreIcmp{};
  const auto quoted =
      is_v6(frame) ? wire::parse_quoted_tcp_v6(message) : wire::parse_quoted_tcp(message);
  const bool is_about_us = quoted && interface_->is_ours(quoted->source);
  if (!is_about_us || !is_from_host_to_us(frame)) return DisbelieveIcmp{};
  TcpError error{
      .quoted = *quoted, .kind = *kind, .said = said_by(*kind, message.code, is_v6(frame))};
  if (*kind == TcpError::Kind::packet_too_big) {
    error.next_hop_mtu = next_hop_mtu_of(message, is_v6(frame));
  }
  return error;
}

bool IcmpInput::is_from_host_to_us(const wire::Frame& frame) const {
  return !frame.link_broadcast && !frame.source.is_unspecified() &&
         !interface_->is_broadcast(frame.source) && interface_->is_ours(frame.destination) &&
         !interface_->is_broadcast(frame.destination);
}

}  // namespace handfast::net
