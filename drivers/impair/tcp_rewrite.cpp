#include "drivers/impair/tcp_rewrite.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace handfast::drivers {
namespace {

constexpr std::uint8_t kEndOfOptions = 0;
constexpr std::uint8_t kNop = 1;
constexpr std::uint8_t kMss = 2;
constexpr std::uint8_t kWindowScale = 3;
constexpr std::size_t kTcpHeader = 20;

std::uint8_t byte_at(base::Bytes frame, std::size_t at) {
  return std::to_integer<std::uint8_t>(frame[at]);
}

// Where options of a kind lie: visit(offset in the frame, length).
template <class Visit>
void for_each_option(base::Bytes frame, const wire::TcpLayout& layout, std::uint8_t kind,
                     Visit&& visit) {
  std::size_t at = layout.tcp_at() + kTcpHeader;
  const std::size_t end = std::min<std::size_t>(layout.text_at(), frame.size());
  while (at < end && byte_at(frame, at) != kEndOfOptions) {
    if (byte_at(frame, at) == kNop) {
      ++at;
      continue;
    }
    if (at + 1 >= end) return;
    const std::size_t length = byte_at(frame, at + 1);
    if (length < 2 || at + length > end) return;
    if (byte_at(frame, at) == kind) visit(at, length);
    at += length;
  }
}

Address address_at(const std::byte* at, bool is_v4) {
  if (is_v4) return Address::v4(base::load_be32(at));
  std::array<std::uint8_t, 16> bytes;
  std::memcpy(bytes.data(), at, bytes.size());
  return Address::from_bytes(bytes);
}

// Where the addresses lie in the IP header, and how long they are.
struct AddressPlace {
  std::size_t source;
  std::size_t length;
};
AddressPlace addresses_of(const wire::TcpLayout& layout) {
  return layout.is_v4 ? AddressPlace{layout.ip_at() + 12U, 4}
                      : AddressPlace{layout.ip_at() + 8U, 16};
}

void swap_ranges(std::vector<std::byte>& frame, std::size_t a, std::size_t b, std::size_t length) {
  const auto at = [&frame](std::size_t i) {
    return frame.begin() + static_cast<std::ptrdiff_t>(i);
  };
  std::swap_ranges(at(a), at(a + length), at(b));
}

}  // namespace

std::optional<TcpGlance> glance_at(base::Bytes frame) {
  const auto layout = wire::tcp_layout_of(frame);
  if (!layout) return std::nullopt;
  TcpGlance glance{.layout = *layout};
  const std::byte* const tcp = frame.data() + layout->tcp_at();
  const AddressPlace place = addresses_of(*layout);
  glance.flow = {.local = address_at(frame.data() + place.source, layout->is_v4),
                 .remote = address_at(frame.data() + place.source + place.length, layout->is_v4),
                 .local_port = base::load_be16(tcp),
                 .remote_port = base::load_be16(tcp + 2)};
  glance.seq = base::Seq{base::load_be32(tcp + 4)};
  glance.ack = base::Seq{base::load_be32(tcp + 8)};
  glance.flags = std::to_integer<std::uint8_t>(tcp[13]);
  glance.window = base::load_be16(tcp + 14);
  const std::uint32_t whole = wire::length_on_wire(frame, *layout);
  glance.text = whole > layout->text_at() ? whole - layout->text_at() : 0;
  if (!glance.has(base::kSyn)) return glance;
  for_each_option(frame, *layout, kWindowScale, [&](std::size_t at, std::size_t length) {
    if (length == 3) glance.window_scale = byte_at(frame, at + 2);
  });
  for_each_option(frame, *layout, kMss, [&](std::size_t at, std::size_t length) {
    if (length == 4) glance.mss = base::load_be16(&frame[at + 2]);
  });
  return glance;
}

base::FlowKey reversed(const base::FlowKey& flow) {
  return {.local = flow.remote,
          .remote = flow.local,
          .local_port = flow.remote_port,
          .remote_port = flow.local_port};
}

bool blank_option(base::MutableBytes frame, const wire::TcpLayout& layout, std::uint8_t kind) {
  bool found = false;
  for_each_option(frame, layout, kind, [&](std::size_t at, std::size_t length) {
    std::ranges::fill(frame.subspan(at, length), std::byte{kNop});
    found = true;
  });
  return found;
}

bool clamp_mss(base::MutableBytes frame, const wire::TcpLayout& layout, std::uint16_t mss_max) {
  bool is_lowered = false;
  for_each_option(frame, layout, kMss, [&](std::size_t at, std::size_t length) {
    if (length != 4 || base::load_be16(&frame[at + 2]) <= mss_max) return;
    base::store_be16(&frame[at + 2], mss_max);
    is_lowered = true;
  });
  return is_lowered;
}

std::vector<std::byte> forge(base::Bytes frame, const TcpGlance& glance, const Forgery& forgery) {
  const wire::TcpLayout& from = glance.layout;
  std::vector<std::byte> out(frame.begin(),
                             frame.begin() + from.tcp_at() + static_cast<std::ptrdiff_t>(4));
  out.resize(from.tcp_at() + kTcpHeader + forgery.text, std::byte{0x5a});
  std::byte* const tcp = out.data() + from.tcp_at();
  if (forgery.is_answer) {
    constexpr std::size_t kMac = 6;
    const AddressPlace place = addresses_of(from);
    swap_ranges(out, 0, kMac, kMac);
    swap_ranges(out, place.source, place.source + place.length, place.length);
    swap_ranges(out, from.tcp_at(), from.tcp_at() + 2U, 2);
  }
  base::store_be32(tcp + 4, forgery.seq.raw());
  base::store_be32(tcp + 8, forgery.ack.raw());
  tcp[12] = std::byte{kTcpHeader / 4 << 4};
  tcp[13] = std::byte{forgery.flags};
  base::store_be16(tcp + 14, forgery.window);
  base::store_be32(tcp + 16, 0);  // checksum and urgent pointer
  std::byte* const ip = out.data() + from.ip_at();
  const auto behind_link = static_cast<std::uint16_t>(out.size() - from.ip_at());
  if (from.is_v4) {
    base::store_be16(ip + 2, behind_link);
  } else {
    base::store_be16(ip + 4, static_cast<std::uint16_t>(behind_link - from.ip_length));
  }
  wire::TcpLayout layout = from;
  layout.tcp_length = kTcpHeader;
  wire::write_checksums(out, layout);
  return out;
}

}  // namespace handfast::drivers
