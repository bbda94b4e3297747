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
constexpr std::uint8_t kSack = 5;
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

void add_to(std::byte* number, std::uint32_t by) {
  base::store_be32(number, base::load_be32(number) + by);
}

// `packet_length` is IP's, its own header included.
void set_ip_length(std::byte* ip, const wire::TcpLayout& layout, std::size_t packet_length) {
  if (layout.is_v4) {
    base::store_be16(ip + 2, static_cast<std::uint16_t>(packet_length));
  } else {
    base::store_be16(ip + 4, static_cast<std::uint16_t>(packet_length - layout.ip_length));
  }
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

std::uint32_t cut_text(base::MutableBytes frame, const wire::TcpLayout& layout) {
  const base::MutableBytes rest = frame.first(layout.text_at());
  set_ip_length(&rest[layout.ip_at()], layout, rest.size() - layout.ip_at());
  wire::write_checksums(rest, layout);
  return static_cast<std::uint32_t>(rest.size());
}

void shift_sequence(base::MutableBytes frame, const wire::TcpLayout& layout, std::uint32_t by) {
  add_to(&frame[layout.tcp_at() + 4U], by);
}

void shift_acknowledgement(base::MutableBytes frame, const wire::TcpLayout& layout,
                           std::uint32_t by) {
  const std::size_t tcp = layout.tcp_at();
  if ((byte_at(frame, tcp + 13) & base::kAck) != 0) add_to(&frame[tcp + 8], by);
}

void shift_sack(base::MutableBytes frame, const wire::TcpLayout& layout, std::uint32_t by) {
  for_each_option(frame, layout, kSack, [&](std::size_t at, std::size_t length) {
    for (std::size_t edge = at + 2; edge + 4 <= at + length; edge += 4) add_to(&frame[edge], by);
  });
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
  set_ip_length(ip, from, out.size() - from.ip_at());
  wire::TcpLayout layout = from;
  layout.tcp_length = kTcpHeader;
  wire::write_checksums(out, layout);
  return out;
}

}  // namespace handfast::drivers
