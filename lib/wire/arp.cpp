#include "wire/arp.hpp"

#include <cstring>

namespace handfast::wire {
namespace {

using base::load_be16;
using base::load_be32;
using base::store_be16;
using base::store_be32;

// RFC 826, "Packet format":
//
//   0         2         4      5      6     8            14          18           24          28
//   | htype   | ptype   | hlen | plen | op  | sender MAC | sender IP | target MAC | target IP |
constexpr std::uint16_t kHardwareEthernet = 1;
constexpr std::uint16_t kLengths = 0x0604;
constexpr std::size_t kSenderMacAt = 8;
constexpr std::size_t kSenderIpAt = 14;
constexpr std::size_t kTargetMacAt = 18;
constexpr std::size_t kTargetIpAt = 24;

bool can_be_sender(const MacAddress& mac, const Address& ip) {
  return !is_multicast(mac) && !ip.is_multicast() && !ip.is_limited_broadcast() &&
         !ip.is_loopback();
}

}  // namespace

Drop parse_arp(base::Bytes body, Arp& out) {
  if (body.size() < kArpSize) return Drop::too_short;
  const std::byte* const at = body.data();
  const std::uint16_t operation = load_be16(at + 6);
  if (load_be16(at) != kHardwareEthernet || load_be16(at + 2) != kEtherTypeIpv4 ||
      load_be16(at + 4) != kLengths || (operation != 1 && operation != 2)) {
    return Drop::arp_malformed;
  }
  out.operation = static_cast<Arp::Operation>(operation);
  std::memcpy(out.sender_mac.data(), at + kSenderMacAt, out.sender_mac.size());
  out.sender_ip = Address::v4(load_be32(at + kSenderIpAt));
  std::memcpy(out.target_mac.data(), at + kTargetMacAt, out.target_mac.size());
  out.target_ip = Address::v4(load_be32(at + kTargetIpAt));
  return can_be_sender(out.sender_mac, out.sender_ip) ? Drop::none : Drop::arp_malformed;
}

std::uint32_t emit_arp(std::byte* at, const LinkHeader& link, const Arp& arp) {
  std::memset(at, 0, kEthernetFrameMin);
  std::byte* const body = emit_link(at, link);
  store_be16(body, kHardwareEthernet);
  store_be16(body + 2, kEtherTypeIpv4);
  store_be16(body + 4, kLengths);
  store_be16(body + 6, static_cast<std::uint16_t>(arp.operation));
  std::memcpy(body + kSenderMacAt, arp.sender_mac.data(), arp.sender_mac.size());
  store_be32(body + kSenderIpAt, arp.sender_ip.v4_value());
  std::memcpy(body + kTargetMacAt, arp.target_mac.data(), arp.target_mac.size());
  store_be32(body + kTargetIpAt, arp.target_ip.v4_value());
  return kEthernetFrameMin;
}

}  // namespace handfast::wire
