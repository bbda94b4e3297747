#include "wire/ipv6.hpp"

#include <array>
#include <bit>

#include "wire/checksum.hpp"
#include "wire/icmp.hpp"
#include "wire/ip.hpp"

namespace handfast::wire {
namespace {

using base::load_be16;
using base::load_be32;

// RFC 8200 section 4: the extension headers that are known here.
enum ExtensionHeader : std::uint8_t {
  kHopByHopOptions = 0,
  kRouting = 43,
  kFragment = 44,
  kDestinationOptions = 60,
};

constexpr std::size_t kSourceAt = 8;
constexpr std::size_t kDestinationAt = 24;
constexpr std::size_t kExtensionUnit = 8;  // lengths are counted in it

Address load_address(const std::byte* at) {
  return Address::from_bytes(load_native<std::array<std::uint8_t, 16>>(at));
}

// What no host may send from (RFC 4291 section 2.5.3, RFC 8200 section 3), and what is IPv4 to us:
// ::ffff:0:0/96 never appears on the wire (RFC 4291 section 2.5.5.2), or anybody could pass for an
// IPv4 host.
bool is_impossible_source(const Address& address) {
  return address.is_v4() || address.is_multicast() || address.is_loopback();
}

// RFC 8200 section 4.2. The two highest bits of an unknown option's type say what becomes of the
// packet: 0 lets it pass. Jumbograms (RFC 2675) end here, for theirs says 3.
bool are_options_acceptable(Bytes options) {
  constexpr std::byte kPad1{0};
  constexpr std::byte kPadN{1};
  constexpr std::byte kDiscard{0xc0};
  while (!options.empty()) {
    if (options[0] == kPad1) {
      options = options.subspan(1);
      continue;
    }
    if (options.size() < 2) return false;
    const std::size_t length = 2 + std::to_integer<std::size_t>(options[1]);
    if (length > options.size()) return false;
    if (options[0] != kPadN && (options[0] & kDiscard) != std::byte{0}) return false;
    options = options.subspan(length);
  }
  return true;
}

// Steps over extension headers, from `next_header` on, to the protocol behind them.
class ExtensionHeaders {
 public:
  ExtensionHeaders(std::uint8_t next_header, Bytes payload) : next_(next_header), rest_(payload) {}

  Drop skip_all() {
    // RFC 8200 section 4.1: hop-by-hop options come first or not at all.
    if (next_ == kHopByHopOptions) {
      if (const Drop drop = skip_options(); drop != Drop::none) return drop;
    }
    for (unsigned skipped = 0; is_extension(); ++skipped) {
      if (skipped == kExtensionHeadersMax) return Drop::ip_option;
      const Drop drop = next_ == kFragment  ? skip_fragment()
                        : next_ == kRouting ? skip_routing()
                                            : skip_options();
      if (drop != Drop::none) return drop;
    }
    return Drop::none;
  }
  std::uint8_t protocol() const { return next_; }
  Bytes payload() const { return rest_; }
  bool was_fragment() const { return was_fragment_; }

 private:
  bool is_extension() const {
    return next_ == kRouting || next_ == kFragment || next_ == kDestinationOptions;
  }
  // The length field counts units beyond the first.
  std::size_t header_length() const {
    return (std::to_integer<std::size_t>(rest_[1]) + 1) * kExtensionUnit;
  }
  Drop step(std::size_t length) {
    next_ = std::to_integer<std::uint8_t>(rest_[0]);
    rest_ = rest_.subspan(length);
    return Drop::none;
  }
  Drop skip_options() {
    if (rest_.size() < kExtensionUnit || header_length() > rest_.size()) {
      return Drop::ip_header_length;
    }
    if (!are_options_acceptable(rest_.first(header_length()).subspan(2))) return Drop::ip_option;
    return step(header_length());
  }
  // RFC 8200 section 4.4: we forward nothing, so the packet has to be at its end.
  Drop skip_routing() {
    if (rest_.size() < kExtensionUnit || header_length() > rest_.size()) {
      return Drop::ip_header_length;
    }
    const auto segments_left = std::to_integer<unsigned>(rest_[3]);
    return segments_left != 0 ? Drop::ip_option : step(header_length());
  }
  // RFC 6946: offset 0 and no more to come is a packet in one piece.
  Drop skip_fragment() {
    constexpr std::uint16_t kOffsetAndMore = 0xfff9;
    if (rest_.size() < kExtensionUnit) return Drop::ip_header_length;
    if ((load_be16(rest_.data() + 2) & kOffsetAndMore) != 0) return Drop::ip_fragment;
    was_fragment_ = true;
    return step(kExtensionUnit);
  }

  std::uint8_t next_;
  Bytes rest_;
  bool was_fragment_ = false;
};

Drop take_payload(const ExtensionHeaders& headers, Frame& out) {
  out.payload = headers.payload();
  switch (headers.protocol()) {
    case kProtocolTcp:
      out.kind = FrameKind::tcp;
      return out.source.is_unspecified() ? Drop::ip_source : Drop::none;
    case kProtocolIcmpv6:
      out.kind = FrameKind::icmpv6;
      break;
    default:
      return Drop::ip_protocol;
  }
  // RFC 6980 section 5: Neighbour Discovery never comes in fragments, not even in one.
  const bool is_discovery =
      !out.payload.empty() && is_neighbour_discovery(std::to_integer<std::uint8_t>(out.payload[0]));
  return headers.was_fragment() && is_discovery ? Drop::ip_fragment : Drop::none;
}

}  // namespace

Drop parse_ipv6(Bytes packet, Frame& out) {
  if (packet.size() < kIpv6HeaderSize) return Drop::too_short;
  const std::byte* const at = packet.data();
  const std::uint32_t first_word = load_be32(at);
  if (first_word >> 28 != 6) return Drop::ip_version;
  const std::size_t payload_length = load_be16(at + 4);
  if (payload_length > packet.size() - kIpv6HeaderSize) return Drop::ip_total_length;
  out.tos = static_cast<std::uint8_t>(first_word >> 20);
  out.hop_limit = std::to_integer<std::uint8_t>(at[7]);
  out.source = load_address(at + kSourceAt);
  out.destination = load_address(at + kDestinationAt);
  if (is_impossible_source(out.source)) return Drop::ip_source;
  if (out.destination.is_v4()) return Drop::not_for_us_l3;

  ExtensionHeaders headers(std::to_integer<std::uint8_t>(at[6]),
                           packet.subspan(kIpv6HeaderSize, payload_length));
  if (const Drop drop = headers.skip_all(); drop != Drop::none) return drop;
  return take_payload(headers, out);
}

}  // namespace handfast::wire
