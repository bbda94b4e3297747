// The part of Neighbours that speaks ARP: what is believed of a received packet, and the packets
// we send.
#include "net/neighbours.hpp"

namespace handfast::net {

bool Neighbours::learn(const Address& address, const base::MacAddress& mac, Instant now,
                       bool for_us) {
  if (!is_believable(address, mac)) return false;
  auto id = find(address);
  if (!id && for_us) id = find_or_add(address, now);
  // RFC 1122 section 2.3.2.1: the sender fields of any ARP packet refresh an entry, not only those
  // of a reply.
  if (id) become_reachable(entries_[*id], mac, now);
  return true;
}

bool Neighbours::is_believable(const Address& address, const base::MacAddress& mac) const {
  return !wire::is_multicast(mac) && mac != base::MacAddress{} && !address.is_unspecified() &&
         !interface_->is_ours(address) && !interface_->is_broadcast(address) &&
         interface_->is_on_link(address);
}

bool Neighbours::receive_arp(const wire::Arp& arp, Instant now) {
  if (interface_->is_ours(arp.sender_ip)) return false;
  const bool for_us =
      interface_->is_ours(arp.target_ip) && !interface_->is_broadcast(arp.target_ip);
  const bool learned = learn(arp.sender_ip, arp.sender_mac, now, for_us);
  if (for_us && arp.operation == wire::Arp::Operation::request) send_reply(arp);
  return learned;
}

void Neighbours::send_reply(const wire::Arp& request) {
  const wire::Arp reply{.operation = wire::Arp::Operation::reply,
                        .sender_mac = interface_->mac(),
                        .sender_ip = request.target_ip,
                        .target_mac = request.sender_mac,
                        .target_ip = request.sender_ip};
  if (send_arp(reply, request.sender_mac)) ++counters_->arp_replies_sent;
}

void Neighbours::send_request(const Entry& entry) {
  const auto source = interface_->source_for(entry.address);
  if (!source) return;
  const wire::Arp request{.operation = wire::Arp::Operation::request,
                          .sender_mac = interface_->mac(),
                          .sender_ip = *source,
                          .target_ip = entry.address};
  const bool is_probe = entry.state == State::probe;
  if (send_arp(request, is_probe ? entry.mac : wire::kBroadcastMac)) ++counters_->arp_requests_sent;
}

void Neighbours::announce_ipv4() {
  for (const Prefix& address : interface_->addresses()) {
    if (!address.network.is_v4()) continue;
    const wire::Arp announcement{.operation = wire::Arp::Operation::request,
                                 .sender_mac = interface_->mac(),
                                 .sender_ip = address.network,
                                 .target_ip = address.network};
    if (send_arp(announcement, wire::kBroadcastMac)) ++counters_->arp_requests_sent;
  }
}

bool Neighbours::send_arp(const wire::Arp& arp, const base::MacAddress& destination) {
  base::Packet frame;
  if (!allocate(frame)) return false;
  const wire::LinkHeader link = wire::make_link_header(destination, interface_->mac(),
                                                       interface_->vlan(), wire::kEtherTypeArp);
  frame.length = wire::emit_arp(frame.data, link, arp);
  sink_->send(frame);
  return true;
}

}  // namespace handfast::net
