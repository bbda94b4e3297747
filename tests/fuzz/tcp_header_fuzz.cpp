// TCP headers and options: a segment of the input's bytes, its checksum made right or waived. What
// is read of it and written again must be read as the same, as far as a header has room for it.

#include "base/assert.hpp"
#include "tests/fuzz/input.hpp"
#include "wire/tcp.hpp"

namespace handfast::fuzz {

namespace {

using base::Segment;
using base::TcpOptions;
using wire::Drop;

constexpr wire::MacAddress kMac{2, 0x48, 0x46, 0, 0, 1};

bool has_same_options(const TcpOptions& a, const TcpOptions& b) {
  if (a.present != b.present || a.sack_count != b.sack_count) return false;
  if (a.has(TcpOptions::kMss) && a.mss != b.mss) return false;
  if (a.has(TcpOptions::kWindowScale) && a.window_scale != b.window_scale) return false;
  if (a.has(TcpOptions::kTimestamps) && (a.ts_value != b.ts_value || a.ts_echo != b.ts_echo)) {
    return false;
  }
  const auto blocks = [](const TcpOptions& o) { return std::span{o.sack}.first(o.sack_count); };
  if (!std::ranges::equal(blocks(a), blocks(b))) return false;
  if (!a.has(TcpOptions::kFastOpen)) return true;
  const auto cookie = [](const TcpOptions& o) {
    return std::span{o.cookie}.first(o.cookie_length);
  };
  return std::ranges::equal(cookie(a), cookie(b));
}

wire::Frame frame_around(std::span<const std::byte> segment, bool is_v4) {
  wire::Frame frame{};
  frame.kind = wire::FrameKind::tcp;
  frame.source = is_v4 ? Address::v4(0xc6120001) : Address::from_bytes({0xfe, 0x80, 1});
  frame.destination = is_v4 ? Address::v4(0xc6120002) : Address::from_bytes({0xfe, 0x80, 2});
  frame.payload = segment;
  return frame;
}

// Longer than a header can be: options that were packed tighter than ours.
bool fits_a_header(const TcpOptions& options) {
  const std::uint32_t fixed = wire::fixed_options_length(options);
  return fixed <= wire::kTcpOptionsMax &&
         wire::sack_blocks_that_fit(options, fixed) == options.sack_count;
}

void check_again(const Segment& segment, const wire::TcpPorts& ports, bool is_v4) {
  if (!fits_a_header(segment.options)) return;
  const wire::Frame frame = frame_around({}, is_v4);
  const auto link = wire::make_link_header(kMac, kMac, std::nullopt,
                                           is_v4 ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6);
  const wire::TcpEmit emit{.link = link,
                           .ip = {.source = frame.source, .destination = frame.destination},
                           .ports = ports,
                           .segment = segment};
  const std::uint32_t headers = wire::headers_length(emit);
  std::vector<std::byte> bytes(headers + segment.payload.size());
  base::Packet packet{.data = bytes.data()};
  wire::emit_tcp(packet, emit);
  HANDFAST_ASSERT(packet.length == bytes.size());

  const std::uint32_t tcp_at = headers - wire::tcp_header_length(segment.options);
  const auto written = std::span<const std::byte>{bytes}.subspan(tcp_at);
  wire::TcpPorts ports_again;
  Segment again;
  const Drop drop = wire::parse_tcp(written, frame_around(written, is_v4), ports_again, again);
  HANDFAST_ASSERT(drop == Drop::none);
  HANDFAST_ASSERT(ports_again == ports);
  HANDFAST_ASSERT(again.seq == segment.seq && again.ack == segment.ack);
  HANDFAST_ASSERT(again.flags == segment.flags && again.window == segment.window);
  HANDFAST_ASSERT(again.urgent == segment.urgent);
  HANDFAST_ASSERT(has_same_options(again.options, segment.options));
  HANDFAST_ASSERT(std::ranges::equal(again.payload, segment.payload));
}

void run(Input input) {
  const std::uint8_t mode = input.byte();
  const bool is_v4 = (mode & 1) != 0;
  const std::vector<std::byte> bytes = input.rest();
  wire::Frame frame = frame_around(bytes, is_v4);
  // Half of the inputs are summed as they are, so that the check itself is not forgotten.
  if ((mode & 2) == 0) frame.checksum_flags = base::kL4ChecksumGood;
  wire::TcpPorts ports;
  Segment segment;
  if (wire::parse_tcp(frame.payload, frame, ports, segment) != Drop::none) return;
  HANDFAST_ASSERT(segment.payload.size() + wire::kTcpHeaderSize <= bytes.size());
  if (!segment.has(base::kSyn)) {
    constexpr unsigned kOfSyn = TcpOptions::kMss | TcpOptions::kWindowScale |
                                TcpOptions::kSackPermitted | TcpOptions::kFastOpen;
    HANDFAST_ASSERT((segment.options.present & kOfSyn) == 0);
  }
  check_again(segment, ports, is_v4);
}

}  // namespace

}  // namespace handfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  handfast::fuzz::run({data, size});
  return 0;
}
