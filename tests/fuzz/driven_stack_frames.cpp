// The part of DrivenStack that makes the frames of its peers.

#include "base/assert.hpp"
#include "tests/fuzz/checksums.hpp"
#include "tests/fuzz/driven_stack.hpp"
#include "tests/fuzz/link_plan.hpp"
#include "wire/arp.hpp"
#include "wire/discovery.hpp"
#include "wire/icmp.hpp"
#include "wire/tcp.hpp"

namespace handfast::fuzz {

namespace {

using base::Segment;
using base::TcpOptions;

std::size_t place_of(const Address& address) {
  const auto* const found = std::ranges::find(kPeers, address);
  return static_cast<std::size_t>(found - kPeers.begin());
}

wire::LinkHeader link_from(std::size_t peer, std::uint16_t type) {
  return wire::make_link_header(kOurMac, mac_of(peer), std::nullopt, type);
}

wire::LinkHeader link_from(std::size_t peer) {
  const bool is_v4 = peer >= kPeers.size() || kPeers[peer].is_v4();
  return link_from(peer, is_v4 ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6);
}

const Address& ours_like(const Address& address) {
  return address.is_v4() ? kOurs : kOurs6;
}

// An IP packet with `payload`, which begins with a type, a code and a checksum.
std::vector<std::byte> icmp_frame(std::size_t peer, std::span<const std::byte> payload) {
  const Address& source = kPeers[peer];
  const bool is_v4 = source.is_v4();
  const wire::LinkHeader link = link_from(peer);
  const wire::IpFields ip{.source = source, .destination = ours_like(source)};
  std::vector<std::byte> frame(64 + payload.size());
  std::byte* const at = wire::emit_ip(wire::emit_link(frame.data(), link),
                                      is_v4 ? wire::kProtocolIcmp : wire::kProtocolIcmpv6, ip,
                                      static_cast<std::uint32_t>(payload.size()));
  std::ranges::copy(payload, at);
  frame.resize(static_cast<std::size_t>(at - frame.data()) + payload.size());
  fix_checksums(frame);
  return frame;
}

}  // namespace

DrivenStack::Frame DrivenStack::choose_frame() {
  Frame frame;
  switch (input_.below(16)) {
    case 0:
      frame = address_message();
      break;
    case 1:
      frame = icmp_error();
      break;
    case 2:
      frame = echo();
      break;
    case 3:  // anything, to us or not
      frame = input_.bytes(input_.byte());
      if (frame.size() >= 14 && input_.flag()) std::memcpy(frame.data(), kOurMac.data(), 6);
      if (input_.flag()) fix_checksums(frame);
      return frame;
    default:
      frame = segment();
      break;
  }
  spoil(frame);
  return frame;
}

// Most frames stay as they are.
void DrivenStack::spoil(Frame& frame) {
  const std::uint8_t how = input_.byte();
  if (frame.empty() || how % 8 != 7) return;
  frame[input_.half() % frame.size()] ^= static_cast<std::byte>(input_.byte());
  if ((how & 8) != 0) frame.resize(input_.half() % frame.size() + 1);
  if ((how & 16) != 0) {
    const std::array<std::byte, 4> tag{std::byte{0x81}, std::byte{0}, std::byte{0},
                                       std::byte{input_.byte()}};
    if (frame.size() > 12) frame.insert(frame.begin() + 12, tag.begin(), tag.end());
  }
  if ((how & 32) != 0) fix_checksums(frame);
}

// Near what is added to: some bytes or some segments, before or behind.
std::uint32_t DrivenStack::choose_distance() {
  constexpr std::array<std::uint32_t, 8> kUnits{0, 0, 0, 0, 1, 256, 1460, 1U << 18};
  const std::uint32_t unit = input_.pick(kUnits);
  return unit == 0 ? 0 : unit * static_cast<std::uint32_t>(input_.small());
}

// One that the stack has spoken to, or a new one.
DrivenStack::Flow DrivenStack::choose_flow() {
  const std::size_t known = input_.below(kFlowsMax * 2);
  if (known < flows_.size()) return flows_[known];
  const Address& peer = kPeers[input_.below(kPeers.size())];
  const std::array<std::uint16_t, 4> ports{80, 81, 40'000, 40'001};
  Flow flow;
  flow.key = {.local = ours_like(peer), .remote = peer};
  flow.key.local_port = input_.pick(ports);
  flow.key.remote_port = static_cast<std::uint16_t>(7 + input_.below(4));
  flow.expected = base::Seq{0xfffff000};
  return flow;
}

DrivenStack::Frame DrivenStack::segment() {
  const Flow flow = choose_flow();
  constexpr std::array<std::uint8_t, 8> kUsual{base::kAck,
                                               base::kAck,
                                               base::kSyn,
                                               base::kSyn | base::kAck,
                                               base::kAck | base::kFin,
                                               base::kRst,
                                               base::kAck,
                                               base::kAck | base::kPsh};
  Segment segment;
  const std::uint8_t flags = input_.byte();
  segment.flags = flags < 192 ? kUsual[flags % kUsual.size()] : input_.byte();
  segment.seq = flow.expected + choose_distance();
  segment.ack = flow.next + choose_distance();
  constexpr std::array<std::uint16_t, 4> kWindows{0xffff, 0xffff, 0, 2000};
  segment.window = input_.pick(kWindows);
  const std::uint8_t chosen = input_.byte();
  TcpOptions& options = segment.options;
  if (flow.has_timestamps != ((chosen & 1) != 0)) {
    options.present |= TcpOptions::kTimestamps;
    options.ts_value = static_cast<std::uint32_t>(now_.ns() / 1'000'000) + choose_distance();
    options.ts_echo = flow.ts_value;
  }
  if (segment.has(base::kSyn) && (chosen & 2) == 0) {
    options.present |= TcpOptions::kMss | TcpOptions::kWindowScale | TcpOptions::kSackPermitted;
    options.mss = static_cast<std::uint16_t>(input_.byte() * 8);
    options.window_scale = chosen >> 4;
    if ((chosen & 4) != 0) options.present |= TcpOptions::kFastOpen;
  } else if ((chosen & 8) != 0) {
    options.sack_count = static_cast<std::uint8_t>(1 + input_.below(3));
    for (base::SackBlock& block : std::span{options.sack}.first(options.sack_count)) {
      block.left = flow.next + choose_distance();
      block.right = block.left + choose_distance();
    }
  }
  if (segment.has(base::kUrg)) segment.urgent = input_.half();
  constexpr std::array<std::uint16_t, 6> kLengths{0, 0, 1, 100, 1400, 1400};
  const Frame text(input_.pick(kLengths));
  segment.payload = text;
  const wire::LinkHeader link = link_from(place_of(flow.key.remote));
  wire::TcpEmit emit{.link = link,
                     .ip = {.source = flow.key.remote, .destination = flow.key.local},
                     .ports = {flow.key.remote_port, flow.key.local_port},
                     .segment = segment};
  emit.ip.traffic_class = chosen >> 6;
  Frame frame(256 + text.size());
  base::Packet packet{.data = frame.data()};
  wire::emit_tcp(packet, emit);
  frame.resize(packet.length);
  return frame;
}

// ARP or Neighbour Discovery: questions and answers, asked for or not.
DrivenStack::Frame DrivenStack::address_message() {
  const std::size_t peer = input_.below(kPeers.size());
  const Address& address = kPeers[peer];
  const std::uint8_t how = input_.byte();
  Frame frame(wire::kDiscoveryFrameMax);
  std::uint32_t length = 0;
  if (address.is_v4()) {
    const wire::Arp arp{
        .operation = (how & 1) != 0 ? wire::Arp::Operation::request : wire::Arp::Operation::reply,
        .sender_mac = mac_of(peer),
        .sender_ip = (how & 2) != 0 ? Address::v4(input_.word()) : address,
        .target_mac = kOurMac,
        .target_ip = kOurs};
    length = wire::emit_arp(frame.data(), link_from(peer, wire::kEtherTypeArp), arp);
  } else {
    const wire::IpFields ip{.source = (how & 2) != 0 ? Address{} : address,
                            .destination = (how & 4) != 0 ? wire::kAllNodes : kOurs6};
    length = (how & 1) != 0
                 ? wire::emit_solicitation(frame.data(), link_from(peer), ip,
                                           {.target = kOurs6, .source_mac = mac_of(peer)})
                 : wire::emit_advertisement(frame.data(), link_from(peer), ip,
                                            {.target = address,
                                             .is_router = (how & 8) != 0,
                                             .solicited = (how & 16) != 0,
                                             .override_cached = (how & 32) != 0,
                                             .target_mac = mac_of(peer + (how >> 7))});
  }
  frame.resize(length);
  return frame;
}

// About a segment that was sent, from the peer it was sent to or another.
DrivenStack::Frame DrivenStack::icmp_error() {
  if (sent_.empty()) return echo();
  Frame payload(8);
  payload[0] = std::byte{input_.byte()};
  payload[1] = std::byte{input_.byte()};
  base::store_be16(&payload[6], input_.half());
  const Frame& about = sent_[input_.below(sent_.size())];
  const std::size_t quoted = std::min<std::size_t>(about.size() - 14, 8 + input_.byte());
  payload.insert(payload.end(), about.begin() + 14, about.begin() + 14 + static_cast<long>(quoted));
  return icmp_frame(input_.below(kPeers.size()), payload);
}

DrivenStack::Frame DrivenStack::echo() {
  const std::size_t peer = input_.below(kPeers.size());
  const Address& source = kPeers[peer];
  Frame payload(8 + std::size_t{input_.byte()} * 6);
  payload[0] = std::byte{source.is_v4() ? std::uint8_t{wire::kIcmpEchoRequest}
                                        : std::uint8_t{wire::kIcmpv6EchoRequest}};
  return icmp_frame(peer, payload);
}

// Whoever is asked for his link address tells it, in the next burst.
void DrivenStack::answer_questions(const wire::Frame& frame) {
  if (frame.kind == wire::FrameKind::arp) {
    wire::Arp question;
    HANDFAST_ASSERT(wire::parse_arp(frame.payload, question) == wire::Drop::none);
    const std::size_t peer = place_of(question.target_ip);
    if (question.operation != wire::Arp::Operation::request || peer == kPeers.size()) return;
    Frame answer(wire::kEthernetFrameMin);
    (void)wire::emit_arp(answer.data(), link_from(peer, wire::kEtherTypeArp),
                         {.operation = wire::Arp::Operation::reply,
                          .sender_mac = mac_of(peer),
                          .sender_ip = question.target_ip,
                          .target_mac = kOurMac,
                          .target_ip = question.sender_ip});
    return arriving_.push_back(std::move(answer));
  }
  wire::Icmp message;
  wire::NeighbourSolicitation question;
  if (frame.kind != wire::FrameKind::icmpv6) return;
  HANDFAST_ASSERT(wire::parse_icmpv6(frame, message) == wire::Drop::none);
  if (message.type != wire::kIcmpv6NeighbourSolicitation) return;
  HANDFAST_ASSERT(wire::parse_solicitation(message, frame, question) == wire::Drop::none);
  const std::size_t peer = place_of(question.target);
  if (peer == kPeers.size()) return;
  Frame answer(wire::kDiscoveryFrameMax);
  answer.resize(wire::emit_advertisement(
      answer.data(), link_from(peer), {.source = question.target, .destination = frame.source},
      {.target = question.target, .solicited = true, .target_mac = mac_of(peer)}));
  arriving_.push_back(std::move(answer));
}

}  // namespace handfast::fuzz
