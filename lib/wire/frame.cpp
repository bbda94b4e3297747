#include "wire/frame.hpp"

#include <array>

#include "wire/checksum.hpp"
#include "wire/ip.hpp"
#include "wire/ipv6.hpp"

namespace handfast::wire {
namespace {

using base::load_be16;
using base::load_be32;

// RFC 791 section 3.1: each option but End (0) and No Operation (1) has a length that counts its
// two first bytes too.
bool are_ipv4_options_well_formed(Bytes options) {
  constexpr std::byte kEnd{0};
  constexpr std::byte kNoOperation{1};
  while (!options.empty() && options[0] != kEnd) {
    if (options[0] == kNoOperation) {
      options = options.subspan(1);
      continue;
    }
    if (options.size() < 2) return false;
    const auto length = std::to_integer<std::size_t>(options[1]);
    if (length < 2 || length > options.size()) return false;
    options = options.subspan(length);
  }
  return true;
}

bool is_ipv4_checksum_good(Bytes header, std::uint8_t packet_flags) {
  if ((packet_flags & base::kIpChecksumBad) != 0) return false;
  if ((packet_flags & base::kIpChecksumGood) != 0) return true;
  // Nearly always without options: three loads.
  if (header.size() == kIpv4HeaderSize) [[likely]] {
    return fold(sum_of<kIpv4HeaderSize>(header.data())) == 0;
  }
  return fold(sum(header)) == 0;
}

void refuse_protocol(Bytes packet, Frame& out) {
  const std::byte* const at = packet.data();
  constexpr std::uint16_t kProtocolAt = 9;
  out.source = Address::v4(load_be32(at + 12));
  out.destination = Address::v4(load_be32(at + 16));
  out.refused = {.begin = at,
                 .length = static_cast<std::uint16_t>(packet.size()),
                 .at = kProtocolAt,
                 .protocol = std::to_integer<std::uint8_t>(at[kProtocolAt]),
                 .complaint = Complaint::protocol};
}

Drop parse_ipv4(Bytes packet, Frame& out) {
  constexpr std::uint16_t kMoreFragmentsAndOffset = 0x3fff;
  if (packet.size() < kIpv4HeaderSize) return Drop::too_short;
  const std::byte* const at = packet.data();
  const auto version_and_length = std::to_integer<std::uint8_t>(at[0]);
  if ((version_and_length >> 4) != 4) return Drop::ip_version;
  const std::size_t header_length = std::size_t{version_and_length & 0xfU} * 4;
  if (header_length < kIpv4HeaderSize || header_length > packet.size()) {
    return Drop::ip_header_length;
  }
  const std::size_t total_length = load_be16(at + 2);
  if (total_length < header_length || total_length > packet.size()) return Drop::ip_total_length;
  const Bytes header = packet.first(header_length);
  if (!is_ipv4_checksum_good(header, out.checksum_flags)) return Drop::ip_checksum;
  if (header_length > kIpv4HeaderSize &&
      !are_ipv4_options_well_formed(header.subspan(kIpv4HeaderSize))) {
    out.refused.complaint = Complaint::none;
    return Drop::ip_option;
  }
  if ((load_be16(at + 6) & kMoreFragmentsAndOffset) != 0) return Drop::ip_fragment;
  if (is_impossible_source(load_be32(at + 12))) return Drop::ip_source;

  switch (std::to_integer<std::uint8_t>(at[9])) {
    case kProtocolTcp:
      out.kind = FrameKind::tcp;
      break;
    case kProtocolIcmp:
      out.kind = FrameKind::icmp;
      break;
    default:
      refuse_protocol(packet.first(total_length), out);
      return Drop::ip_protocol;
  }
  out.tos = std::to_integer<std::uint8_t>(at[1]);
  out.hop_limit = std::to_integer<std::uint8_t>(at[8]);
  out.source = Address::v4(load_be32(at + 12));
  out.destination = Address::v4(load_be32(at + 16));
  out.payload = packet.subspan(header_length, total_length - header_length);
  return Drop::none;
}

Drop parse_arp_frame(Bytes body, Frame& out) {
  out.kind = FrameKind::arp;
  out.tos = 0;
  out.hop_limit = 0;
  out.source = Address{};
  out.destination = Address{};
  out.payload = body;
  return Drop::none;
}

// Takes the tag off. Only a single one is known: behind a second one no EtherType of ours is found.
Drop parse_tag(Bytes& rest, std::uint16_t& ethertype, std::uint16_t& vlan) {
  constexpr std::uint16_t kVlanIdentifier = 0x0fff;
  if (rest.size() < kVlanTagSize) return Drop::too_short;
  vlan = load_be16(rest.data()) & kVlanIdentifier;
  ethertype = load_be16(rest.data() + 2);
  rest = rest.subspan(kVlanTagSize);
  return Drop::none;
}

}  // namespace

Drop parse_frame(const base::Packet& packet, const LinkFilter& filter, Frame& out) {
  const Bytes bytes = packet.bytes();
  if (bytes.size() < kEthernetHeaderSize) return Drop::too_short;
  const auto destination = load_native<MacAddress>(bytes.data());
  out.link_broadcast = is_multicast(destination);
  if (!out.link_broadcast && destination != filter.mac) return Drop::not_for_us_l2;
  out.source_mac = load_native<MacAddress>(bytes.data() + destination.size());
  out.checksum_flags = packet.flags;

  std::uint16_t ethertype = load_be16(bytes.data() + 2 * destination.size());
  std::uint16_t vlan = 0;
  Bytes rest = bytes.subspan(kEthernetHeaderSize);
  if (ethertype == kEtherTypeVlan) {
    const Drop drop = parse_tag(rest, ethertype, vlan);
    if (drop != Drop::none) return drop;
  }
  if (vlan != filter.vlan.value_or(0)) return Drop::vlan;

  switch (ethertype) {
    case kEtherTypeIpv4:
      return parse_ipv4(rest, out);
    case kEtherTypeIpv6:
      return parse_ipv6(rest, out);
    case kEtherTypeArp:
      return parse_arp_frame(rest, out);
    default:
      return Drop::ethertype;
  }
}

}  // namespace handfast::wire
