#include "wire/icmp.hpp"

#include <algorithm>

#include "wire/checksum.hpp"

namespace handfast::wire {
namespace {

using base::load_be16;
using base::load_be32;

constexpr std::size_t kIpv4PacketMax = 65'535;

bool is_error(std::uint8_t type) {
  return type == kIcmpDestinationUnreachable || type == kIcmpSourceQuench ||
         type == kIcmpTimeExceeded || type == kIcmpParameterProblem;
}

}  // namespace

Drop parse_icmp(base::Bytes message, Icmp& out) {
  if (message.size() < kIcmpHeaderSize || fold(sum(message)) != 0) return Drop::icmp_malformed;
  out.type = std::to_integer<std::uint8_t>(message[0]);
  out.code = std::to_integer<std::uint8_t>(message[1]);
  out.rest = load_be32(message.data() + 4);
  out.body = message.subspan(kIcmpHeaderSize);
  return Drop::none;
}

std::optional<QuotedTcp> parse_quoted_tcp(const Icmp& icmp) {
  constexpr std::size_t kQuotedMin = 8;  // RFC 792: at least 64 bits of the original data
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
  const std::byte* const tcp = ip + header_length;
  return QuotedTcp{
      .source = Address::v4(load_be32(ip + 12)),
      .destination = Address::v4(load_be32(ip + 16)),
      .source_port = load_be16(tcp),
      .destination_port = load_be16(tcp + 2),
      .seq = base::Seq{load_be32(tcp + 4)},
  };
}

std::uint32_t emit_echo_reply(std::byte* at, const LinkHeader& link, const IpFields& ip,
                              const Icmp& request, std::size_t room) {
  const std::size_t headers = link.length + kIpv4HeaderSize + kIcmpHeaderSize;
  if (room < headers) return 0;
  const std::size_t data_max =
      std::min(room - headers, kIpv4PacketMax - kIpv4HeaderSize - kIcmpHeaderSize);
  const base::Bytes data = request.body.first(std::min(request.body.size(), data_max));
  const std::size_t message_length = kIcmpHeaderSize + data.size();

  std::byte* const message =
      emit_ip(emit_link(at, link), kProtocolIcmp, ip, static_cast<std::uint32_t>(message_length));
  WordWriter header(message);
  header.put(std::uint32_t{kIcmpEchoReply} << 24);
  header.put(request.rest);
  store_checksum(message + 2, fold(header.sum() + copy_and_sum(header.at(), data)));
  return static_cast<std::uint32_t>(link.length + kIpv4HeaderSize + message_length);
}

}  // namespace handfast::wire
