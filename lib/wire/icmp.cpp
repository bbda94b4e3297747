#include "wire/icmp.hpp"

#include <algorithm>
#include <array>

#include "wire/checksum.hpp"

namespace handfast::wire {
namespace {

using base::load_be16;
using base::load_be32;

constexpr std::size_t kIpPayloadMax = 65'535 - kIpv4HeaderSize;
constexpr std::size_t kQuotedMin = 8;  // RFC 792: at least 64 bits of the original data

bool is_error(std::uint8_t type) {
  return type == kIcmpDestinationUnreachable || type == kIcmpSourceQuench ||
         type == kIcmpTimeExceeded || type == kIcmpParameterProblem;
}

bool is_error_v6(std::uint8_t type) {
  return type == kIcmpv6DestinationUnreachable || type == kIcmpv6PacketTooBig ||
         type == kIcmpv6TimeExceeded || type == kIcmpv6ParameterProblem;
}

void take_message(base::Bytes message, Icmp& out) {
  out.type = std::to_integer<std::uint8_t>(message[0]);
  out.code = std::to_integer<std::uint8_t>(message[1]);
  out.rest = load_be32(message.data() + 4);
  out.body = message.subspan(kIcmpHeaderSize);
}

QuotedTcp quoted_of(const Address& source, const Address& destination, const std::byte* tcp) {
  return {.source = source,
          .destination = destination,
          .source_port = load_be16(tcp),
          .destination_port = load_be16(tcp + 2),
          .seq = base::Seq{load_be32(tcp + 4)}};
}

// As much of `body` as a message of at most `message_max` bytes holds, and `room` its frame;
// nothing when there is no room for the headers.
std::optional<base::Bytes> cut(base::Bytes body, const LinkHeader& link, const IpFields& ip,
                               std::size_t message_max, std::size_t room) {
  const std::size_t headers = link.length + ip_header_length(ip) + kIcmpHeaderSize;
  if (room < headers) return std::nullopt;
  return body.first(std::min({body.size(), room - headers, message_max - kIcmpHeaderSize}));
}

std::uint32_t emit_message(std::byte* at, const LinkHeader& link, const IpFields& ip,
                           const IcmpError& head, const std::optional<base::Bytes>& body) {
  if (!body) return 0;
  const auto length = static_cast<std::uint32_t>(kIcmpHeaderSize + body->size());
  const std::uint8_t protocol = ip.is_v4 ? kProtocolIcmp : kProtocolIcmpv6;
  const std::uint64_t pseudo =
      ip.is_v4 ? 0 : pseudo_header_sum(ip.source, ip.destination, protocol, length);
  std::byte* const message = emit_ip(emit_link(at, link), protocol, ip, length);
  WordWriter header(message, pseudo);
  header.put(std::uint32_t{head.type} << 24 | std::uint32_t{head.code} << 16);
  header.put(head.rest);
  store_checksum(message + 2, fold(header.sum() + copy_and_sum(header.at(), *body)));
  return link.length + ip_header_length(ip) + length;
}

Address load_address(const std::byte* at) {
  return Address::from_bytes(load_native<std::array<std::uint8_t, 16>>(at));
}

}  // namespace

Drop parse_icmp(base::Bytes message, Icmp& out) {
  if (message.size() < kIcmpHeaderSize || fold(sum(message)) != 0) return Drop::icmp_malformed;
  take_message(message, out);
  return Drop::none;
}

Drop parse_icmpv6(const Frame& frame, Icmp& out) {
  const base::Bytes message = frame.payload;
  if (message.size() < kIcmpHeaderSize) return Drop::icmp_malformed;
  const std::uint64_t pseudo = pseudo_header_sum(frame.source, frame.destination, kProtocolIcmpv6,
                                                 static_cast<std::uint32_t>(message.size()));
  if (fold(sum(message, pseudo)) != 0) return Drop::icmp_malformed;
  take_message(message, out);
  return Drop::none;
}

std::optional<QuotedTcp> parse_quoted_tcp(const Icmp& icmp) {
  constexpr std::uint16_t kFragmentOffset = 0x1fff;
  if (!is_error(icmp.type) || icmp.body.size() < kIpv4HeaderSize) return std::nullopt;
  const std::byte* const ip = icmp.body.data();
  const auto version_and_length = std::to_integer<std::uint8_t>(ip[0]);
  const std::size_t header_length = std::size_t{version_and_length & 0xfU} * 4;
  if ((version_and_length >> 4) != 4 || header_length < kIpv4HeaderSize ||
      icmp.body.size() < header_length + kQuotedMin) {
    return std::nullopt;
  }
  // The quoted checksum is not verified: routers on the way have changed the hop limit.
  if (load_be16(ip + 2) < header_length + kQuotedMin ||
      (load_be16(ip + 6) & kFragmentOffset) != 0 ||
      std::to_integer<std::uint8_t>(ip[9]) != kProtocolTcp) {
    return std::nullopt;
  }
  return quoted_of(Address::v4(load_be32(ip + 12)), Address::v4(load_be32(ip + 16)),
                   ip + header_length);
}

std::optional<QuotedTcp> parse_quoted_tcp_v6(const Icmp& icmp) {
  if (!is_error_v6(icmp.type) || icmp.body.size() < kIpv6HeaderSize + kQuotedMin) {
    return std::nullopt;
  }
  const std::byte* const ip = icmp.body.data();
  if (std::to_integer<unsigned>(ip[0]) >> 4 != 6 || load_be16(ip + 4) < kQuotedMin ||
      std::to_integer<std::uint8_t>(ip[6]) != kProtocolTcp) {
    return std::nullopt;
  }
  const Address source = load_address(ip + 8);
  const Address destination = load_address(ip + 24);
  // Mapped ones are IPv4's to us, whose connections IPv6 has nothing to say about.
  if (source.is_v4() || destination.is_v4()) return std::nullopt;
  return quoted_of(source, destination, ip + kIpv6HeaderSize);
}

std::uint32_t emit_echo_reply(std::byte* at, const LinkHeader& link, const IpFields& ip,
                              const Icmp& request, std::size_t room) {
  const std::uint8_t type = ip.is_v4 ? +kIcmpEchoReply : +kIcmpv6EchoReply;
  return emit_message(at, link, ip, {.type = type, .rest = request.rest},
                      cut(request.body, link, ip, kIpPayloadMax, room));
}

std::uint32_t emit_icmp_error(std::byte* at, const LinkHeader& link, const IpFields& ip,
                              const IcmpError& error, base::Bytes packet, std::size_t room) {
  const std::size_t most = (ip.is_v4 ? kIcmpErrorMax : kIcmpv6ErrorMax) - ip_header_length(ip);
  return emit_message(at, link, ip, error, cut(packet, link, ip, most, room));
}

}  // namespace handfast::wire
