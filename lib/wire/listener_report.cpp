#include "wire/listener_report.hpp"

#include <array>
#include <chrono>
#include <cstring>

#include "base/assert.hpp"
#include "wire/checksum.hpp"

namespace handfast::wire {
namespace {

constexpr std::size_t kGroupSize = 16;
// RFC 3810 section 5.1: version 2's query has at least so many bytes, version 1's just 24.
constexpr std::size_t kQueryV2Min = 28;
constexpr std::size_t kQueryV1 = 24;
constexpr std::size_t kRecordSize = 4 + kGroupSize;

// Hop-by-hop options (RFC 8200 section 4.3): ICMPv6 follows; a router alert for MLD (RFC 2711), and
// two bytes of padding.
constexpr std::array<std::uint8_t, 8> kRouterAlert{kProtocolIcmpv6, 0, 5, 2, 0, 0, 1, 0};
constexpr std::uint8_t kHopByHop = 0;

// RFC 3810 section 5.1.3: from 32,768 on it has a mantissa and an exponent.
Duration decoded_delay(std::uint32_t code) {
  constexpr std::uint32_t kFloatFrom = 32'768;
  const std::uint32_t ms =
      code < kFloatFrom ? code : ((code & 0xfff) | 0x1000) << (((code >> 12) & 7) + 3);
  return std::chrono::milliseconds(ms);
}

// Everything before the message, which has `length` bytes; returns where it begins.
std::byte* emit_headers(std::byte* at, const LinkHeader& link, IpFields ip, std::uint32_t length) {
  ip.hop_limit = 1;
  constexpr auto kOptions = static_cast<std::uint32_t>(kRouterAlert.size());
  std::byte* const options = emit_ip(emit_link(at, link), kHopByHop, ip, kOptions + length);
  std::memcpy(options, kRouterAlert.data(), kRouterAlert.size());
  return options + kRouterAlert.size();
}

std::uint32_t finish(const std::byte* frame, std::byte* message, const IpFields& ip,
                     std::uint32_t length) {
  const std::uint64_t pseudo =
      pseudo_header_sum(ip.source, ip.destination, kProtocolIcmpv6, length);
  store_checksum(message + 2, fold(sum({message, length}, pseudo)));
  return static_cast<std::uint32_t>(message - frame) + length;
}

}  // namespace

Drop parse_listener_query(const Icmp& message, const Frame& frame, ListenerQuery& out) {
  const std::size_t length = kIcmpHeaderSize + message.body.size();
  const bool is_version_2 = length >= kQueryV2Min;
  if (frame.hop_limit != 1 || !frame.source.is_link_local() ||
      (!is_version_2 && length != kQueryV1)) {
    return Drop::discovery_malformed;
  }
  const std::uint32_t code = message.rest >> 16;
  out.group = Address::from_bytes(load_native<std::array<std::uint8_t, 16>>(message.body.data()));
  out.is_version_1 = !is_version_2;
  out.max_delay = is_version_2 ? decoded_delay(code) : Duration{std::chrono::milliseconds(code)};
  return Drop::none;
}

std::uint32_t emit_listener_report(std::byte* at, const LinkHeader& link, const IpFields& ip,
                                   ListenerRecord record, std::span<const Address> groups) {
  HANDFAST_ASSERT(groups.size() <= kReportedGroupsMax);
  const auto length = static_cast<std::uint32_t>(kIcmpHeaderSize + groups.size() * kRecordSize);
  std::byte* const message = emit_headers(at, link, ip, length);
  base::store_be32(message, std::uint32_t{kIcmpv6ListenerReportV2} << 24);
  base::store_be32(message + 4, static_cast<std::uint32_t>(groups.size()));
  std::byte* next = message + kIcmpHeaderSize;
  for (const Address& group : groups) {
    base::store_be32(next, static_cast<std::uint32_t>(record) << 24);  // no source, no other data
    std::memcpy(next + 4, group.bytes().data(), kGroupSize);
    next += kRecordSize;
  }
  return finish(at, message, ip, length);
}

std::uint32_t emit_listener_report_v1(std::byte* at, const LinkHeader& link, const IpFields& ip,
                                      const Address& group) {
  constexpr std::uint32_t kLength = kIcmpHeaderSize + kGroupSize;
  std::byte* const message = emit_headers(at, link, ip, kLength);
  base::store_be32(message, std::uint32_t{kIcmpv6ListenerReportV1} << 24);
  base::store_be32(message + 4, 0);
  std::memcpy(message + kIcmpHeaderSize, group.bytes().data(), kGroupSize);
  return finish(at, message, ip, kLength);
}

}  // namespace handfast::wire
