// What is said and heard without a connection: echo replies and ICMP errors of ours, and what an
// IPv6 host does on its link beside resolving addresses: router discovery, duplicate address
// detection, reports of its multicast groups. Nothing here is on the way of a segment.

#include <algorithm>
#include <cstring>

#include "stack/stack.hpp"

namespace handfast::stack {

// Sends what `emit(at, link, room)` writes, towards `to`; it returns the frame's length. False when
// no route leads there or no packet is left: both are counted.
template <class Emit>
bool Stack::send_control(const Address& to, Emit emit) {
  const auto next_hop = interface_.next_hop(to);
  if (!next_hop) {
    ++counters_.no_route;
    return false;
  }
  const auto neighbour = neighbours_.find_or_add(*next_hop, context_.now);
  base::Packet packet;
  if (!neighbour || !packets_.allocate(packet)) {
    ++counters_.no_packet_buffer;
    return false;
  }
  const wire::LinkHeader* const known = neighbours_.link_header(*neighbour, context_.now);
  const std::size_t room = std::min<std::size_t>(
      packets_.data_room(), interface_.mtu() + sizeof(wire::LinkHeader::bytes));
  packet.length = emit(
      packet.data, known != nullptr ? *known : neighbours_.placeholder_header(*neighbour), room);
  if (known != nullptr) {
    send(packet);
  } else {
    neighbours_.queue(*neighbour, packet, context_.now);
  }
  return true;
}

void Stack::answer_echo(const wire::Frame& frame, const wire::Icmp& request) {
  const wire::IpFields ip{.source = frame.destination,
                          .destination = frame.source,
                          .traffic_class = frame.tos,
                          .hop_limit = interface_.hop_limit()};
  const auto emit = [&](std::byte* at, const wire::LinkHeader& link, std::size_t room) {
    return wire::emit_echo_reply(at, link, ip, request, room);
  };
  if (send_control(frame.source, emit)) ++counters_.icmp_echo_answered;
}

// Of a frame that was refused as Frame::refused says.
void Stack::complain_of(const wire::Frame& frame) {
  const auto own = icmp_errors_.about(frame, context_.now);
  if (!own) return;
  const wire::IpFields ip{.source = own->source,
                          .destination = own->destination,
                          .traffic_class = interface_.traffic_class(),
                          .hop_limit = interface_.hop_limit()};
  const auto emit = [&](std::byte* at, const wire::LinkHeader& link, std::size_t room) {
    return wire::emit_icmp_error(at, link, ip, own->error, own->quoted, room);
  };
  if (send_control(own->destination, emit)) ++counters_.icmp_errors_sent;
}

// At the very start: what is announced at once.
void Stack::begin_control() {
  neighbours_.announce_ipv4();
  if (duplicates_.is_running()) {
    neighbours_.set_optimistic(true);
  } else {
    neighbours_.announce_ipv6();
  }
  set_control_deadline();
}

void Stack::advance_control() {
  const Instant now = context_.now;
  if (group_reports_.next_deadline() <= now) group_reports_.advance(now);
  if (duplicates_.advance(now)) {
    neighbours_.set_optimistic(false);
    neighbours_.announce_ipv6();
  }
  if (routers_.next_deadline() <= now && routers_.advance(now)) use_advertised();
  set_control_deadline();
}

void Stack::set_control_deadline() {
  control_deadline_ = std::min(
      {routers_.next_deadline(), duplicates_.next_deadline(), group_reports_.next_deadline()});
}

// All workers of the port hear of it: each has routes of its own.
wire::Drop Stack::input_router_advertisement(const base::Packet& packet, const wire::Frame& frame,
                                             const wire::Icmp& message, bool handed_over) {
  wire::RouterAdvertisement advertisement;
  const wire::Drop drop = wire::parse_router_advertisement(message, frame, advertisement);
  if (drop != wire::Drop::none || !routers_.is_on()) return drop;
  if (!handed_over) share_frame(packet);
  if (routers_.receive(advertisement, frame, context_.now)) use_advertised();
  set_control_deadline();
  return drop;
}

// RFC 4861 section 7.2.5: who advertises itself as no router leads nowhere.
void Stack::look_for_lost_router(const base::Packet& packet,
                                 const wire::NeighbourAdvertisement& advertisement,
                                 bool handed_over) {
  if (advertisement.is_router || !routers_.is_router(advertisement.target)) [[likely]]
    return;
  if (!neighbours_.heeds(advertisement)) return;
  if (!handed_over) share_frame(packet);
  if (routers_.forget_router(advertisement.target)) use_advertised();
  set_control_deadline();
}

// Connections that are open keep the next hop and the segment size they have.
void Stack::use_advertised() {
  last_way_ = {};
  parameters_.mtu6 = interface_.mtu6();
}

void Stack::input_listener_query(const wire::Frame& frame, const wire::Icmp& message) {
  wire::ListenerQuery query;
  const wire::Drop drop = wire::parse_listener_query(message, frame, query);
  if (drop != wire::Drop::none) return wire::count(drop, counters_);
  group_reports_.receive(query, context_.now);
  set_control_deadline();
}

void Stack::look_for_duplicate(const base::Packet& packet, const std::optional<Address>& lost,
                               bool handed_over) {
  if (!lost) [[likely]]
    return;
  if (!handed_over) share_frame(packet);
  lose_address(*lost);
}

// RFC 4862 section 5.4.5: nothing is sent from it any more, not even a RST.
void Stack::lose_address(const Address& address) {
  last_way_ = {};
  for (std::uint32_t i = 0; i < half_opens_.touched(); ++i) {
    if (half_opens_.is_in_use(i) && half_opens_[i].key.local == address) drop_half_open(i);
  }
  for (std::uint32_t i = 0; i < connections_.touched(); ++i) {
    if (!connections_.is_in_use(i)) continue;
    tcp::Tcb& tcb = connections_[i];
    if (tcb.key.local != address || tcb.detached || tcb.ended) continue;
    tcb.state = State::closed;
    end(i, CloseReason::unreachable);
  }
}

void Stack::share_frame(const base::Packet& packet) {
  if (hand_over_ == nullptr) return;
  for (unsigned queue = 0; queue < place_.queues; ++queue) {
    base::Packet copy;
    if (queue == place_.queue || packet.length > packets_.data_room()) continue;
    if (!packets_.allocate(copy)) {
      ++counters_.no_packet_buffer;
      return;
    }
    std::memcpy(copy.data, packet.data, packet.length);
    copy.length = packet.length;
    copy.flags = packet.flags;
    if (hand_over_->hand_over(queue, copy)) {
      ++counters_.handed_to_owner;
    } else {
      ++counters_.hand_over_full;
      packets_.free(copy);
    }
  }
}

}  // namespace handfast::stack
