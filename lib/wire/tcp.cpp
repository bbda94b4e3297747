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
    constexpr std::uint32_t kPaddedWindowScale = 0x01030300;
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

// Inlined in both emitters: a call and what it saves and restores is a tenth of the whole.
[[gnu::always_inline]] inline void write_headers(std::byte* first, const TcpEmit& emit,
                                                 std::uint32_t header_length,
                                                 std::uint32_t text_length,
                                                 std::uint64_t text_sum) {
  const Segment& segment = emit.segment;
  const std::uint32_t tcp_length = header_length + text_length;
  std::byte* const tcp = emit_ip(emit_link(first, emit.link), kProtocolTcp, emit.ip, tcp_length,
                                 emit.offload_ip_checksum);

  const std::uint64_t pseudo = pseudo_header_sum(emit.ip.source, emit.ip.destination, kProtocolTcp,
                                                 emit.segment_size == 0 ? tcp_length : 0);
  WordWriter header(tcp, pseudo);
  header.put(std::uint32_t{emit.ports.source} << 16 | emit.ports.destination);
  header.put(segment.seq.raw());
  header.put(segment.ack.raw());
  header.put(header_length << 26 | std::uint32_t{segment.flags} << 16 | segment.window);
  header.put(segment.urgent);
  if (has_timestamps_only(segment.options)) {
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
  out.options.present = 0;
  out.options.sack_count = 0;
  if (header_length == kTcpHeaderSize) return Drop::none;
  // What nearly every segment of an open connection with timestamps looks like.
  const std::byte* const options = at + kTcpHeaderSize;
  if (header_length == kTcpHeaderSize + kPaddedTimestampsSize &&
      load_be32(options) == kPaddedTimestamps) {
    take_timestamps(options + 4, out.options);
    return Drop::none;
  }
  parse_options(segment.subspan(kTcpHeaderSize, header_length - kTcpHeaderSize),
                out.has(base::kSyn), out.options);
  return Drop::none;
}

void emit_headers(std::byte* first, const TcpEmit& emit, std::uint32_t text_length,
                  std::uint64_t text_sum) {
  write_headers(first, emit, tcp_header_length(emit.segment.options), text_length, text_sum);
}

void emit_tcp(base::Packet& packet, const TcpEmit& emit) {
  const Bytes text = emit.segment.payload;
  const std::uint32_t header_length = tcp_header_length(emit.segment.options);
  const std::uint32_t headers = emit.link.length + ip_header_length(emit.ip) + header_length;
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
  write_headers(packet.data, emit, header_length, text_length, text_sum);
  packet.flags = offload_flags(emit);
  packet.length = headers + text_length;
}

}  // namespace handfast::wire
