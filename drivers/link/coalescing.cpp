#include "drivers/link/coalescing.hpp"

#include <algorithm>

#include "base/segment.hpp"

namespace handfast::drivers {
namespace {

constexpr std::uint32_t kIpPacketMax = 65'535;
constexpr std::uint8_t kEndsMerge = base::kPsh | base::kFin;
constexpr std::uint32_t kPaddedTimestamps = 0x0101080a;

bool is_same(base::Bytes a, base::Bytes b, std::size_t from, std::size_t to) {
  return std::equal(a.begin() + static_cast<std::ptrdiff_t>(from),
                    a.begin() + static_cast<std::ptrdiff_t>(to),
                    b.begin() + static_cast<std::ptrdiff_t>(from));
}

std::uint8_t flags_of(base::Bytes frame, const wire::TcpLayout& layout) {
  return std::to_integer<std::uint8_t>(frame[layout.tcp_at() + 13]);
}

base::Bytes text_of(base::Bytes frame, const wire::TcpLayout& layout) {
  return frame.first(wire::length_on_wire(frame, layout)).subspan(layout.text_at());
}

// Not older, in the arithmetic of RFC 7323.
bool is_as_new(const std::byte* later, const std::byte* earlier) {
  return static_cast<std::int32_t>(base::load_be32(later) - base::load_be32(earlier)) >= 0;
}

// Everything of the two IP headers but lengths, IPv4's identification and checksum.
bool has_like_ip(base::Bytes a, base::Bytes b, const wire::TcpLayout& layout) {
  const std::size_t ip = layout.ip_at();
  if (!layout.is_v4) return is_same(a, b, ip, ip + 4) && is_same(a, b, ip + 6, ip + 40);
  return is_same(a, b, ip, ip + 2) && is_same(a, b, ip + 6, ip + 10) &&
         is_same(a, b, ip + 12, ip + 20);
}

}  // namespace

Coalescing::Coalescing(base::Packet& packet, std::size_t room) : packet_(packet), room_(room) {
  const auto layout = wire::tcp_layout_of(packet.bytes());
  if (!layout || !wire::are_checksums_good(packet.bytes(), *layout)) return;
  packet.flags |= base::kIpChecksumGood | base::kL4ChecksumGood;
  layout_ = *layout;
  const auto flags = static_cast<std::uint8_t>(flags_of(packet.bytes(), layout_) & ~base::kEce);
  const base::Bytes text = text_of(packet.bytes(), layout_);
  constexpr std::uint8_t kPlainIpv4 = 20;
  is_open_ =
      flags == base::kAck && !text.empty() && (!layout_.is_v4 || layout_.ip_length == kPlainIpv4);
  if (!is_open_) return;
  packet.length = layout_.text_at() + static_cast<std::uint32_t>(text.size());  // without padding
  next_seq_ =
      base::load_be32(&packet.data[layout_.tcp_at() + 4]) + static_cast<std::uint32_t>(text.size());
}

bool Coalescing::append(base::Bytes frame) {
  if (!is_open_) return false;
  const auto layout = wire::tcp_layout_of(frame);
  is_open_ = layout && continues(frame, *layout);
  if (!is_open_) return false;
  const base::Bytes text = text_of(frame, layout_);
  const std::uint32_t ip_length = packet_.length - layout_.ip_at();
  is_open_ = packet_.length + text.size() <= room_ && ip_length + text.size() <= kIpPacketMax;
  if (!is_open_) return false;

  std::byte* const tcp = packet_.data + layout_.tcp_at();
  const std::uint8_t flags = flags_of(frame, layout_);
  tcp[13] = std::byte{flags};
  std::ranges::copy(frame.subspan(layout_.tcp_at() + 20, layout_.tcp_length - 20U), tcp + 20);
  std::ranges::copy(text, packet_.data + packet_.length);
  packet_.length += static_cast<std::uint32_t>(text.size());
  next_seq_ += static_cast<std::uint32_t>(text.size());
  is_merged_ = true;
  is_open_ = (flags & kEndsMerge) == 0;
  return true;
}

bool Coalescing::continues(base::Bytes frame, const wire::TcpLayout& layout) const {
  const base::Bytes head = packet_.bytes();
  if (layout.is_v4 != layout_.is_v4 || layout.text_at() != layout_.text_at() ||
      layout.tcp_at() != layout_.tcp_at() || !wire::are_checksums_good(frame, layout)) {
    return false;
  }
  const std::size_t tcp = layout.tcp_at();
  const bool is_same_flow = is_same(head, frame, 0, layout.ip_at()) &&
                            has_like_ip(head, frame, layout) && is_same(head, frame, tcp, tcp + 4);
  const bool is_next =
      base::load_be32(&frame[tcp + 4]) == next_seq_ && !text_of(frame, layout).empty();
  const bool has_same_flags =
      ((flags_of(frame, layout) ^ flags_of(head, layout)) & ~kEndsMerge) == 0;
  return is_same_flow && is_next && has_same_flags && is_same(head, frame, tcp + 8, tcp + 12) &&
         is_same(head, frame, tcp + 14, tcp + 16) && has_like_options(frame);
}

bool Coalescing::has_like_options(base::Bytes frame) const {
  const std::size_t options = layout_.tcp_at() + 20;
  const std::size_t end = layout_.text_at();
  const base::Bytes head = packet_.bytes();
  if (end - options == 12 && base::load_be32(&head[options]) == kPaddedTimestamps &&
      base::load_be32(&frame[options]) == kPaddedTimestamps) {
    return is_as_new(&frame[options + 4], &head[options + 4]) &&
           is_as_new(&frame[options + 8], &head[options + 8]);
  }
  return is_same(head, frame, options, end);
}

void Coalescing::finish() {
  if (!is_merged_) return;
  const std::size_t counted_from = layout_.is_v4 ? layout_.ip_at() : layout_.tcp_at();
  base::store_be16(packet_.data + layout_.ip_at() + (layout_.is_v4 ? 2 : 4),
                   static_cast<std::uint16_t>(packet_.length - counted_from));
  wire::write_checksums({packet_.data, packet_.length}, layout_);
}

}  // namespace handfast::drivers
