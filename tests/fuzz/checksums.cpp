#include "tests/fuzz/checksums.hpp"

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "wire/checksum.hpp"
#include "wire/ethernet.hpp"
#include "wire/ip.hpp"

namespace handfast::fuzz {

namespace {

using MutableBytes = std::span<std::byte>;

std::uint8_t octet(MutableBytes bytes, std::size_t at) {
  return static_cast<std::uint8_t>(bytes[at]);
}

Address address_at(MutableBytes bytes, std::size_t at) {
  std::array<std::uint8_t, 16> raw;
  for (std::size_t i = 0; i < raw.size(); ++i) raw[i] = octet(bytes, at + i);
  return Address::from_bytes(raw);
}

// The checksum field of what lies behind the IP header, if it is a protocol with one.
std::optional<std::size_t> checksum_at(std::uint8_t protocol) {
  switch (protocol) {
    case wire::kProtocolTcp:
      return 16;
    case wire::kProtocolIcmp:
    case wire::kProtocolIcmpv6:
      return 2;
    default:
      return std::nullopt;
  }
}

void fix_payload(MutableBytes payload, std::uint8_t protocol, const Address& source,
                 const Address& destination) {
  const auto at = checksum_at(protocol);
  if (!at || payload.size() < *at + 2) return;
  wire::store_checksum(&payload[*at], 0);
  std::uint64_t sum = wire::sum(payload);
  if (protocol != wire::kProtocolIcmp) {
    sum += wire::pseudo_header_sum(source, destination, protocol,
                                   static_cast<std::uint32_t>(payload.size()));
  }
  wire::store_checksum(&payload[*at], wire::fold(sum));
}

void fix_ipv4(MutableBytes packet) {
  if (packet.size() < wire::kIpv4HeaderSize) return;
  const std::size_t header = std::size_t{4} * (octet(packet, 0) & 0xf);
  const std::size_t total = base::load_be16(&packet[2]);
  if (header < wire::kIpv4HeaderSize || header > packet.size()) return;
  wire::store_checksum(&packet[10], 0);
  wire::store_checksum(&packet[10], wire::fold(wire::sum(packet.first(header))));
  if (total < header || total > packet.size()) return;
  fix_payload(packet.subspan(header, total - header), octet(packet, 9),
              Address::v4(base::load_be32(&packet[12])), Address::v4(base::load_be32(&packet[16])));
}

// Behind extension headers too, as far as their lengths lead.
void fix_ipv6(MutableBytes packet) {
  if (packet.size() < wire::kIpv6HeaderSize) return;
  const std::size_t length = base::load_be16(&packet[4]);
  if (length > packet.size() - wire::kIpv6HeaderSize) return;
  MutableBytes rest = packet.subspan(wire::kIpv6HeaderSize, length);
  std::uint8_t protocol = octet(packet, 6);
  while (!checksum_at(protocol) && rest.size() >= 8) {
    constexpr std::uint8_t kFragment = 44;
    const std::size_t header = protocol == kFragment ? 8 : 8 + 8 * std::size_t{octet(rest, 1)};
    if (header > rest.size()) return;
    protocol = octet(rest, 0);
    rest = rest.subspan(header);
  }
  fix_payload(rest, protocol, address_at(packet, 8), address_at(packet, 24));
}

}  // namespace

void fix_checksums(MutableBytes frame) {
  std::size_t at = wire::kEthernetHeaderSize;
  if (frame.size() < at + wire::kVlanTagSize) return;
  std::uint16_t type = base::load_be16(&frame[at - 2]);
  if (type == wire::kEtherTypeVlan) {
    at += wire::kVlanTagSize;
    type = base::load_be16(&frame[at - 2]);
  }
  if (type == wire::kEtherTypeIpv4) fix_ipv4(frame.subspan(at));
  if (type == wire::kEtherTypeIpv6) fix_ipv6(frame.subspan(at));
}

}  // namespace handfast::fuzz
