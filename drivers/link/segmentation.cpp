#include "drivers/link/segmentation.hpp"

#include <algorithm>

#include "base/segment.hpp"

namespace handfast::drivers {
namespace {

void clear_flags(std::byte* tcp, std::uint8_t flags) {
  tcp[13] &= ~std::byte{flags};
}

}  // namespace

Segmentation::Segmentation(base::Bytes frame, const wire::TcpLayout& layout,
                           std::uint16_t segment_size)
    : frame_(frame),
      layout_(layout),
      segment_size_(segment_size),
      end_(std::clamp(wire::length_on_wire(frame, layout), layout.text_at(),
                      static_cast<std::uint32_t>(frame.size()))),
      at_(layout.text_at()) {}

base::Bytes Segmentation::next(base::MutableBytes out) {
  const std::uint32_t headers = layout_.text_at();
  const std::uint32_t length = std::min(segment_size_, end_ - at_);
  const bool is_last = at_ + length == end_;
  std::ranges::copy(frame_.first(headers), out.begin());
  std::ranges::copy(frame_.subspan(at_, length), out.begin() + headers);
  const base::MutableBytes segment = out.first(headers + length);
  adapt_ip(segment);
  adapt_tcp(segment, is_last);
  wire::complete_ip_checksum(segment, layout_);
  wire::complete_tcp_checksum(segment, layout_, true);
  at_ += length;
  ++index_;
  is_done_ = is_last;
  return segment;
}

void Segmentation::adapt_ip(base::MutableBytes out) const {
  std::byte* const ip = &out[layout_.ip_at()];
  if (!layout_.is_v4) {
    base::store_be16(ip + 4, static_cast<std::uint16_t>(out.size() - layout_.tcp_at()));
    return;
  }
  base::store_be16(ip + 2, static_cast<std::uint16_t>(out.size() - layout_.ip_at()));
  // RFC 6864 section 4.1: it means nothing where DF is set, so it stays as the sender chose it.
  constexpr std::uint16_t kDontFragment = 0x4000;
  if ((base::load_be16(ip + 6) & kDontFragment) != 0) return;
  base::store_be16(ip + 4, static_cast<std::uint16_t>(base::load_be16(ip + 4) + index_));
}

void Segmentation::adapt_tcp(base::MutableBytes out, bool is_last) const {
  std::byte* const tcp = &out[layout_.tcp_at()];
  base::store_be32(tcp + 4, base::load_be32(tcp + 4) + (at_ - layout_.text_at()));
  if (index_ != 0) clear_flags(tcp, base::kCwr);
  if (!is_last) clear_flags(tcp, base::kFin | base::kPsh);
}

}  // namespace handfast::drivers
