// IPv6 packets with whatever stands between their header and their payload.

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "tests/fuzz/input.hpp"
#include "wire/ip.hpp"
#include "wire/ipv6.hpp"

namespace handfast::fuzz {

namespace {

// A header with right length and addresses is put before the input's bytes: or nearly all inputs
// would end there.
std::vector<std::byte> with_header(std::uint8_t next_header, std::span<const std::byte> rest) {
  constexpr wire::IpFields kIp{
      .source = Address::from_bytes({0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}),
      .destination =
          Address::from_bytes({0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2})};
  std::vector<std::byte> packet(wire::kIpv6HeaderSize + rest.size());
  wire::emit_ipv6(packet.data(), next_header, kIp, static_cast<std::uint32_t>(rest.size()));
  std::ranges::copy(rest, packet.begin() + wire::kIpv6HeaderSize);
  return packet;
}

void run(Input input) {
  const bool is_raw = input.flag();
  std::vector<std::byte> packet;
  if (is_raw) {
    packet = input.rest();
  } else {
    const std::uint8_t next_header = input.byte();
    packet = with_header(next_header, input.rest());
  }
  wire::Frame frame{};
  if (wire::parse_ipv6(packet, frame) != wire::Drop::none) return;
  HANDFAST_ASSERT(frame.kind == wire::FrameKind::tcp || frame.kind == wire::FrameKind::icmpv6);
  HANDFAST_ASSERT(!frame.source.is_v4() && !frame.source.is_multicast());
  const std::byte* const end = packet.data() + packet.size();
  HANDFAST_ASSERT(frame.payload.data() >= packet.data() + wire::kIpv6HeaderSize);
  HANDFAST_ASSERT(frame.payload.data() + frame.payload.size() <= end);
}

}  // namespace

}  // namespace handfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  handfast::fuzz::run({data, size});
  return 0;
}
