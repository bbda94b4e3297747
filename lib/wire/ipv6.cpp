#include "wire/ipv6.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>

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

constexpr std::size_t kNextHeaderAt = 6;
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

// RFC 8200 section 4.2: what the two highest bits of an unknown option's type ask for.
enum class UnknownOption : std::uint8_t { pass, discard, tell, tell_unless_group };

struct BadOption {
  const std::byte* at;
  Complaint complaint;
};

// The first option that keeps the packet from passing. Jumbograms (RFC 2675) end here, for theirs
// wants its sender told.
std::optional<BadOption> find_bad_option(Bytes options) {
  constexpr std::byte kPad1{0};
  constexpr std::byte kPadN{1};
  while (!options.empty()) {
    if (options[0] == kPad1) {
      options = options.subspan(1);
      continue;
    }
    const std::byte* const at = options.data();
    if (options.size() < 2) return BadOption{at, Complaint::none};
    const std::size_t length = 2 + std::to_integer<std::size_t>(options[1]);
    if (length > options.size()) return BadOption{at, Complaint::none};
    options = options.subspan(length);
    if (*at == kPadN) continue;
    switch (static_cast<UnknownOption>(std::to_integer<unsigned>(*at) >> 6)) {
      case UnknownOption::pass:
        break;
      case UnknownOption::discard:
        return BadOption{at, Complaint::none};
      case UnknownOption::tell:
        return BadOption{at, Complaint::option_of_any_kind};
      case UnknownOption::tell_unless_group:
        return BadOption{at, Complaint::option};
    }
  }
  return std::nullopt;
}

// Steps over extension headers, from `next_header` on, to the protocol behind them.
class ExtensionHeaders {
 public:
  // `next_at` is where the IPv6 header names the first of them.
  ExtensionHeaders(const std::byte* next_at, Bytes payload)
      : next_at_(next_at), next_(std::to_integer<std::uint8_t>(*next_at)), rest_(payload) {}

  Drop skip_all() {
    // RFC 8200 section 4.1: hop-by-hop options come first or not at all.
    if (next_ == kHopByHopOptions) {
      if (const Drop drop = skip_options(); drop != Drop::none) return drop;
    }
    for (unsigned skipped = 0; is_extension(); ++skipped) {
      if (skipped == kExtensionHeadersMax) return refuse(next_at_, Complaint::none);
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
  // Where the protocol is named.
  const std::byte* next_at() const { return next_at_; }
  // After Drop::ip_option: what was not understood, and what to say about it.
  const std::byte* problem() const { return problem_; }
  Complaint complaint() const {
    return complaint_ != Complaint::none && may_be_answered() ? complaint_ : Complaint::none;
  }

 private:
  bool is_extension() const {
    return next_ == kRouting || next_ == kFragment || next_ == kDestinationOptions;
  }
  // The length field counts units beyond the first.
  std::size_t header_length() const {
    return (std::to_integer<std::size_t>(rest_[1]) + 1) * kExtensionUnit;
  }
  Drop refuse(const std::byte* at, Complaint complaint) {
    problem_ = at;
    complaint_ = complaint;
    return Drop::ip_option;
  }
  // RFC 4443 section 2.4 (e): nobody is told of what becomes of an error or a redirect, or of a
  // fragment that is not the first. So the rest of a refused packet is looked through.
  bool may_be_answered() const {
    constexpr std::uint8_t kFirstQuery = 128;
    constexpr std::uint16_t kOffset = 0xfff8;
    std::uint8_t next = next_;
    Bytes rest = rest_;
    for (unsigned i = 0; i <= kExtensionHeadersMax && rest.size() >= kExtensionUnit; ++i) {
      if (next == kProtocolIcmpv6) {
        const auto type = std::to_integer<std::uint8_t>(rest[0]);
        return type >= kFirstQuery && type != kIcmpv6Redirect;
      }
      const bool is_fragment = next == kFragment;
      if (is_fragment && (load_be16(rest.data() + 2) & kOffset) != 0) return false;
      if (!is_fragment && next != kHopByHopOptions && next != kRouting &&
          next != kDestinationOptions) {
        return true;
      }
      const std::size_t length = is_fragment
                                     ? kExtensionUnit
                                     : (std::to_integer<std::size_t>(rest[1]) + 1) * kExtensionUnit;
      next = std::to_integer<std::uint8_t>(rest[0]);
      rest = rest.subspan(std::min(length, rest.size()));
    }
    return false;
  }
  Drop step(std::size_t length) {
    next_at_ = rest_.data();
    next_ = std::to_integer<std::uint8_t>(rest_[0]);
    rest_ = rest_.subspan(length);
    return Drop::none;
  }
  Drop skip_options() {
    if (rest_.size() < kExtensionUnit || header_length() > rest_.size()) {
      return Drop::ip_header_length;
    }
    if (const auto bad = find_bad_option(rest_.first(header_length()).subspan(2))) {
      return refuse(bad->at, bad->complaint);
    }
    return step(header_length());
  }
  // RFC 8200 section 4.4: we forward nothing, so the packet has to be at its end.
  Drop skip_routing() {
    if (rest_.size() < kExtensionUnit || header_length() > rest_.size()) {
      return Drop::ip_header_length;
    }
    const auto segments_left = std::to_integer<unsigned>(rest_[3]);
    // A type that is not known, for none is, with segments left: its type is complained of.
    return segments_left != 0 ? refuse(rest_.data() + 2, Complaint::header_field)
                              : step(header_length());
  }
  // RFC 6946: offset 0 and no more to come is a packet in one piece.
  Drop skip_fragment() {
    constexpr std::uint16_t kOffsetAndMore = 0xfff9;
    if (rest_.size() < kExtensionUnit) return Drop::ip_header_length;
    if ((load_be16(rest_.data() + 2) & kOffsetAndMore) != 0) return Drop::ip_fragment;
    was_fragment_ = true;
    return step(kExtensionUnit);
  }

  const std::byte* next_at_;
  std::uint8_t next_;
  Bytes rest_;
  bool was_fragment_ = false;
  const std::byte* problem_ = nullptr;
  Complaint complaint_ = Complaint::none;
};

// `packet` ends where IP says.
Drop refuse(Bytes packet, const std::byte* at, Complaint complaint, Drop drop, Frame& out) {
  out.refused = {.begin = packet.data(),
                 .length = static_cast<std::uint16_t>(std::min<std::size_t>(packet.size(), 0xffff)),
                 .at = static_cast<std::uint16_t>(at - packet.data()),
                 .protocol = std::to_integer<std::uint8_t>(*at),
                 .complaint = complaint};
  return drop;
}

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

  ExtensionHeaders headers(at + kNextHeaderAt, packet.subspan(kIpv6HeaderSize, payload_length));
  const Bytes whole = packet.first(kIpv6HeaderSize + payload_length);
  if (const Drop drop = headers.skip_all(); drop != Drop::none) {
    if (drop != Drop::ip_option) return drop;
    return refuse(whole, headers.problem(), headers.complaint(), drop, out);
  }
  const Drop drop = take_payload(headers, out);
  if (drop != Drop::ip_protocol) return drop;
  // RFC 8200 section 4.7: nothing follows, and that was meant.
  constexpr std::uint8_t kNoNextHeader = 59;
  const bool is_mistake = headers.protocol() != kNoNextHeader;
  return refuse(whole, headers.next_at(), is_mistake ? Complaint::next_header : Complaint::none,
                drop, out);
}

}  // namespace handfast::wire
