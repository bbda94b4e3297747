#include "wire/router.hpp"

#include <cstring>

#include "wire/checksum.hpp"
#include "wire/discovery_options.hpp"

namespace handfast::wire {
namespace {

using base::load_be32;

// RFC 4861 section 4.2: behind the router's lifetime, two times that are not used here.
constexpr std::size_t kTimersSize = 8;

// RFC 4861 section 4.6.2:
//
//   0      1        2               3       4       8           12         16
//   | type | length | prefix length | L A.. | valid | preferred | reserved | prefix (16)
constexpr std::size_t kPrefixOptionSize = 32;

void take_prefix(base::Bytes option, RouterAdvertisement& out) {
  constexpr std::byte kOnLink{0x80};
  constexpr std::uint8_t kBitsMax = 128;
  const auto length = std::to_integer<std::uint8_t>(option[2]);
  if (option.size() != kPrefixOptionSize || length > kBitsMax ||
      out.prefix_count == out.prefixes.size()) {
    return;
  }
  const auto network =
      Address::from_bytes(load_native<std::array<std::uint8_t, 16>>(option.data() + 16));
  out.prefixes[out.prefix_count++] = {.prefix = {network, length},
                                      .valid_s = load_be32(option.data() + 4),
                                      .is_on_link = (option[3] & kOnLink) != std::byte{0}};
}

}  // namespace

Drop parse_router_advertisement(const Icmp& message, const Frame& frame, RouterAdvertisement& out) {
  if (frame.hop_limit != kDiscoveryHopLimit || message.code != 0 ||
      message.body.size() < kTimersSize || !frame.source.is_link_local()) {
    return Drop::discovery_malformed;
  }
  out = {};
  out.lifetime_s = static_cast<std::uint16_t>(message.rest);
  const bool is_well_formed = walk_discovery_options(
      message.body.subspan(kTimersSize), [&out](std::uint8_t type, base::Bytes option) {
        switch (type) {
          case kSourceLinkAddress:
            return take_link_address(option, out.source_mac);
          case kPrefixInformation:
            take_prefix(option, out);
            return true;
          case kMtuOption:
            if (option.size() == kDiscoveryOptionUnit) out.mtu = load_be32(option.data() + 4);
            return true;
          default:
            return true;
        }
      });
  return is_well_formed ? Drop::none : Drop::discovery_malformed;
}

std::uint32_t emit_router_solicitation(std::byte* at, const LinkHeader& link, const IpFields& ip,
                                       const MacAddress& source_mac) {
  constexpr std::uint32_t kLength = kIcmpHeaderSize + kDiscoveryOptionUnit;
  IpFields fields = ip;
  fields.hop_limit = kDiscoveryHopLimit;
  std::byte* const message = emit_ip(emit_link(at, link), kProtocolIcmpv6, fields, kLength);
  base::store_be32(message, std::uint32_t{kIcmpv6RouterSolicitation} << 24);
  base::store_be32(message + 4, 0);
  message[kIcmpHeaderSize] = std::byte{kSourceLinkAddress};
  message[kIcmpHeaderSize + 1] = std::byte{1};
  std::memcpy(message + kIcmpHeaderSize + 2, source_mac.data(), source_mac.size());
  const std::uint64_t pseudo =
      pseudo_header_sum(fields.source, fields.destination, kProtocolIcmpv6, kLength);
  store_checksum(message + 2, fold(sum({message, kLength}, pseudo)));
  return link.length + static_cast<std::uint32_t>(kIpv6HeaderSize) + kLength;
}

}  // namespace handfast::wire
