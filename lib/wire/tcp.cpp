#include "wire/tcp.hpp"

#include <array>
#include <cstring>

#include "wire/checksum.hpp"

namespace handfast::wire {
namespace {

using base::load_be16;
using base::load_be32;
using base::Segment;
using base::Seq;
using base::TcpOptions;

// RFC 9293 section 3.1 (0 to 2), RFC 7323 (3 and 8), RFC 2018 (4 and 5), RFC 7413 (34).
enum OptionKind : std::uint8_t {
  kEndOfOptions = 0,
  kNoOperation = 1,
  kMaximumSegmentSize = 2,
  kWindowScaleShift = 3,
  kSackIsPermitted = 4,
  kSack = 5,
  kTimestampsPair = 8,
  kFastOpenCookie = 34,
};

constexpr std::size_t kMssLength = 4;
constexpr std::size_t kWindowScaleLength = 3;
constexpr std::size_t kSackPermittedLength = 2;
constexpr std::size_t kTimestampsLength = 10;
constexpr std::size_t kSackBlockLength = 8;
constexpr std::size_t kSackBlocksMax = 4;

// The first word of an option that is aligned as emit_tcp and most others do it.
constexpr std::uint32_t kPaddedTimestamps = 0x0101080a;
constexpr std::uint32_t kSackPermittedTimestamps = 0x0402080a;
constexpr std::uint32_t kPaddedWindowScale = 0x01030300;

void take_timestamps(const std::byte* values, TcpOptions& out) {
  out.present |= TcpOptions::kTimestamps;
  out.ts_value = load_be32(values);
  out.ts_echo = load_be32(values + 4);
}

void take_sack(Bytes blocks, TcpOptions& out) {
  const std::size_t count = blocks.size() / kSackBlockLength;
  if (count * kSackBlockLength != blocks.size() || count == 0 || count > kSackBlocksMax) return;
  out.sack_count = static_cast<std::uint8_t>(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::byte* const at = blocks.data() + i * kSackBlockLength;
    out.sack[i] = {.left = Seq{load_be32(at)}, .right = Seq{load_be32(at + 4)}};
  }
}

// RFC 7413 section 4.1.1: no cookie asks for one; a cookie has 4 to 16 bytes, an even number.
void take_fast_open(Bytes cookie, TcpOptions& out) {
  constexpr std::size_t kCookieMin = 4;
  const bool is_cookie =
      cookie.size() >= kCookieMin && cookie.size() <= out.cookie.size() && cookie.size() % 2 == 0;
  if (!cookie.empty() && !is_cookie) return;
  out.present |= TcpOptions::kFastOpen;
  out.cookie_length = static_cast<std::uint8_t>(cookie.size());
  if (!cookie.empty()) std::memcpy(out.cookie.data(), cookie.data(), cookie.size());
}

// `option` is one whole option: kind, length and value.
void take_option(Bytes option, bool syn, TcpOptions& out) {
  const std::byte* const value = option.data() + 2;
  switch (std::to_integer<std::uint8_t>(option[0])) {
    case kMaximumSegmentSize:
      if (!syn || option.size() != kMssLength) return;
      out.present |= TcpOptions::kMss;
      out.mss = load_be16(value);
      return;
    case kWindowScaleShift:
      if (!syn || option.size() != kWindowScaleLength) return;
      out.present |= TcpOptions::kWindowScale;
      out.window_scale = std::to_integer<std::uint8_t>(*value);
      return;
    case kSackIsPermitted:
      if (!syn || option.size() != kSackPermittedLength) return;
      out.present |= TcpOptions::kSackPermitted;
      return;
    case kSack:
      take_sack(option.subspan(2), out);
      return;
    case kTimestampsPair:
      if (option.size() != kTimestampsLength) return;
      take_timestamps(value, out);
      return;
    case kFastOpenCookie:
      if (syn) take_fast_open(option.subspan(2), out);
      return;
    default:  // MUST-6: an option we do not know is ignored
      return;
  }
}

void parse_options(Bytes options, bool syn, TcpOptions& out) {
  while (!options.empty()) {
    const auto kind = std::to_integer<std::uint8_t>(options[0]);
    if (kind == kEndOfOptions) return;
    if (kind == kNoOperation) {
      options = options.subspan(1);
      continue;
    }
    if (options.size() < 2) return;
    const auto length = std::to_integer<std::size_t>(options[1]);
    if (length < 2 || length > options.size()) return;  // MUST-7
    take_option(options.first(length), syn, out);
    options = options.subspan(length);
  }
}

// What Linux, and emit_tcp, put into a SYN: MSS, SACK-permitted, timestamps, window scale.
constexpr std::size_t kUsualSynOptionsSize = 20;

// Whether the options were these and have been taken.
bool take_usual_syn_options(const std::byte* at, TcpOptions& out) {
  const std::uint32_t mss = load_be32(at);
  const std::uint32_t scale = load_be32(at + 16);
  if (mss >> 16 != (kMaximumSegmentSize << 8 | kMssLength) ||
      load_be32(at + 4) != kSackPermittedTimestamps || scale >> 8 != kPaddedWindowScale >> 8) {
    return false;
  }
  out.present = TcpOptions::kMss | TcpOptions::kSackPermitted | TcpOptions::kWindowScale;
  out.mss = static_cast<std::uint16_t>(mss);
  out.window_scale = static_cast<std::uint8_t>(scale);
  take_timestamps(at + 8, out);
  return true;
}

// The options between the header's first 20 bytes at `at` and its end. The two layouts that nearly
// every segment has are known whole.
[[gnu::always_inline]] inline void read_options(const std::byte* at, std::size_t header_length,
                                                bool syn, TcpOptions& out) {
  const std::byte* const options = at + kTcpHeaderSize;
  out.present = 0;
  out.sack_count = 0;
  if (header_length == kTcpHeaderSize + kPaddedTimestampsSize &&
      load_be32(options) == kPaddedTimestamps) {
    return take_timestamps(options + 4, out);
  }
  if (syn && header_length == kTcpHeaderSize + kUsualSynOptionsSize &&
      take_usual_syn_options(options, out)) {
    return;
  }
  if (header_length != kTcpHeaderSize) {
    parse_options({options, header_length - kTcpHeaderSize}, syn, out);
  }
}

bool is_checksum_good(Bytes segment, const Frame& frame) {
  if ((frame.checksum_flags & base::kL4ChecksumBad) != 0) return false;
  if ((frame.checksum_flags & base::kL4ChecksumGood) != 0) return true;
  const std::uint64_t pseudo = pseudo_header_sum(frame.source, frame.destination, kProtocolTcp,
                                                 static_cast<std::uint32_t>(segment.size()));
  return fold(sum(segment, pseudo)) == 0;
}

// Combinations that no TCP sends: they are probes or garbage.
bool are_flags_possible(std::uint8_t flags) {
  if (flags == 0) return false;
  return (flags & base::kSyn) == 0 || (flags & (base::kFin | base::kRst)) == 0;
}

constexpr std::size_t kPlainHeadersMin = kEthernetHeaderSize + kIpv4HeaderSize + kTcpHeaderSize;

// TCP in IPv4 without options and whole, from an address that a host may have. The EtherType stands
// right before it.
[[gnu::always_inline]] inline bool is_plain_ipv4(const std::byte* ip, std::size_t ip_length) {
  constexpr std::uint32_t kTypeVersionAndLength = std::uint32_t{kEtherTypeIpv4} << 8 | 0x45;
  constexpr std::uint16_t kMoreFragmentsAndOffset = 0x3fff;
  return load_be32(ip - 2) >> 8 == kTypeVersionAndLength && ip_length >= kIpv4HeaderSize &&
         (load_be16(ip + 6) & kMoreFragmentsAndOffset) == 0 &&
         std::to_integer<std::uint8_t>(ip[9]) == kProtocolTcp &&
         !is_impossible_source(load_be32(ip + 12));
}

// Those of IP's header and of TCP that the device has not verified. `ip_length` is at least both
// headers'.
[[gnu::always_inline]] inline bool are_plain_checksums_good(const std::byte* ip,
                                                            std::size_t ip_length,
                                                            std::uint8_t packet_flags) {
  if ((packet_flags & (base::kIpChecksumBad | base::kL4ChecksumBad)) != 0) return false;
  if ((packet_flags & base::kIpChecksumGood) == 0 && fold(sum_of<kIpv4HeaderSize>(ip)) != 0) {
    return false;
  }
  if ((packet_flags & base::kL4ChecksumGood) != 0) return true;
  constexpr std::size_t kWithTimestamps = kTcpHeaderSize + kPaddedTimestampsSize;
  const std::size_t tcp_length = ip_length - kIpv4HeaderSize;
  const std::uint64_t pseudo = sum_of<8>(ip + 12) +
                               base::from_big_endian(std::uint32_t{kProtocolTcp}) +
                               base::from_big_endian(static_cast<std::uint32_t>(tcp_length));
  const std::byte* const tcp = ip + kIpv4HeaderSize;
  if (tcp_length < kWithTimestamps) return fold(sum({tcp, tcp_length}, pseudo)) == 0;
  const std::uint64_t head = sum_of<kWithTimestamps>(tcp, pseudo);
  const Bytes rest{tcp + kWithTimestamps, tcp_length - kWithTimestamps};
  return fold(rest.empty() ? head : sum(rest, head)) == 0;
}

// NOPs in front, so that the whole is a multiple of 4 bytes.
WordWriter emit_fast_open(WordWriter out, const TcpOptions& options) {
  std::array<std::byte, 20> bytes;
  bytes.fill(std::byte{kNoOperation});
  const std::size_t length = fast_open_length(options);
  const std::size_t option_length = 2U + options.cookie_length;
  std::byte* const option = bytes.data() + (length - option_length);
  option[0] = std::byte{kFastOpenCookie};
  option[1] = static_cast<std::byte>(option_length);
  std::memcpy(option + 2, options.cookie.data(), options.cookie_length);
  for (std::size_t at = 0; at < length; at += 4) out.put(load_be32(&bytes[at]));
  return out;
}

// Options in the order and alignment of fixed_options_length(). The writer comes and goes by value:
// whose address is never taken stays in registers.
WordWriter emit_options(WordWriter out, const TcpOptions& options) {
  if (options.has(TcpOptions::kMss)) {
    out.put(std::uint32_t{kMaximumSegmentSize} << 24 | kMssLength << 16 | options.mss);
  }
  if (options.has(TcpOptions::kTimestamps)) {
    out.put(options.has(TcpOptions::kSackPermitted) ? kSackPermittedTimestamps : kPaddedTimestamps);
    out.put(options.ts_value);
    out.put(options.ts_echo);
  } else if (options.has(TcpOptions::kSackPermitted)) {
    constexpr std::uint32_t kPaddedSackPermitted = 0x01010402;
    out.put(kPaddedSackPermitted);
  }
  if (options.has(TcpOptions::kWindowScale)) {
    out.put(kPaddedWindowScale | options.window_scale);
  }
  if (options.has(TcpOptions::kFastOpen)) out = emit_fast_open(out, options);
  if (options.sack_count == 0) return out;
  const std::uint32_t blocks = sack_blocks_that_fit(options, fixed_options_length(options));
  if (blocks == 0) return out;
  constexpr std::uint32_t kPaddedSack = 0x01010500;
  out.put(kPaddedSack | static_cast<std::uint32_t>(2 + kSackBlockLength * blocks));
  for (std::uint32_t i = 0; i < blocks; ++i) {
    out.put(options.sack[i].left.raw());
    out.put(options.sack[i].right.raw());
  }
  return out;
}

// The pseudo-header's, of addresses that are known to be IPv4 or IPv6.
template <bool kIsV4>
std::uint64_t pseudo_sum_of(const IpFields& ip, std::uint32_t tcp_length) {
  if constexpr (!kIsV4) {
    return pseudo_header_sum(ip.source, ip.destination, kProtocolTcp, tcp_length);
  }
  return std::uint64_t{base::from_big_endian(ip.source.v4_value())} +
         base::from_big_endian(ip.destination.v4_value()) +
         base::from_big_endian(std::uint32_t{kProtocolTcp}) + base::from_big_endian(tcp_length);
}

// Inlined in both emitters: a call and what it saves and restores is a tenth of the whole.
template <bool kIsV4>
[[gnu::always_inline]] inline void write_headers(std::byte* first, const TcpEmit& emit,
                                                 std::uint32_t header_length,
                                                 std::uint32_t text_length,
                                                 std::uint64_t text_sum) {
  const Segment& segment = emit.segment;
  // Asked before anything is stored, when the answer for the header's length is still known.
  const bool timestamps_only = has_timestamps_only(segment.options);
  const std::uint32_t tcp_length = header_length + text_length;
  std::byte* const ip = emit_link(first, emit.link);
  std::byte* const tcp =
      kIsV4 ? emit_ipv4(ip, kProtocolTcp, emit.ip, tcp_length, emit.offload_ip_checksum)
            : emit_ipv6(ip, kProtocolTcp, emit.ip, tcp_length);
  const std::uint64_t pseudo =
      pseudo_sum_of<kIsV4>(emit.ip, emit.segment_size == 0 ? tcp_length : 0);
  WordWriter header(tcp, pseudo);
  header.put(std::uint32_t{emit.ports.source} << 16 | emit.ports.destination);
  header.put(segment.seq.raw());
  header.put(segment.ack.raw());
  header.put(header_length << 26 | std::uint32_t{segment.flags} << 16 | segment.window);
  header.put(segment.urgent);
  if (timestamps_only) {
    header.put(kPaddedTimestamps);
    header.put(segment.options.ts_value);
    header.put(segment.options.ts_echo);
  } else if (header_length != kTcpHeaderSize) {
    header = emit_options(header, segment.options);
  }

  // For a device to finish, the field holds the pseudo-header's sum, not complemented.
  store_checksum(tcp + 16, emit.offload_tcp_checksum ? static_cast<std::uint16_t>(~fold(pseudo))
                                                     : fold(header.sum() + text_sum));
}

}  // namespace

Drop parse_tcp(base::Bytes segment, const Frame& frame, TcpPorts& ports, Segment& out) {
  if (segment.size() < kTcpHeaderSize) return Drop::too_short;
  const std::byte* const at = segment.data();
  const std::size_t header_length = (std::to_integer<std::size_t>(at[12]) >> 4) * 4;
  if (header_length < kTcpHeaderSize || header_length > segment.size()) return Drop::tcp_header;
  if (!is_checksum_good(segment, frame)) return Drop::tcp_checksum;
  ports = {.source = load_be16(at), .destination = load_be16(at + 2)};
  if (ports.source == 0 || ports.destination == 0) return Drop::tcp_port;
  out.flags = std::to_integer<std::uint8_t>(at[13]);
  if (!are_flags_possible(out.flags)) return Drop::tcp_flags;

  out.seq = Seq{load_be32(at + 4)};
  out.ack = Seq{load_be32(at + 8)};
  out.window = load_be16(at + 14);
  out.urgent = load_be16(at + 18);
  out.payload = segment.subspan(header_length);
  read_options(at, header_length, out.has(base::kSyn), out.options);
  return Drop::none;
}

bool parse_plain_segment(const base::Packet& packet, const LinkFilter& filter, base::FlowKey& key,
                         Segment& out) {
  if (packet.length < kPlainHeadersMin || filter.vlan) return false;
  const std::byte* const frame = packet.data;
  if (std::memcmp(frame, filter.mac.data(), filter.mac.size()) != 0) return false;
  const std::byte* const ip = frame + kEthernetHeaderSize;
  const std::byte* const tcp = ip + kIpv4HeaderSize;
  const std::size_t ip_length = load_be16(ip + 2);
  const std::uint32_t offset_to_window = load_be32(tcp + 12);
  const std::size_t header_length = (offset_to_window >> 28) * 4;
  if (!is_plain_ipv4(ip, ip_length) || ip_length > packet.length - kEthernetHeaderSize ||
      header_length < kTcpHeaderSize || kIpv4HeaderSize + header_length > ip_length ||
      !are_plain_checksums_good(ip, ip_length, packet.flags)) {
    return false;
  }
  key.remote_port = load_be16(tcp);
  key.local_port = load_be16(tcp + 2);
  out.flags = static_cast<std::uint8_t>(offset_to_window >> 16);
  if (key.remote_port == 0 || key.local_port == 0 || !are_flags_possible(out.flags)) return false;
  key.remote = Address::v4(load_be32(ip + 12));
  key.local = Address::v4(load_be32(ip + 16));
  out.seq = Seq{load_be32(tcp + 4)};
  out.ack = Seq{load_be32(tcp + 8)};
  out.window = static_cast<std::uint16_t>(offset_to_window);
  out.urgent = load_be16(tcp + 18);
  out.ecn = static_cast<base::Ecn>(std::to_integer<std::uint8_t>(ip[1]) & 3);
  out.payload = {tcp + header_length, ip_length - kIpv4HeaderSize - header_length};
  read_options(tcp, header_length, out.has(base::kSyn), out.options);
  return true;
}

void emit_headers(std::byte* first, const TcpEmit& emit, std::uint32_t text_length,
                  std::uint64_t text_sum) {
  const std::uint32_t header_length = tcp_header_length(emit.segment.options);
  emit.ip.is_v4 ? write_headers<true>(first, emit, header_length, text_length, text_sum)
                : write_headers<false>(first, emit, header_length, text_length, text_sum);
}

namespace {

template <bool kIsV4>
[[gnu::always_inline]] inline void emit_frame(base::Packet& packet, const TcpEmit& emit) {
  const Bytes text = emit.segment.payload;
  const std::uint32_t header_length = tcp_header_length(emit.segment.options);
  const std::size_t ip_length = kIsV4 ? kIpv4HeaderSize : kIpv6HeaderSize;
  const auto headers = static_cast<std::uint32_t>(emit.link.length + ip_length + header_length);
  std::byte* const at = packet.data + headers;
  std::uint64_t text_sum = 0;
  if (text.empty()) {
    // Nothing to copy: what opens, closes and acknowledges.
  } else if (emit.offload_tcp_checksum) {
    std::memcpy(at, text.data(), text.size());
  } else {
    text_sum = copy_and_sum(at, text);
  }
  const auto text_length = static_cast<std::uint32_t>(text.size());
  write_headers<kIsV4>(packet.data, emit, header_length, text_length, text_sum);
  packet.flags = offload_flags(emit);
  packet.length = headers + text_length;
}

}  // namespace

void emit_tcp(base::Packet& packet, const TcpEmit& emit) {
  emit.ip.is_v4 ? emit_frame<true>(packet, emit) : emit_frame<false>(packet, emit);
}

}  // namespace handfast::wire
