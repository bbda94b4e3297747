#include "net/router_discovery.hpp"

#include <algorithm>
#include <span>

namespace handfast::net {
namespace {

constexpr std::uint32_t kForEver = 0xffffffff;  // RFC 4861 section 4.6.2

Instant after_seconds(Instant now, std::uint32_t seconds) {
  return seconds == kForEver ? Instant::never() : now + std::chrono::seconds(seconds);
}

}  // namespace

RouterDiscovery::RouterDiscovery(Interface& interface, Neighbours& neighbours, FrameSink& sink,
                                 base::LiveCounters& counters, bool solicits, Duration first_after)
    : interface_(&interface),
      neighbours_(&neighbours),
      sink_(&sink),
      counters_(&counters),
      first_after_(first_after),
      solicitations_left_(solicits ? kRouterSolicitationsMax : 0) {
  if (!is_on()) return;
  interface.reserve_advertised(wire::kAdvertisedPrefixesMax + 1);
  next_deadline_ = Instant{};
}

bool RouterDiscovery::receive(const wire::RouterAdvertisement& advertisement,
                              const wire::Frame& frame, Instant now) {
  if (interface_->is_ours(frame.source)) return false;
  ++counters_->router_advertisements_received;
  if (advertisement.source_mac) {
    neighbours_->hear_of(frame.source, *advertisement.source_mac, now);
  }
  bool is_news = take_router(frame.source, advertisement.lifetime_s, now);
  for (const auto& prefix : std::span{advertisement.prefixes}.first(advertisement.prefix_count)) {
    is_news = take_prefix(prefix, now) || is_news;
  }
  if (advertisement.mtu) is_news = take_mtu(*advertisement.mtu) || is_news;
  // RFC 4861 section 6.3.7: an answer from a router ends the questions.
  if (advertisement.lifetime_s != 0) solicitations_left_ = 0;
  set_deadline();
  return is_news;
}

// RFC 4861 section 6.3.4.
bool RouterDiscovery::take_router(const Address& address, std::uint16_t lifetime_s, Instant now) {
  const std::span known = std::span{routers_}.first(router_count_);
  const auto at = std::ranges::find(known, address, &Router::address);
  if (lifetime_s == 0) {
    if (at == known.end()) return false;
    std::move(at + 1, known.end(), at);
    --router_count_;
  } else if (at != known.end()) {
    at->until = after_seconds(now, lifetime_s);
  } else if (router_count_ < routers_.size()) {
    routers_[router_count_++] = {address, after_seconds(now, lifetime_s)};
  }
  return choose_again();
}

bool RouterDiscovery::is_router(const Address& address) const {
  const std::span known = std::span{routers_}.first(router_count_);
  return std::ranges::find(known, address, &Router::address) != known.end();
}

bool RouterDiscovery::forget_router(const Address& address) {
  const bool is_news = take_router(address, 0, Instant{});
  set_deadline();
  return is_news;
}

bool RouterDiscovery::take_prefix(const wire::AdvertisedPrefix& advertised, Instant now) {
  // Section 6.3.4: a prefix that is not said to be on-link says nothing, and the link-local one is
  // there already. Length 0 would be every address there is.
  const Prefix& prefix = advertised.prefix;
  if (!advertised.is_on_link || prefix.network.is_link_local() || prefix.network.is_multicast() ||
      prefix.network.is_v4() || prefix.length == 0) {
    return false;
  }
  const std::span known = std::span{prefixes_}.first(prefix_count_);
  const auto at = std::ranges::find(known, prefix, &OnLink::prefix);
  if (advertised.valid_s == 0) {
    if (at == known.end()) return false;
    interface_->remove_on_link(prefix);
    std::move(at + 1, known.end(), at);
    --prefix_count_;
    return true;
  }
  if (at != known.end()) {
    at->until = after_seconds(now, advertised.valid_s);
    return false;
  }
  if (prefix_count_ == prefixes_.size()) return false;
  prefixes_[prefix_count_++] = {prefix, after_seconds(now, advertised.valid_s)};
  interface_->add_on_link(prefix);
  return true;
}

// Section 6.3.4: at least what IPv6 needs, at most what the link has.
bool RouterDiscovery::take_mtu(std::uint32_t mtu) {
  constexpr std::uint32_t kIpv6MtuMin = 1280;
  if (mtu < kIpv6MtuMin || mtu > interface_->mtu() || mtu == interface_->mtu6()) return false;
  interface_->set_mtu6(static_cast<std::uint16_t>(mtu));
  return true;
}

// Section 6.3.6: any but a silent one; the one in use rather than another.
std::optional<Address> RouterDiscovery::best() const {
  const std::span known = std::span{routers_}.first(router_count_);
  const auto answers = [this](const Router& router) {
    return !neighbours_->is_silent(router.address);
  };
  const auto in_use = interface_->advertised_router();
  const auto used = std::ranges::find_if(
      known, [&in_use](const Router& router) { return router.address == in_use; });
  if (used != known.end() && answers(*used)) return in_use;
  const auto other = std::ranges::find_if(known, answers);
  if (other != known.end()) return other->address;
  if (used != known.end()) return in_use;
  return known.empty() ? std::nullopt : std::optional{known.front().address};
}

bool RouterDiscovery::choose_again() {
  const auto chosen = best();
  if (chosen == interface_->advertised_router()) return false;
  interface_->set_advertised_router(chosen);
  return true;
}

bool RouterDiscovery::expire(Instant now) {
  const auto is_old = [now](const auto& entry) { return entry.until <= now; };
  const std::span routers = std::span{routers_}.first(router_count_);
  router_count_ -= std::ranges::remove_if(routers, is_old).size();
  const std::span prefixes = std::span{prefixes_}.first(prefix_count_);
  for (const OnLink& entry : prefixes) {
    if (is_old(entry)) interface_->remove_on_link(entry.prefix);
  }
  const std::size_t gone = std::ranges::remove_if(prefixes, is_old).size();
  prefix_count_ -= gone;
  return choose_again() || gone > 0;
}

bool RouterDiscovery::advance(Instant now) {
  if (!is_started_) {
    is_started_ = true;
    next_solicitation_ = now + first_after_;
  }
  const bool is_news = expire(now);
  if (solicitations_left_ > 0 && next_solicitation_ <= now) {
    solicit();
    --solicitations_left_;
    next_solicitation_ = now + kRouterSolicitationInterval;
  }
  set_deadline();
  return is_news;
}

void RouterDiscovery::set_deadline() {
  next_deadline_ = !is_started_              ? Instant{}
                   : solicitations_left_ > 0 ? next_solicitation_
                                             : Instant::never();
  for (const Router& router : std::span{routers_}.first(router_count_)) {
    next_deadline_ = std::min(next_deadline_, router.until);
  }
  for (const OnLink& entry : std::span{prefixes_}.first(prefix_count_)) {
    next_deadline_ = std::min(next_deadline_, entry.until);
  }
}

void RouterDiscovery::solicit() {
  const auto source = interface_->link_local();
  base::Packet frame;
  if (!source || !sink_->allocate(frame)) return;
  const wire::LinkHeader link =
      wire::make_link_header(wire::multicast_mac(wire::kAllRouters), interface_->mac(),
                             interface_->vlan(), wire::kEtherTypeIpv6);
  frame.length = wire::emit_router_solicitation(frame.data, link,
                                                {.source = *source,
                                                 .destination = wire::kAllRouters,
                                                 .traffic_class = interface_->traffic_class()},
                                                interface_->mac());
  sink_->send(frame);
  ++counters_->router_solicitations_sent;
}

}  // namespace handfast::net
