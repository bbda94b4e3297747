#include "drivers/ethdev/large_frame.hpp"

#include <algorithm>
#include <cstring>

#include "base/bytes.hpp"
#include "base/segment.hpp"

namespace handfast::drivers {

std::optional<LargeFrame> LargeFrame::create(std::span<const base::Packet> parts,
                                             std::uint16_t mtu) {
  const base::Bytes first = parts.front().bytes();
  const auto layout = wire::tcp_layout_of(first);
  if (!layout || wire::length_on_wire(first, *layout) != base::frame_length(parts)) {
    return std::nullopt;
  }
  const std::uint32_t headers = layout->text_at() - layout->ip_at();
  if (headers >= mtu) return std::nullopt;
  return LargeFrame(parts, *layout, mtu - headers);
}

LargeFrame::LargeFrame(std::span<const base::Packet> parts, const wire::TcpLayout& layout,
                       std::uint32_t segment_size)
    : parts_(parts),
      layout_(layout),
      segment_size_(segment_size),
      text_length_(static_cast<std::uint32_t>(base::frame_length(parts)) - layout.text_at()),
      at_(layout.text_at()) {}

void LargeFrame::next(base::Packet& out) {
  const std::uint32_t headers = layout_.text_at();
  const std::uint32_t length = std::min(segment_size_, text_length_ - text_done_);
  std::memcpy(out.data, parts_.front().data, headers);
  copy_text(out.data + headers, length);
  out.length = headers + length;

  std::byte* const ip = out.data + layout_.ip_at();
  const std::uint32_t counted_from = layout_.is_v4 ? layout_.ip_at() : layout_.tcp_at();
  base::store_be16(ip + (layout_.is_v4 ? 2 : 4),
                   static_cast<std::uint16_t>(out.length - counted_from));
  wire::complete_ip_checksum({out.data, out.length}, layout_);

  std::byte* const tcp = out.data + layout_.tcp_at();
  base::store_be32(tcp + 4, base::load_be32(tcp + 4) + text_done_);
  if (text_done_ != 0) tcp[13] &= ~std::byte{base::kCwr};
  text_done_ += length;
  is_done_ = text_done_ == text_length_;
  if (!is_done_) tcp[13] &= ~std::byte{base::kFin | base::kPsh};
}

void LargeFrame::copy_text(std::byte* to, std::uint32_t length) {
  while (length > 0) {
    const base::Packet& part = parts_[part_];
    const std::uint32_t piece = std::min(length, part.length - at_);
    std::memcpy(to, part.data + at_, piece);
    to += piece;
    length -= piece;
    at_ += piece;
    if (at_ == part.length) {
      ++part_;
      at_ = 0;
    }
  }
}

}  // namespace handfast::drivers
