// The part of Neighbours that speaks Neighbour Discovery (RFC 4861): what is believed of a
// solicitation or advertisement, and those we send.
#include "net/neighbours.hpp"
#include "wire/discovery.hpp"

namespace handfast::net {

bool Neighbours::receive_solicitation(const wire::NeighbourSolicitation& solicitation,
                                      const wire::Frame& frame, Instant now) {
  const bool for_us = interface_->is_ours(solicitation.target);
  if (!for_us || interface_->is_ours(frame.source)) return false;
  bool learned = false;
  if (solicitation.source_mac && is_believable(frame.source, *solicitation.source_mac)) {
    // RFC 4861 section 7.2.3: who asks has told where he is, not that he hears us.
    hear_of(frame.source, *solicitation.source_mac, now);
    learned = true;
  }
  answer(solicitation, frame);
  return learned;
}

void Neighbours::hear_of(const Address& address, const base::MacAddress& mac, Instant now) {
  if (!is_believable(address, mac)) return;
  const auto id = find_or_add(address, now);
  if (id) replace_link_address(entries_[*id], mac, now);
}

bool Neighbours::receive_advertisement(const wire::NeighbourAdvertisement& advertisement,
                                       Instant now) {
  const Address& target = advertisement.target;
  const auto& mac = advertisement.target_mac;
  const bool may_be_true = mac ? is_believable(target, *mac) : !interface_->is_ours(target);
  if (!may_be_true) return false;
  // RFC 4861 section 7.2.5: it makes no entry.
  if (const auto id = find(target)) take_advertisement(entries_[*id], advertisement, now);
  return mac && (advertisement.solicited || advertisement.override_cached);
}

bool Neighbours::heeds(const wire::NeighbourAdvertisement& advertisement) const {
  const auto id = find(advertisement.target);
  if (!id) return false;
  const Entry& entry = entries_[*id];
  if (!entry.has_link_address()) return advertisement.target_mac.has_value();
  return advertisement.override_cached || advertisement.target_mac.value_or(entry.mac) == entry.mac;
}

// RFC 4861 section 7.2.5.
void Neighbours::take_advertisement(Entry& entry, const wire::NeighbourAdvertisement& advertisement,
                                    Instant now) {
  if (!entry.has_link_address()) {
    if (!advertisement.target_mac) return;
    advertisement.solicited ? become_reachable(entry, *advertisement.target_mac, now)
                            : become_stale(entry, *advertisement.target_mac, now);
    return;
  }
  const base::MacAddress mac = advertisement.target_mac.value_or(entry.mac);
  if (!advertisement.override_cached && mac != entry.mac) {
    if (entry.state == State::reachable) become_stale(entry, entry.mac, now);
  } else if (advertisement.solicited) {
    become_reachable(entry, mac, now);
  } else {
    replace_link_address(entry, mac, now);
  }
}

void Neighbours::replace_link_address(Entry& entry, const base::MacAddress& mac, Instant now) {
  if (!entry.has_link_address() || entry.mac != mac) become_stale(entry, mac, now);
}

// RFC 4861 section 7.2.4. A probe for duplicates (RFC 4862 section 5.4.3) is answered to all nodes.
void Neighbours::answer(const wire::NeighbourSolicitation& solicitation, const wire::Frame& frame) {
  const bool is_probe = frame.source.is_unspecified();
  const Address to = is_probe ? wire::kAllNodes : frame.source;
  const base::MacAddress mac = is_probe ? wire::multicast_mac(wire::kAllNodes)
                                        : solicitation.source_mac.value_or(frame.source_mac);
  // A group sends nothing: whoever says so would have us answer everybody.
  if (!is_probe && wire::is_multicast(mac)) return;
  send_advertisement({.target = solicitation.target,
                      .solicited = !is_probe,
                      .override_cached = !is_optimistic_,
                      .target_mac = interface_->mac()},
                     to, mac);
}

void Neighbours::solicit(const Entry& entry) {
  const auto source = interface_->source_for(entry.address);
  if (!source) return;
  const bool is_probe = entry.state == State::probe;
  const Address to = is_probe ? entry.address : wire::solicited_node(entry.address);
  const base::MacAddress mac = is_probe ? entry.mac : wire::multicast_mac(to);
  base::Packet frame;
  if (!allocate(frame)) return;
  frame.length = wire::emit_solicitation(
      frame.data, ipv6_link_header(mac),
      {.source = *source, .destination = to, .traffic_class = interface_->traffic_class()},
      {.target = entry.address, .source_mac = interface_->mac()});
  sink_->send(frame);
  ++counters_->solicitations_sent;
}

// RFC 4861 section 7.2.6.
void Neighbours::announce_ipv6() {
  for (const Prefix& address : interface_->addresses()) {
    if (address.network.is_v4()) continue;
    send_advertisement(
        {.target = address.network, .override_cached = true, .target_mac = interface_->mac()},
        wire::kAllNodes, wire::multicast_mac(wire::kAllNodes));
  }
}

void Neighbours::send_advertisement(const wire::NeighbourAdvertisement& advertisement,
                                    const Address& to, const base::MacAddress& mac) {
  base::Packet frame;
  if (!allocate(frame)) return;
  frame.length = wire::emit_advertisement(frame.data, ipv6_link_header(mac),
                                          {.source = advertisement.target,
                                           .destination = to,
                                           .traffic_class = interface_->traffic_class()},
                                          advertisement);
  sink_->send(frame);
  ++counters_->advertisements_sent;
}

wire::LinkHeader Neighbours::ipv6_link_header(const base::MacAddress& mac) const {
  return wire::make_link_header(mac, interface_->mac(), interface_->vlan(), wire::kEtherTypeIpv6);
}

}  // namespace handfast::net
