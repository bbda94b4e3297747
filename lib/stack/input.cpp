// From frames to records: parse, find, dispatch, each stage for a whole burst.

#include <variant>

#include "stack/stack.hpp"
#include "wire/arp.hpp"
#include "wire/discovery.hpp"
#include "wire/tcp.hpp"

namespace handfast::stack {

using base::Packet;
using base::Segment;

void Stack::input(Instant now, std::span<const Packet> frames) {
  set_time(now);
  counters_.frames_received += frames.size();
  for (std::span rest = frames; !rest.empty();) {
    const std::size_t n = std::min(rest.size(), kInputBurst);
    input_burst(rest.first(n), false);
    rest = rest.subspan(n);
  }
}

void Stack::input_handed_over(Instant now, std::span<const Packet> frames) {
  set_time(now);
  counters_.taken_from_other += frames.size();
  for (std::span rest = frames; !rest.empty();) {
    const std::size_t n = std::min(rest.size(), kInputBurst);
    input_burst(rest.first(n), true);
    rest = rest.subspan(n);
  }
}

void Stack::input_burst(std::span<const Packet> frames, bool handed_over) {
  base::StageScope scope(stages_, Stage::parse);
  std::size_t segments = 0;
  std::uint64_t bytes = 0;
  for (const Packet& packet : frames) {
    bytes += packet.length;
    if (parse(packet, handed_over, arrived_[segments])) {
      flows_.prefetch(arrived_[segments].hash);
      ++segments;
    }
  }
  if (!handed_over) counters_.bytes_received += bytes;
  scope.next(Stage::demux);
  const std::span<Arrived> burst{arrived_.data(), segments};
  for (const Arrived& arrived : burst) {
    flows_.prefetch_candidates(
        arrived.hash, [this](std::uint32_t raw) { prefetch_record(RecordRef::from_raw(raw)); });
  }
  for (Arrived& arrived : burst) dispatch(arrived);
}

void Stack::prefetch_record(RecordRef ref) const {
  switch (ref.kind()) {
    case RecordKind::connection: {
      const auto* const record = reinterpret_cast<const char*>(&connections_[ref.index()]);
      for (std::size_t at = 0; at < sizeof(tcp::Tcb); at += 64) {
        __builtin_prefetch(record + at, 1);
      }
      // Records are not a multiple of a line apart: half of them reach into a fifth one.
      __builtin_prefetch(record + sizeof(tcp::Tcb) - 1, 1);
      break;
    }
    case RecordKind::half_open:
      __builtin_prefetch(&half_opens_[ref.index()], 1);
      break;
    case RecordKind::time_wait:
      time_waits_.prefetch(ref.index());
      break;
    case RecordKind::none:
      break;
  }
}

// True for a TCP segment that is ours to process; every other packet has been dealt with.
bool Stack::parse(const Packet& packet, bool handed_over, Arrived& out) {
  if (wire::parse_plain_segment(packet, link_filter_, out.key, out.segment)) [[likely]] {
    out.packet = packet;
    out.hash = hash_of(out.key);
    return is_sole_owner() || !hand_to_owner(packet, out.hash, handed_over);
  }
  return parse_any(packet, handed_over, out);
}

bool Stack::parse_any(const Packet& packet, bool handed_over, Arrived& out) {
  wire::Frame frame;
  if (const wire::Drop drop = wire::parse_frame(packet, link_filter_, frame);
      drop != wire::Drop::none) {
    wire::count(drop, counters_);
    if (drop == wire::Drop::ip_protocol || drop == wire::Drop::ip_option) complain_of(frame);
    packets_.free(packet);
    return false;
  }
  switch (frame.kind) {
    case wire::FrameKind::tcp:
      if (!parse_segment(packet, frame, out)) {
        packets_.free(packet);
        return false;
      }
      return !hand_to_owner(packet, out.hash, handed_over);
    case wire::FrameKind::arp:
      input_arp(frame);
      break;
    case wire::FrameKind::icmp:
    case wire::FrameKind::icmpv6:
      input_icmp(packet, frame, handed_over);
      return false;
  }
  packets_.free(packet);
  return false;
}

bool Stack::parse_segment(const Packet& packet, const wire::Frame& frame, Arrived& out) {
  wire::TcpPorts ports;
  const wire::Drop drop = frame.link_broadcast
                              ? wire::Drop::not_for_us_l3
                              : wire::parse_tcp(frame.payload, frame, ports, out.segment);
  if (drop != wire::Drop::none) {
    wire::count(drop, counters_);
    return false;
  }
  out.packet = packet;
  out.key = {.local = frame.destination,
             .remote = frame.source,
             .local_port = ports.destination,
             .remote_port = ports.source};
  out.segment.ecn = static_cast<base::Ecn>(frame.tos & 3);
  out.hash = hash_of(out.key);
  return true;
}

bool Stack::hand_to_owner(const Packet& packet, std::uint64_t hash, bool handed_over) {
  if (is_sole_owner() || handed_over) return false;
  const unsigned owner = base::owner_of(hash, place_.queues);
  if (owner == place_.queue) return false;
  if (hand_over_ != nullptr && hand_over_->hand_over(owner, packet)) {
    ++counters_.handed_to_owner;
  } else {
    ++counters_.hand_over_full;
    packets_.free(packet);
  }
  return true;
}

void Stack::input_arp(const wire::Frame& frame) {
  wire::Arp arp;
  if (const wire::Drop drop = wire::parse_arp(frame.payload, arp); drop != wire::Drop::none) {
    wire::count(drop, counters_);
    return;
  }
  ++counters_.arp_received;
  if (neighbours_.receive_arp(arp, context_.now)) share_neighbour(arp.sender_ip, arp.sender_mac);
}

void Stack::input_icmp(const Packet& packet, const wire::Frame& frame, bool handed_over) {
  wire::Icmp message;
  const bool is_v6 = frame.kind == wire::FrameKind::icmpv6;
  wire::Drop drop = wire::Drop::not_for_us_l3;
  if (interface_.is_ours(frame.destination) || interface_.is_joined(frame.destination)) {
    drop = is_v6 ? wire::parse_icmpv6(frame, message) : wire::parse_icmp(frame.payload, message);
  }
  if (drop != wire::Drop::none) {
    wire::count(drop, counters_);
  } else if (is_v6 && wire::is_neighbour_discovery(message.type)) {
    input_discovery(packet, frame, message, handed_over);
  } else if (is_v6 && message.type == wire::kIcmpv6ListenerQuery) {
    input_listener_query(frame, message);
  } else {
    const net::IcmpVerdict verdict = icmp_.decide(message, frame, context_.now);
    if (const auto* const error = std::get_if<net::TcpError>(&verdict)) {
      return input_tcp_error(packet, *error, handed_over);
    }
    if (std::holds_alternative<net::AnswerEcho>(verdict)) answer_echo(frame, message);
    if (std::holds_alternative<net::DisbelieveIcmp>(verdict)) ++counters_.icmp_errors_ignored;
  }
  packets_.free(packet);
}

// Redirects are not believed: anybody on the link can forge them.
void Stack::input_discovery(const Packet& packet, const wire::Frame& frame,
                            const wire::Icmp& message, bool handed_over) {
  wire::NeighbourSolicitation solicitation;
  wire::NeighbourAdvertisement advertisement;
  wire::Drop drop = wire::Drop::none;
  if (message.type == wire::kIcmpv6NeighbourSolicitation) {
    drop = wire::parse_solicitation(message, frame, solicitation);
    if (drop == wire::Drop::none) {
      look_for_duplicate(packet, duplicates_.receive(solicitation, frame), handed_over);
      if (neighbours_.receive_solicitation(solicitation, frame, context_.now)) {
        share_neighbour(frame.source, *solicitation.source_mac);
      }
    }
  } else if (message.type == wire::kIcmpv6NeighbourAdvertisement) {
    drop = wire::parse_advertisement(message, frame, advertisement);
    if (drop == wire::Drop::none) {
      look_for_duplicate(packet, duplicates_.receive(advertisement, frame), handed_over);
      look_for_lost_router(packet, advertisement, handed_over);
      if (neighbours_.receive_advertisement(advertisement, context_.now)) {
        share_neighbour(advertisement.target, *advertisement.target_mac);
      }
    }
  } else if (message.type == wire::kIcmpv6RouterAdvertisement) {
    drop = input_router_advertisement(packet, frame, message, handed_over);
  }
  drop == wire::Drop::none ? void(++counters_.discovery_received) : wire::count(drop, counters_);
}

void Stack::share_neighbour(const Address& address, const base::MacAddress& mac) {
  if (hand_over_ != nullptr) hand_over_->share_neighbour(address, mac);
}

// Believed only when it quotes a segment that is in flight (RFC 5927 section 4.1).
void Stack::input_tcp_error(const Packet& packet, const net::TcpError& error, bool handed_over) {
  const wire::QuotedTcp& quoted = error.quoted;
  const base::FlowKey key{.local = quoted.source,
                          .remote = quoted.destination,
                          .local_port = quoted.source_port,
                          .remote_port = quoted.destination_port};
  const std::uint64_t hash = hash_of(key);
  if (hand_to_owner(packet, hash, handed_over)) return;
  packets_.free(packet);
  const RecordRef ref = find_flow(key, hash);
  if (ref.kind() != RecordKind::connection) {
    ++counters_.icmp_errors_ignored;
    return;
  }
  using Kind = net::TcpError::Kind;
  tcp::Tcb& tcb = connections_[ref.index()];
  tcp::IcmpVerdict verdict = tcp::IcmpVerdict::disbelieve;
  if (error.kind == Kind::packet_too_big) {
    verdict = tcp::packet_too_big(tcb, quoted.seq, error.next_hop_mtu, context_);
    if (verdict == tcp::IcmpVerdict::note) {
      path_mtus_.remember(key.remote, tcp::path_mtu(tcb, parameters_), context_.now);
    }
  } else {
    verdict = tcp::icmp_error(tcb, quoted.seq, error.said, error.kind == Kind::unreachable_hard);
  }
  if (verdict == tcp::IcmpVerdict::disbelieve) {
    ++counters_.icmp_errors_ignored;
    return;
  }
  ++counters_.icmp_errors_received;
  if (verdict == tcp::IcmpVerdict::abort) {
    tcb.state = State::closed;
    end(ref.index(), CloseReason::unreachable);
  } else {
    schedule_if_needed(ref.index());
  }
}

bool Stack::matches(RecordRef ref, const base::FlowKey& key) const {
  switch (ref.kind()) {
    case RecordKind::connection:
      return connections_[ref.index()].key == key;
    case RecordKind::half_open:
      return half_opens_[ref.index()].key == key;
    case RecordKind::time_wait:
      return time_waits_.matches(ref.index(), key);
    case RecordKind::none:
      break;
  }
  return false;
}

RecordRef Stack::find_flow(const base::FlowKey& key, std::uint64_t hash) const {
  return RecordRef::from_raw(flows_.find(
      hash, [this, &key](std::uint32_t raw) { return matches(RecordRef::from_raw(raw), key); }));
}

// A segment to or from a group or broadcast address is silently discarded (MUST-57, MUST-63),
// however it came here. The addresses of a flow that has a record were looked at when it began.
wire::Drop Stack::check_addresses(const base::FlowKey& key) const {
  if (!interface_.is_ours(key.local) || interface_.is_broadcast(key.local)) {
    return wire::Drop::not_for_us_l3;
  }
  if (interface_.is_broadcast(key.remote) || interface_.is_ours(key.remote)) {
    return wire::Drop::ip_source;
  }
  return wire::Drop::none;
}

// Hands the segment to its record; the packet is freed here unless a queue has kept it.
void Stack::dispatch(Arrived& arrived) {
  const RecordRef ref = find_flow(arrived.key, arrived.hash);
  if (ref.kind() == RecordKind::none) {
    if (const wire::Drop drop = check_addresses(arrived.key); drop != wire::Drop::none) {
      wire::count(drop, counters_);
      packets_.free(arrived.packet);
      return;
    }
  }
  const base::StageScope scope(stages_, Stage::protocol);
  count_received(arrived.segment);
  switch (ref.kind()) {
    case RecordKind::connection:
      return at_connection(ref.index(), arrived);
    case RecordKind::half_open:
      return at_half_open(ref.index(), arrived);
    case RecordKind::time_wait:
      return at_time_wait(ref.index(), arrived);
    case RecordKind::none:
      if (!at_listener(arrived)) packets_.free(arrived.packet);
      return;
  }
}

void Stack::count_received(const Segment& segment) {
  if (segment.has(base::kRst)) {
    ++counters_.rst_received;
  } else if (segment.has(base::kSyn)) {
    ++(segment.has(base::kAck) ? counters_.syn_ack_received : counters_.syn_received);
  } else if (segment.has(base::kFin)) {
    ++counters_.fin_received;
  } else if (!segment.payload.empty()) {
    ++counters_.data_received;
  } else {
    ++counters_.ack_received;
  }
}

}  // namespace handfast::stack
