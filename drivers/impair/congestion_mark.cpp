#include "drivers/impair/congestion_mark.hpp"

#include "base/bytes.hpp"
#include "wire/ethernet.hpp"
#include "wire/ip.hpp"

namespace handfast::drivers {
namespace {

constexpr std::uint16_t kEtherTypeServiceVlan = 0x88a8;  // IEEE 802.1ad's outer tag
constexpr unsigned kVlanTagsMax = 2;
constexpr unsigned kCongestionExperienced = 3;
constexpr std::size_t kIpv4ChecksumAt = 10;

// RFC 3168 section 5: 01 and 10 are ECT, 00 cannot hear us, 11 has been told.
bool is_capable(unsigned ecn) {
  return ecn == 1 || ecn == 2;
}

bool mark_v4(std::byte* ip) {
  const std::uint16_t before = base::load_be16(ip);
  if (before >> 12 != 4 || !is_capable(before & kCongestionExperienced)) return false;
  const auto after = static_cast<std::uint16_t>(before | kCongestionExperienced);
  base::store_be16(ip, after);
  // RFC 1624, equation 3: HC' = ~(~HC + ~m + m').
  std::uint32_t sum = 0xffffu & ~std::uint32_t{base::load_be16(ip + kIpv4ChecksumAt)};
  sum += (0xffffu & ~std::uint32_t{before}) + after;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  base::store_be16(ip + kIpv4ChecksumAt, static_cast<std::uint16_t>(~sum));
  return true;
}

// Version, traffic class and flow label share the first word: 4, 8 and 20 bits.
bool mark_v6(std::byte* ip) {
  constexpr unsigned kEcnShift = 4;
  const std::uint16_t before = base::load_be16(ip);
  if (before >> 12 != 6 || !is_capable((before >> kEcnShift) & kCongestionExperienced)) {
    return false;
  }
  base::store_be16(ip, static_cast<std::uint16_t>(before | kCongestionExperienced << kEcnShift));
  return true;
}

}  // namespace

bool mark_congestion(base::Packet& frame) {
  constexpr std::size_t kTypeSize = 2;
  std::size_t ip_at = wire::kEthernetHeaderSize;
  for (unsigned tags = 0; frame.length >= ip_at + wire::kIpv4HeaderSize; ++tags) {
    std::byte* const ip = frame.data + ip_at;
    switch (base::load_be16(ip - kTypeSize)) {
      case wire::kEtherTypeIpv4:
        return mark_v4(ip);
      case wire::kEtherTypeIpv6:
        return frame.length >= ip_at + wire::kIpv6HeaderSize && mark_v6(ip);
      case wire::kEtherTypeVlan:
      case kEtherTypeServiceVlan:
        if (tags == kVlanTagsMax) return false;
        ip_at += wire::kVlanTagSize;
        break;
      default:
        return false;
    }
  }
  return false;
}

}  // namespace handfast::drivers
