// Interface: what one port is to the network: its addresses, ranges, routes, VLAN and MTU, checked
// once at start and constant afterwards, but for what routers advertise (router_discovery.hpp) and
// an address that turns out to be another host's (duplicate_detection.hpp). It sends nothing and
// resolves nothing (see neighbours.hpp). Made by the stack from its configuration; asked by the
// stack for each received frame that belongs to no known flow (is_ours, is_broadcast) and for each
// new connection (source_for, next_hop).
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "base/device.hpp"
#include "handfast/address.hpp"
#include "handfast/config.hpp"
#include "handfast/error.hpp"
#include "net/prefix_match.hpp"
#include "wire/discovery.hpp"
#include "wire/frame.hpp"

namespace handfast::net {

class Interface {
 public:
  // The error is one sentence naming the setting, its value and what would be right.
  static std::expected<Interface, std::string> create(const InterfaceConfig& config,
                                                      const base::DeviceInfo& device);

  // One of our addresses, or inside an owned range. A range may reach over a network's broadcast
  // address: ask is_broadcast() where that matters.
  bool is_ours(const Address& address) const {
    for (const PrefixMatch& range : ours_) {
      if (range.contains(address)) return true;
    }
    return false;
  }
  // Limited or directed broadcast (RFC 1122 section 3.2.1.3), or multicast: no address for TCP,
  // neither as a source nor as a destination (RFC 9293 MUST-57). A /31 has no broadcast address
  // (RFC 3021), nor has a /32.
  bool is_broadcast(const Address& address) const {
    if (address.is_multicast() || address.is_limited_broadcast()) return true;
    for (const Address& broadcast : directed_broadcasts_) {
      if (broadcast == address) return true;
    }
    return false;
  }

  // A multicast group whose packets are for us (RFC 4861 section 7.2.1): all nodes, and the
  // solicited-node groups. Of these all count, for owned ranges may fill every one: whether a
  // solicitation's target is ours has to be asked anyway.
  bool is_joined(const Address& group) const {
    return speaks_ipv6_ && (group == wire::kAllNodes || wire::is_solicited_node(group));
  }

  // The source for packets to `remote` (RFC 1122 section 3.3.4.3, RFC 6724 section 5 as far as one
  // link goes): our first address on the same network, else our first of the same family, but a
  // link-local one only for its own link; nothing when there is none.
  std::optional<Address> source_for(const Address& remote) const;

  // Whose link address frames to `remote` need: its own when on-link, else the gateway of the
  // longest matching route (RFC 1122 section 3.3.1.1). `no_route`: none matches, or `remote` is
  // loopback, unspecified, broadcast, multicast or one of ours and so not to be seen on a link.
  std::expected<Address, Error> next_hop(const Address& remote) const;
  bool is_on_link(const Address& address) const;

  wire::LinkFilter link_filter() const;
  const base::MacAddress& mac() const { return mac_; }
  std::uint16_t mtu() const { return mtu_; }  // bytes of IP packet
  std::optional<std::uint16_t> vlan() const { return vlan_; }
  std::uint8_t hop_limit() const { return hop_limit_; }
  // The DSCP in its place above the two bits of ECN (RFC 2474 section 3).
  std::uint8_t traffic_class() const { return traffic_class_; }
  bool offload_ip_checksum() const { return offload_ip_checksum_; }
  bool offload_tcp_checksum() const { return offload_tcp_checksum_; }

  // Our addresses as configured, each with its on-link network's length, and the link-local one.
  const std::vector<Prefix>& addresses() const { return addresses_; }
  const std::vector<Prefix>& owned_ranges() const { return owned_ranges_; }
  // Nothing when there is no IPv6.
  std::optional<Address> link_local() const;

  // What routers advertise, for whoever asked for it. Room for `routes` has to be made first: later
  // nothing is allocated.
  bool believes_routers() const { return believes_routers_; }
  void reserve_advertised(std::size_t routes);
  void add_on_link(const Prefix& prefix);
  void remove_on_link(const Prefix& prefix);
  const std::optional<Address>& advertised_router() const { return advertised_router_; }
  void set_advertised_router(const std::optional<Address>& router);
  std::uint16_t mtu6() const { return mtu6_; }  // of IPv6; at most mtu()
  void set_mtu6(std::uint16_t mtu) { mtu6_ = mtu; }

  // Another host has this address: it is ours no longer. Its network stays on-link.
  void give_up(const Address& address);

 private:
  struct RouteEntry {
    PrefixMatch destination;
    std::uint8_t length;
    std::optional<Address> gateway;    // none: on-link
    std::optional<Prefix> advertised;  // by a router, as what
  };

  Interface() = default;
  void add_addresses(const InterfaceConfig& config);
  void add_gateways(const InterfaceConfig& config);
  void add_route(const Prefix& destination, const std::optional<Address>& gateway,
                 bool is_advertised = false);
  std::expected<void, std::string> check_gateways(const InterfaceConfig& config) const;

  bool speaks_ipv6_ = false;
  std::vector<PrefixMatch> ours_;  // addresses first, then owned ranges
  std::vector<Address> directed_broadcasts_;
  std::vector<RouteEntry> routes_;  // longest first; on-link before a route as long
  std::vector<Prefix> addresses_;
  std::vector<Prefix> owned_ranges_;
  std::optional<Address> advertised_router_;
  bool believes_routers_ = false;
  base::MacAddress mac_{};
  std::uint16_t mtu_ = 0;
  std::uint16_t mtu6_ = 0;
  std::optional<std::uint16_t> vlan_;
  std::uint8_t hop_limit_ = 0;
  std::uint8_t traffic_class_ = 0;
  bool offload_ip_checksum_ = false;
  bool offload_tcp_checksum_ = false;
};

}  // namespace handfast::net
