#include "net/duplicate_detection.hpp"

#include <algorithm>

namespace handfast::net {

DuplicateDetection::DuplicateDetection(Interface& interface, FrameSink& sink,
                                       base::LiveCounters& counters, bool is_on, bool asks,
                                       Duration first_after)
    : interface_(&interface),
      sink_(&sink),
      counters_(&counters),
      first_after_(first_after),
      asks_(asks),
      phase_(is_on && interface.link_local() ? Phase::begin : Phase::done),
      next_deadline_(is_running() ? Instant{} : Instant::never()) {}

bool DuplicateDetection::advance(Instant now) {
  if (now < next_deadline_) return false;
  switch (phase_) {
    case Phase::begin:
      phase_ = Phase::before_question;
      next_deadline_ = now + first_after_;
      return false;
    case Phase::before_question:
      if (asks_) {
        for (const Prefix& address : interface_->addresses()) ask_about(address.network);
      }
      phase_ = Phase::waiting;
      next_deadline_ = now + kDuplicateWait;
      return false;
    case Phase::waiting:
      phase_ = Phase::done;
      next_deadline_ = Instant::never();
      return true;
    case Phase::done:
      break;
  }
  return false;
}

bool DuplicateDetection::is_asked_about(const Address& address) const {
  const auto& own = interface_->addresses();
  return is_running() && !address.is_v4() &&
         std::ranges::find(own, address, &Prefix::network) != own.end();
}

// RFC 4862 section 5.4.3: two that ask at the same time both lose. Our own question, sent back by a
// loop, has our own MAC address.
std::optional<Address> DuplicateDetection::receive(const wire::NeighbourSolicitation& solicitation,
                                                   const wire::Frame& frame) {
  const bool is_question = frame.source.is_unspecified() && frame.source_mac != interface_->mac();
  if (!is_question || !is_asked_about(solicitation.target)) return std::nullopt;
  return give_up(solicitation.target);
}

// RFC 4862 section 5.4.4.
std::optional<Address> DuplicateDetection::receive(
    const wire::NeighbourAdvertisement& advertisement, const wire::Frame& frame) {
  if (!is_asked_about(advertisement.target) || frame.source_mac == interface_->mac()) {
    return std::nullopt;
  }
  return give_up(advertisement.target);
}

std::optional<Address> DuplicateDetection::give_up(const Address& address) {
  ++counters_->duplicate_addresses;
  if (count_ < duplicates_.size()) duplicates_[count_++] = address;
  interface_->give_up(address);
  return address;
}

void DuplicateDetection::ask_about(const Address& address) {
  base::Packet frame;
  if (address.is_v4() || !sink_->allocate(frame)) return;
  const Address to = wire::solicited_node(address);
  const wire::LinkHeader link = wire::make_link_header(wire::multicast_mac(to), interface_->mac(),
                                                       interface_->vlan(), wire::kEtherTypeIpv6);
  // Its source is unspecified, and it tells no link address (RFC 4861 section 7.1.1).
  frame.length = wire::emit_solicitation(
      frame.data, link,
      {.source = Address{}, .destination = to, .traffic_class = interface_->traffic_class()},
      {.target = address, .source_mac = std::nullopt});
  sink_->send(frame);
  ++counters_->solicitations_sent;
}

}  // namespace handfast::net
