// Frames as they come from a device, through every parser that they reach: Ethernet and VLAN, ARP,
// IPv4 and IPv6 with what stands before their payload, ICMP, Neighbour Discovery, TCP. The first
// byte chooses the filter and what is made right before the frame is read. Whatever the parsers
// let pass is checked against what their headers promise.

#include "base/assert.hpp"
#include "tests/fuzz/checksums.hpp"
#include "tests/fuzz/input.hpp"
#include "wire/arp.hpp"
#include "wire/discovery.hpp"
#include "wire/frame.hpp"
#include "wire/icmp.hpp"
#include "wire/tcp.hpp"
#include "wire/tcp_layout.hpp"

namespace handfast::fuzz {

namespace {

using wire::Drop;

constexpr wire::MacAddress kMac{2, 0x48, 0x46, 0, 0, 1};

bool is_inside(std::span<const std::byte> part, std::span<const std::byte> whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_arp(const wire::Frame& frame) {
  wire::Arp arp;
  if (wire::parse_arp(frame.payload, arp) != Drop::none) return;
  HANDFAST_ASSERT(arp.sender_ip.is_v4() && arp.target_ip.is_v4());
  HANDFAST_ASSERT(!wire::is_multicast(arp.sender_mac));
  // Written and read again it is the same.
  const auto link = wire::make_link_header(kMac, arp.sender_mac, std::nullopt, wire::kEtherTypeArp);
  std::vector<std::byte> again(wire::kEthernetFrameMin);
  HANDFAST_ASSERT(wire::emit_arp(again.data(), link, arp) == again.size());
  wire::Arp read;
  const auto body = std::span{again}.subspan(wire::kEthernetHeaderSize);
  HANDFAST_ASSERT(wire::parse_arp(body, read) == Drop::none && read == arp);
}

void check_echo(const wire::Frame& frame, const wire::Icmp& request, std::size_t room) {
  const bool is_v4 = frame.source.is_v4();
  const auto link = wire::make_link_header(frame.source_mac, kMac, std::nullopt,
                                           is_v4 ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6);
  const wire::IpFields ip{.source = frame.destination, .destination = frame.source};
  std::vector<std::byte> reply(room);
  const std::uint32_t length = wire::emit_echo_reply(reply.data(), link, ip, request, room);
  HANDFAST_ASSERT(length <= room);
}

void check_icmp(const wire::Frame& frame, std::size_t room) {
  wire::Icmp message;
  const bool is_v6 = frame.kind == wire::FrameKind::icmpv6;
  const Drop drop =
      is_v6 ? wire::parse_icmpv6(frame, message) : wire::parse_icmp(frame.payload, message);
  if (drop != Drop::none) return;
  HANDFAST_ASSERT(is_inside(message.body, frame.payload));
  const auto quoted = is_v6 ? wire::parse_quoted_tcp_v6(message) : wire::parse_quoted_tcp(message);
  if (quoted) HANDFAST_ASSERT(quoted->source.is_v4() == quoted->destination.is_v4());
  check_echo(frame, message, room);
  if (!is_v6) return;
  if (message.type == wire::kIcmpv6NeighbourSolicitation) {
    wire::NeighbourSolicitation out;
    if (wire::parse_solicitation(message, frame, out) != Drop::none) return;
    HANDFAST_ASSERT(!out.target.is_multicast() && frame.hop_limit == wire::kDiscoveryHopLimit);
  } else if (message.type == wire::kIcmpv6NeighbourAdvertisement) {
    wire::NeighbourAdvertisement out;
    if (wire::parse_advertisement(message, frame, out) != Drop::none) return;
    HANDFAST_ASSERT(!out.target.is_multicast() && frame.hop_limit == wire::kDiscoveryHopLimit);
  }
}

void check_tcp(const wire::Frame& frame) {
  wire::TcpPorts ports;
  base::Segment segment;
  if (wire::parse_tcp(frame.payload, frame, ports, segment) != Drop::none) return;
  HANDFAST_ASSERT(ports.source != 0 && ports.destination != 0);
  HANDFAST_ASSERT(is_inside(segment.payload, frame.payload));
  HANDFAST_ASSERT(segment.options.sack_count <= segment.options.sack.size());
  HANDFAST_ASSERT(segment.options.cookie_length <= segment.options.cookie.size());
  HANDFAST_ASSERT(!(segment.has(base::kSyn) && segment.has(base::kFin)));
}

// What works on frames and trusts nothing of them: drivers do the device's part with these.
void check_layout(std::span<std::byte> frame) {
  const auto layout = wire::tcp_layout_of(frame);
  if (!layout) return;
  HANDFAST_ASSERT(layout->text_at() <= frame.size());
  if (wire::length_on_wire(frame, *layout) > frame.size()) return;
  if (wire::length_on_wire(frame, *layout) < layout->text_at()) return;
  wire::write_checksums(frame, *layout);
  HANDFAST_ASSERT(wire::are_checksums_good(frame, *layout));
}

void run(Input input) {
  const std::uint8_t mode = input.byte();
  const std::size_t room = input.half() % 2048;
  wire::LinkFilter filter{.mac = kMac};
  if ((mode & 1) != 0) filter.vlan = 7;
  std::vector<std::byte> bytes = input.rest();
  if ((mode & 2) == 0) fix_checksums(bytes);
  bytes.shrink_to_fit();
  base::Packet packet{.data = bytes.data(), .length = static_cast<std::uint32_t>(bytes.size())};
  if ((mode & 4) != 0) packet.flags = base::kIpChecksumGood | base::kL4ChecksumGood;
  wire::Frame frame;
  if (wire::parse_frame(packet, filter, frame) == Drop::none) {
    HANDFAST_ASSERT(is_inside(frame.payload, packet.bytes()));
    if (frame.kind == wire::FrameKind::arp) check_arp(frame);
    if (frame.kind == wire::FrameKind::tcp) check_tcp(frame);
    if (frame.kind == wire::FrameKind::icmp || frame.kind == wire::FrameKind::icmpv6) {
      check_icmp(frame, room);
    }
  }
  check_layout(bytes);
}

}  // namespace

}  // namespace handfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  handfast::fuzz::run({data, size});
  return 0;
}
