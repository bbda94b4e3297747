#include "net/icmp_errors.hpp"

#include "wire/ip.hpp"

namespace handfast::net {
namespace {

using wire::Complaint;

// Of Destination Unreachable.
constexpr std::uint8_t kProtocol = 2;
constexpr std::uint8_t kPort = 3;
constexpr std::uint8_t kPortV6 = 4;
// Of ICMPv6's Parameter Problem (RFC 4443 section 3.4).
constexpr std::uint8_t kHeaderField = 0;
constexpr std::uint8_t kNextHeader = 1;
constexpr std::uint8_t kOption = 2;

wire::IcmpError problem(std::uint8_t code, const wire::RefusedPacket& refused) {
  return {.type = wire::kIcmpv6ParameterProblem, .code = code, .rest = refused.at};
}

// Nothing for what gives no reason to complain. UDP is no protocol that is unknown, but one where
// nobody listens on any port (RFC 1122 section 4.1.3.1, RFC 4443 section 3.1).
std::optional<wire::IcmpError> error_for(const wire::RefusedPacket& refused) {
  const bool is_udp = refused.protocol == wire::kProtocolUdp;
  switch (refused.complaint) {
    case Complaint::none:
      return std::nullopt;
    case Complaint::protocol:
      return wire::IcmpError{.type = wire::kIcmpDestinationUnreachable,
                             .code = is_udp ? kPort : kProtocol};
    case Complaint::next_header:
      if (!is_udp) return problem(kNextHeader, refused);
      return wire::IcmpError{.type = wire::kIcmpv6DestinationUnreachable, .code = kPortV6};
    case Complaint::header_field:
      return problem(kHeaderField, refused);
    case Complaint::option:
    case Complaint::option_of_any_kind:
      return problem(kOption, refused);
  }
  return std::nullopt;
}

}  // namespace

std::optional<OwnIcmpError> IcmpErrors::about(const wire::Frame& frame, Instant now) {
  const auto error = error_for(frame.refused);
  if (!error || !may_be_answered(frame)) return std::nullopt;
  const auto source = frame.destination.is_multicast() ? interface_->source_for(frame.source)
                                                       : std::optional{frame.destination};
  if (!source) return std::nullopt;
  if (!tokens_.take(now)) {
    ++counters_->icmp_errors_limited;
    return std::nullopt;
  }
  return OwnIcmpError{.source = *source,
                      .destination = frame.source,
                      .error = *error,
                      .quoted = {frame.refused.begin, frame.refused.length}};
}

// RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e): neither to nor from what is more than one host.
// An option may ask for an answer to a group's packet all the same (e.3).
bool IcmpErrors::may_be_answered(const wire::Frame& frame) const {
  if (frame.source.is_unspecified() || interface_->is_broadcast(frame.source) ||
      interface_->is_ours(frame.source)) {
    return false;
  }
  if (frame.refused.complaint == Complaint::option_of_any_kind &&
      interface_->is_joined(frame.destination)) {
    return true;
  }
  return !frame.link_broadcast && interface_->is_ours(frame.destination) &&
         !interface_->is_broadcast(frame.destination);
}

}  // namespace handfast::net
