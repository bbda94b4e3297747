#include "wire/tcp_layout.hpp"

#include <algorithm>

#include "wire/checksum.hpp"
#include "wire/ethernet.hpp"
#include "wire/ip.hpp"
#include "wire/tcp.hpp"

namespace handfast::wire {
namespace {

constexpr std::size_t kIpChecksumAt = 10;
constexpr std::size_t kTcpChecksumAt = 16;

// Bytes of the IP header at `ip`, or 0 when what follows it is not TCP's header.
std::size_t ip_length_before_tcp(Bytes ip, bool is_v4) {
  if (!is_v4) {
    const bool is_tcp =
        ip.size() >= kIpv6HeaderSize && std::to_integer<std::uint8_t>(ip[6]) == kProtocolTcp;
    return is_tcp ? kIpv6HeaderSize : 0;
  }
  constexpr std::uint16_t kFragment = 0x3fff;  // more fragments, or an offset
  if (ip.size() < kIpv4HeaderSize || (base::load_be16(&ip[6]) & kFragment) != 0) return 0;
  const std::size_t length = std::to_integer<std::size_t>(ip[0] & std::byte{0xf}) * 4;
  return length >= kIpv4HeaderSize && std::to_integer<std::uint8_t>(ip[9]) == kProtocolTcp ? length
                                                                                           : 0;
}

// Of TCP over the addresses that the frame has; the sum of a range with no odd length before it.
std::uint64_t pseudo_sum(Bytes frame, const TcpLayout& layout, std::uint32_t tcp_length) {
  const Bytes addresses =
      layout.is_v4 ? frame.subspan(layout.ip_at() + 12, 8) : frame.subspan(layout.ip_at() + 8, 32);
  return sum(addresses) + base::from_big_endian(std::uint32_t{kProtocolTcp}) +
         base::from_big_endian(tcp_length);
}

// The TCP segment in `frame`, header and text; empty when the IP header's length cannot be.
template <class T>
std::span<T> segment_of(std::span<T> frame, const TcpLayout& layout) {
  const std::size_t end = length_on_wire(frame, layout);
  if (end > frame.size() || end < layout.text_at()) return {};
  return frame.subspan(layout.tcp_at(), end - layout.tcp_at());
}

}  // namespace

std::optional<TcpLayout> tcp_layout_of(Bytes frame) {
  if (frame.size() < kEthernetHeaderSize + kVlanTagSize) return std::nullopt;
  std::size_t link_length = kEthernetHeaderSize;
  std::uint16_t type = base::load_be16(&frame[link_length - 2]);
  if (type == kEtherTypeVlan) {
    link_length += kVlanTagSize;
    type = base::load_be16(&frame[link_length - 2]);
  }
  const bool is_v4 = type == kEtherTypeIpv4;
  if (!is_v4 && type != kEtherTypeIpv6) return std::nullopt;
  const std::size_t ip_length = ip_length_before_tcp(frame.subspan(link_length), is_v4);
  const std::size_t tcp_at = link_length + ip_length;
  if (ip_length == 0 || frame.size() < tcp_at + kTcpHeaderSize) return std::nullopt;
  const std::size_t tcp_length = std::to_integer<std::size_t>(frame[tcp_at + 12] >> 4) * 4;
  if (tcp_length < kTcpHeaderSize || frame.size() < tcp_at + tcp_length) return std::nullopt;
  return TcpLayout{.is_v4 = is_v4,
                   .link_length = static_cast<std::uint8_t>(link_length),
                   .ip_length = static_cast<std::uint8_t>(ip_length),
                   .tcp_length = static_cast<std::uint8_t>(tcp_length)};
}

std::uint32_t length_on_wire(Bytes frame, const TcpLayout& layout) {
  const std::byte* const ip = &frame[layout.ip_at()];
  return layout.is_v4 ? layout.link_length + std::uint32_t{base::load_be16(ip + 2)}
                      : layout.tcp_at() + std::uint32_t{base::load_be16(ip + 4)};
}

void complete_ip_checksum(base::MutableBytes frame, const TcpLayout& layout) {
  if (!layout.is_v4) return;
  const base::MutableBytes header = frame.subspan(layout.ip_at(), layout.ip_length);
  base::store_be16(&header[kIpChecksumAt], 0);
  store_checksum(&header[kIpChecksumAt], fold(sum(header)));
}

void complete_tcp_checksum(base::MutableBytes frame, const TcpLayout& layout,
                           bool is_length_missing) {
  const base::MutableBytes segment = segment_of(frame, layout);
  if (segment.empty()) return;
  const auto length = static_cast<std::uint32_t>(segment.size());
  const std::uint64_t start = is_length_missing ? base::from_big_endian(length) : 0;
  store_checksum(&segment[kTcpChecksumAt], fold(sum(segment, start)));
}

bool are_checksums_good(Bytes frame, const TcpLayout& layout) {
  if (layout.is_v4 && fold(sum(frame.subspan(layout.ip_at(), layout.ip_length))) != 0) return false;
  const Bytes segment = segment_of(frame, layout);
  const auto length = static_cast<std::uint32_t>(segment.size());
  return !segment.empty() && fold(sum(segment, pseudo_sum(frame, layout, length))) == 0;
}

void write_checksums(base::MutableBytes frame, const TcpLayout& layout) {
  complete_ip_checksum(frame, layout);
  const base::MutableBytes segment = segment_of(frame, layout);
  if (segment.empty()) return;
  base::store_be16(&segment[kTcpChecksumAt], 0);
  const auto length = static_cast<std::uint32_t>(segment.size());
  store_checksum(&segment[kTcpChecksumAt], fold(sum(segment, pseudo_sum(frame, layout, length))));
}

}  // namespace handfast::wire
