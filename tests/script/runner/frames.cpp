#include "tests/script/runner/frames.hpp"

#include <algorithm>

#include "tests/script/language/settings.hpp"
#include "wire/checksum.hpp"
#include "wire/icmp.hpp"
#include "wire/ip.hpp"

namespace handfast::script {
namespace {

constexpr std::size_t kIpAt = wire::kEthernetHeaderSize;
constexpr std::uint16_t kPeerWindow = 65'535;

using Octets = std::vector<std::uint8_t>;

void put_be32(Octets& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<std::uint8_t>(value >> shift));
}

void put_option(const Option& option, const Flow& flow, Octets& out) {
  constexpr std::uint8_t kMss = 2, kScale = 3, kSackOk = 4, kSack = 5, kTimestamps = 8,
                         kCookie = 34;
  const auto value = static_cast<std::uint32_t>(option.value.low);
  const auto put = [&out](std::initializer_list<std::uint8_t> octets) {
    out.insert(out.end(), octets);
  };
  switch (option.kind) {
    case OptionKind::mss:
      return put(
          {kMss, 4, static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)});
    case OptionKind::window_scale:
      return put({kScale, 3, static_cast<std::uint8_t>(value)});
    case OptionKind::sack_permitted:
      return put({kSackOk, 2});
    case OptionKind::timestamps:
      put({kTimestamps, 10});
      put_be32(out, value);
      return put_be32(
          out, static_cast<std::uint32_t>(option.echo.low) + (option.is_echo ? flow.ts_value : 0));
    case OptionKind::sack:
      put({kSack, static_cast<std::uint8_t>(2 + 8 * option.blocks.size())});
      for (const Blocks& block : option.blocks) {
        put_be32(out, flow.to_local(block.left).raw());
        put_be32(out, flow.to_local(block.right).raw());
      }
      return;
    case OptionKind::fast_open:
      put({kCookie, static_cast<std::uint8_t>(2 + option.bytes.size())});
      break;
    case OptionKind::nop:
      return put({1});
    case OptionKind::end:
      return put({0});
    case OptionKind::raw:
      break;
  }
  out.insert(out.end(), option.bytes.begin(), option.bytes.end());
}

// The TCP header, options padded with zeros, and the text; the checksum is still 0.
Octets make_tcp(const SegmentSpec& spec, const Flow& flow) {
  Octets options;
  for (const Option& option : spec.options) put_option(option, flow, options);
  options.resize((options.size() + 3) / 4 * 4);
  const auto header_words = static_cast<std::uint8_t>(5 + options.size() / 4);
  const std::uint32_t words = spec.data_offset.value_or(header_words);
  Octets tcp;
  put_be32(tcp, std::uint32_t{spec.port.value_or(flow.ports.peer)} << 16 | flow.ports.local);
  put_be32(tcp, flow.to_peer(spec.seq).raw());
  put_be32(tcp, spec.ack ? flow.to_local(spec.ack->low).raw() : 0);
  put_be32(tcp, words << 28 | std::uint32_t{spec.flags} << 16 |
                    static_cast<std::uint16_t>(spec.window ? spec.window->low : kPeerWindow));
  put_be32(tcp, static_cast<std::uint16_t>(spec.urgent ? spec.urgent->low : 0));
  tcp.insert(tcp.end(), options.begin(), options.end());
  const std::int64_t first = spec.seq - flow.peer_syn + ((spec.flags & base::kSyn) != 0 ? 1 : 0);
  for (std::uint32_t i = 0; i < spec.length; ++i) {
    const std::byte octet = text_at(static_cast<std::uint64_t>(first + i), spec.pattern);
    tcp.push_back(std::to_integer<std::uint8_t>(octet));
  }
  return tcp;
}

// An IP packet in its frame, `payload` copied behind the header.
FrameBytes wrap(const wire::IpFields& ip, std::uint8_t protocol, base::Bytes payload) {
  const std::size_t header = wire::ip_header_length(ip);
  FrameBytes frame(kIpAt + header + payload.size());
  const auto type = ip.is_v4 ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6;
  FrameBytes link(sizeof(wire::LinkHeader::bytes));
  wire::emit_link(link.data(), wire::make_link_header(kLocalMac, kPeerMac, std::nullopt, type));
  std::copy_n(link.begin(), kIpAt, frame.begin());
  wire::emit_ip(frame.data() + kIpAt, protocol, ip, static_cast<std::uint32_t>(payload.size()));
  std::ranges::copy(payload, frame.begin() + static_cast<std::ptrdiff_t>(kIpAt + header));
  return frame;
}

void insert_ip_options(FrameBytes& frame, const std::vector<std::uint8_t>& options) {
  const auto octets = std::as_bytes(std::span{options});
  std::byte* const ip = frame.data() + kIpAt;
  ip[0] = static_cast<std::byte>(0x45 + options.size() / 4);
  base::store_be16(ip + 2, static_cast<std::uint16_t>(base::load_be16(ip + 2) + options.size()));
  base::store_be16(ip + 10, 0);
  frame.insert(frame.begin() + kIpAt + wire::kIpv4HeaderSize, octets.begin(), octets.end());
  const base::Bytes header{frame.data() + kIpAt, wire::kIpv4HeaderSize + options.size()};
  wire::store_checksum(frame.data() + kIpAt + 10, wire::fold(wire::sum(header)));
}

// Writes the checksum at `at` of a payload whose own bytes there are 0.
void seal(Octets& payload, std::size_t at, std::uint64_t start) {
  const auto octets = std::as_writable_bytes(std::span{payload});
  wire::store_checksum(octets.data() + at, wire::fold(wire::sum(octets, start)));
}

struct IcmpCode {
  std::uint8_t type;
  std::uint8_t code;
};

IcmpCode code_of(IcmpKind kind) {
  using enum IcmpKind;
  switch (kind) {
    case net_unreachable:
      return {3, 0};
    case host_unreachable:
      return {3, 1};
    case protocol_unreachable:
      return {3, 2};
    case port_unreachable:
      return {3, 3};
    case packet_too_big:
      return {3, 4};
    case source_route_failed:
      return {3, 5};
    case prohibited:
      return {3, 13};
    case source_quench:
      return {4, 0};
    case time_exceeded:
      return {11, 0};
    case parameter_problem:
      return {12, 0};
  }
  return {};
}

// The nearest of ICMPv6 (RFC 4443).
IcmpCode code_v6_of(IcmpKind kind) {
  using enum IcmpKind;
  switch (kind) {
    case host_unreachable:
      return {1, 3};
    case port_unreachable:
      return {1, 4};
    case prohibited:
      return {1, 1};
    case packet_too_big:
      return {2, 0};
    case time_exceeded:
      return {3, 0};
    case protocol_unreachable:
    case parameter_problem:
      return {4, 1};
    default:
      return {1, 0};
  }
}

}  // namespace

FrameBytes make_segment(const SegmentSpec& spec, const Flow& flow, bool is_v6) {
  const Address source = spec.from.value_or(peer_address(is_v6));
  const Address destination = spec.to.value_or(local_address(is_v6));
  const auto ecn = static_cast<std::uint8_t>(spec.ecn.value_or(base::Ecn::not_ect));
  const wire::IpFields ip{
      .source = source,
      .destination = destination,
      .traffic_class = static_cast<std::uint8_t>(spec.dscp.value_or(0) << 2 | ecn),
      .hop_limit = spec.hop_limit.value_or(64)};
  Octets tcp = make_tcp(spec, flow);
  seal(tcp, 16,
       wire::pseudo_header_sum(source, destination, wire::kProtocolTcp,
                               static_cast<std::uint32_t>(tcp.size())));
  if (spec.has_bad_checksum) tcp[16] = static_cast<std::uint8_t>(tcp[16] ^ 0x55);
  FrameBytes frame = wrap(ip, wire::kProtocolTcp, std::as_bytes(std::span{tcp}));
  if (!spec.ip_options.empty() && ip.is_v4) insert_ip_options(frame, spec.ip_options);
  return frame;
}

FrameBytes make_icmp(const InjectIcmp& icmp, const Flow& flow, bool is_v6) {
  const wire::IpFields back{.source = local_address(is_v6), .destination = peer_address(is_v6)};
  Octets quoted_tcp;
  put_be32(quoted_tcp, std::uint32_t{flow.ports.local} << 16 | flow.ports.peer);
  put_be32(quoted_tcp, flow.to_local(icmp.about).raw());
  quoted_tcp.resize(wire::kTcpHeaderSize);
  quoted_tcp[12] = 0x50;
  const FrameBytes quoted = wrap(back, wire::kProtocolTcp, std::as_bytes(std::span{quoted_tcp}));
  const IcmpCode code = is_v6 ? code_v6_of(icmp.kind) : code_of(icmp.kind);
  Octets message = {code.type, code.code, 0, 0};
  put_be32(message, icmp.mtu);
  for (std::size_t i = kIpAt; i < quoted.size(); ++i) {
    message.push_back(std::to_integer<std::uint8_t>(quoted[i]));
  }
  const wire::IpFields ip{.source = peer_address(is_v6), .destination = local_address(is_v6)};
  const auto length = static_cast<std::uint32_t>(message.size());
  const std::uint8_t protocol = is_v6 ? wire::kProtocolIcmpv6 : wire::kProtocolIcmp;
  seal(message, 2,
       is_v6 ? wire::pseudo_header_sum(ip.source, ip.destination, protocol, length) : 0);
  return wrap(ip, protocol, std::as_bytes(std::span{message}));
}

}  // namespace handfast::script
