#include "net/icmp_input.hpp"

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

}  // namespace

IcmpVerdict IcmpInput::decide(const wire::Icmp& message, const wire::Frame& frame, Instant now) {
  if (message.type != wire::kIcmpEchoRequest) return decide_error(message, frame);
  // RFC 1122 section 3.2.2.6 lets an echo to a broadcast address go unanswered, and an answer to a
  // broadcast address would be an amplifier.
  if (is_from_host_to_us(frame) && echoes_.take(now)) return AnswerEcho{};
  return IgnoreIcmp{};
}

IcmpVerdict IcmpInput::decide_error(const wire::Icmp& message, const wire::Frame& frame) const {
  const auto kind = kind_of(message);
  if (!kind) return IgnoreIcmp{};
  const auto quoted = wire::parse_quoted_tcp(message);
  const bool is_about_us = quoted && interface_->is_ours(quoted->source);
  if (!is_about_us || !is_from_host_to_us(frame)) return DisbelieveIcmp{};
  TcpError error{.quoted = *quoted, .kind = *kind};
  if (*kind == TcpError::Kind::packet_too_big) {
    error.next_hop_mtu = static_cast<std::uint16_t>(message.rest);  // RFC 1191 section 4
  }
  return error;
}

bool IcmpInput::is_from_host_to_us(const wire::Frame& frame) const {
  return !frame.link_broadcast && !frame.source.is_unspecified() &&
         !interface_->is_broadcast(frame.source) && interface_->is_ours(frame.destination) &&
         !interface_->is_broadcast(frame.destination);
}

}  // namespace handfast::net
