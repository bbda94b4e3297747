#include "net/interface.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace handfast::net {
namespace {

constexpr std::uint16_t kMtuMin = 576;       // RFC 791: what every host must accept
constexpr std::uint16_t kIpv6MtuMin = 1280;  // RFC 8200 section 5
constexpr std::uint16_t kMtuMax = 9000;
constexpr std::uint8_t kLinkLocalLength = 64;
constexpr std::uint16_t kVlanMax = 4094;

using Checked = std::expected<void, std::string>;

Checked failure(std::string sentence) {
  return std::unexpected(std::move(sentence));
}

std::uint32_t v4_mask(std::uint8_t length) {
  return length == 0 ? 0U : ~std::uint32_t{0} << (32 - length);
}

// Nothing where the network has no broadcast address: IPv6, /31 (RFC 3021) and /32.
std::optional<Address> directed_broadcast(const Prefix& prefix) {
  if (!prefix.network.is_v4() || prefix.length >= 31) return std::nullopt;
  return Address::v4(prefix.network.v4_value() | ~v4_mask(prefix.length));
}

// RFC 1122 section 3.2.1.3: the addresses no host can have.
bool is_no_hosts(const Address& address) {
  return address.is_unspecified() || address.is_multicast() || address.is_limited_broadcast() ||
         address.is_loopback();
}

Checked check_address(const Prefix& prefix) {
  if (is_no_hosts(prefix.network)) {
    return failure("address " + prefix.to_string() +
                   " is not one a host can have; give a unicast address such as 198.18.0.1/15.");
  }
  const auto broadcast = directed_broadcast(prefix);
  if (!broadcast) return {};
  const std::uint32_t host_bits = prefix.network.v4_value() & ~v4_mask(prefix.length);
  if (host_bits == 0 || *broadcast == prefix.network) {
    return failure("address " + prefix.to_string() +
                   " is its network's own or broadcast address; give a host's address in it.");
  }
  return {};
}

Checked check_addresses(const std::vector<Prefix>& addresses) {
  if (addresses.empty()) {
    return failure("the interface has no address; give at least one, such as 198.18.0.1/15.");
  }
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    if (auto checked = check_address(addresses[i]); !checked) return checked;
    for (std::size_t j = 0; j < i; ++j) {
      if (addresses[j].network == addresses[i].network) {
        return failure("address " + addresses[i].network.to_string() +
                       " is given twice; give it once.");
      }
    }
  }
  return {};
}

Checked check_owned_ranges(const std::vector<Prefix>& ranges) {
  for (const Prefix& range : ranges) {
    const bool is_whole_family = range.length == 0;
    if (is_whole_family || is_no_hosts(range.nth(0)) || is_no_hosts(range.nth(range.size() - 1))) {
      return failure("owned range " + range.to_string() +
                     " holds addresses no host can have; give a unicast range such as "
                     "198.18.0.0/16.");
    }
  }
  return {};
}

bool speaks_ipv6(const InterfaceConfig& config) {
  const auto is_ipv6 = [](const Prefix& prefix) { return !prefix.network.is_v4(); };
  return std::ranges::any_of(config.addresses, is_ipv6) ||
         std::ranges::any_of(config.owned_ranges, is_ipv6);
}

Checked check_link(const InterfaceConfig& config, const base::DeviceInfo& device) {
  if (config.mtu < kMtuMin || config.mtu > kMtuMax) {
    return failure("MTU " + std::to_string(config.mtu) + " is not from 576 to 9000.");
  }
  if (config.mtu < kIpv6MtuMin && speaks_ipv6(config)) {
    return failure("MTU " + std::to_string(config.mtu) +
                   " is too small for IPv6; give at least 1280.");
  }
  if (config.mtu > device.mtu) {
    return failure("MTU " + std::to_string(config.mtu) + " is more than the device's " +
                   std::to_string(device.mtu) + "; lower it.");
  }
  if (config.vlan && (*config.vlan == 0 || *config.vlan > kVlanMax)) {
    return failure("VLAN " + std::to_string(*config.vlan) + " is not from 1 to 4094.");
  }
  if (config.hop_limit == 0) {
    return failure("hop limit 0 lets no packet leave; give 1 to 255, usually 64.");
  }
  if ((device.mac[0] & 1) != 0 || device.mac == base::MacAddress{}) {
    return failure("the device's MAC address is all zero or a group's; give it a unicast one.");
  }
  return {};
}

}  // namespace

std::expected<Interface, std::string> Interface::create(const InterfaceConfig& config,
                                                        const base::DeviceInfo& device) {
  for (const Checked& checked : {check_link(config, device), check_addresses(config.addresses),
                                 check_owned_ranges(config.owned_ranges)}) {
    if (!checked) return std::unexpected(checked.error());
  }
  Interface made;
  made.mac_ = device.mac;
  made.mtu_ = config.mtu;
  made.mtu6_ = config.mtu;
  made.vlan_ = config.vlan;
  made.owned_ranges_ = config.owned_ranges;
  made.hop_limit_ = config.hop_limit;
  made.traffic_class_ = static_cast<std::uint8_t>(config.dscp << 2);
  made.offload_ip_checksum_ = device.offload_ip_checksum;
  made.offload_tcp_checksum_ = device.offload_tcp_checksum;
  made.add_addresses(config);
  made.believes_routers_ = config.router_advertisements && made.speaks_ipv6_;
  for (const Prefix& address : made.addresses_) made.add_route(address, std::nullopt);
  if (const auto checked = made.check_gateways(config); !checked) {
    return std::unexpected(checked.error());
  }
  made.add_gateways(config);
  return made;
}

void Interface::add_addresses(const InterfaceConfig& config) {
  addresses_ = config.addresses;
  speaks_ipv6_ = speaks_ipv6(config);
  // RFC 4291 section 2.8: a host has a link-local address, from which it solicits link-local
  // gateways.
  const bool has_link_local = std::ranges::any_of(
      addresses_, [](const Prefix& address) { return address.network.is_link_local(); });
  if (speaks_ipv6_ && !has_link_local) {
    addresses_.push_back({wire::link_local_address(mac_), kLinkLocalLength});
  }
  for (const Prefix& address : addresses_) {
    const std::uint8_t full_length = address.network.is_v4() ? 32 : 128;
    ours_.emplace_back(Prefix{address.network, full_length});
    if (const auto broadcast = directed_broadcast(address)) {
      directed_broadcasts_.push_back(*broadcast);
    }
  }
  for (const Prefix& range : config.owned_ranges) ours_.emplace_back(range);
}

Checked Interface::check_gateways(const InterfaceConfig& config) const {
  std::vector<Address> gateways;
  for (const auto& gateway : {config.gateway, config.gateway6}) {
    if (gateway) gateways.push_back(*gateway);
  }
  for (const Route& route : config.routes) {
    if (route.destination.network.is_v4() != route.gateway.is_v4()) {
      return failure("route " + route.destination.to_string() + " and its gateway " +
                     route.gateway.to_string() + " are of different IP versions.");
    }
    gateways.push_back(route.gateway);
  }
  for (const Address& gateway : gateways) {
    if (is_ours(gateway)) {
      return failure("gateway " + gateway.to_string() +
                     " is one of the interface's own addresses; give the router's.");
    }
    if (!is_on_link(gateway) || is_broadcast(gateway)) {
      return failure("gateway " + gateway.to_string() +
                     " is not on-link; give a host's address in one of the interface's networks.");
    }
  }
  return {};
}

void Interface::add_gateways(const InterfaceConfig& config) {
  for (const Route& route : config.routes) add_route(route.destination, route.gateway);
  for (const auto& gateway : {config.gateway, config.gateway6}) {
    if (!gateway) continue;
    const Address any = gateway->is_v4() ? Address::v4(0) : Address{};
    add_route(Prefix{any, 0}, gateway);
  }
}

void Interface::add_route(const Prefix& destination, const std::optional<Address>& gateway,
                          bool is_advertised) {
  const auto before = std::ranges::upper_bound(routes_, destination.length, std::ranges::greater{},
                                               &RouteEntry::length);
  routes_.insert(before, {PrefixMatch{destination}, destination.length, gateway,
                          is_advertised ? std::optional{destination} : std::nullopt});
}

std::optional<Address> Interface::link_local() const {
  for (const Prefix& address : addresses_) {
    if (address.network.is_link_local()) return address.network;
  }
  return std::nullopt;
}

void Interface::reserve_advertised(std::size_t routes) {
  routes_.reserve(routes_.size() + routes);
}

void Interface::add_on_link(const Prefix& prefix) {
  add_route(prefix, std::nullopt, true);
}

void Interface::remove_on_link(const Prefix& prefix) {
  std::erase_if(routes_, [&prefix](const RouteEntry& route) { return route.advertised == prefix; });
}

void Interface::set_advertised_router(const std::optional<Address>& router) {
  constexpr Prefix kAll{};
  remove_on_link(kAll);
  advertised_router_ = router;
  if (router) add_route(kAll, router, true);
}

void Interface::give_up(const Address& address) {
  std::erase_if(addresses_, [&](const Prefix& own) { return own.network == address; });
  // All ours_ that hold just this one address: a range around it keeps it.
  std::erase(ours_,
             PrefixMatch{Prefix{address, address.is_v4() ? std::uint8_t{32} : std::uint8_t{128}}});
}

std::optional<Address> Interface::source_for(const Address& remote) const {
  std::optional<Address> first_of_family;
  for (const Prefix& address : addresses_) {
    if (address.network.is_v4() != remote.is_v4()) continue;
    if (PrefixMatch{address}.contains(remote)) return address.network;
    if (!first_of_family && !address.network.is_link_local()) first_of_family = address.network;
  }
  return first_of_family;
}

std::expected<Address, Error> Interface::next_hop(const Address& remote) const {
  if (remote.is_unspecified() || remote.is_loopback() || is_broadcast(remote) || is_ours(remote)) {
    return std::unexpected(Error::no_route);
  }
  for (const RouteEntry& route : routes_) {
    if (route.destination.contains(remote)) return route.gateway.value_or(remote);
  }
  return std::unexpected(Error::no_route);
}

bool Interface::is_on_link(const Address& address) const {
  return std::ranges::any_of(routes_, [&](const RouteEntry& route) {
    return !route.gateway && route.destination.contains(address);
  });
}

wire::LinkFilter Interface::link_filter() const {
  return {.mac = mac_, .vlan = vlan_};
}

}  // namespace handfast::net
