#include "net/group_reports.hpp"

#include <algorithm>

#include "base/flow_key.hpp"
#include "wire/discovery.hpp"

namespace handfast::net {

GroupReports::GroupReports(const Interface& interface, FrameSink& sink,
                           base::LiveCounters& counters, bool is_on, bool begins,
                           std::uint64_t seed)
    : interface_(&interface), sink_(&sink), counters_(&counters), random_(seed) {
  if (!is_on || !interface.link_local()) return;
  for (const Prefix& address : interface.addresses()) add(address.network);
  for (const Prefix& range : interface.owned_ranges()) {
    const std::uint64_t looked_at = std::min<std::uint64_t>(range.size(), groups_.size());
    for (std::uint64_t i = 0; i < looked_at; ++i) add(range.nth(i));
  }
  if (!begins) return;
  unasked_left_ = kReportsAtStart;
  next_unasked_ = Instant{};
}

void GroupReports::add(const Address& address) {
  if (address.is_v4() || group_count_ == groups_.size()) return;
  const Address group = wire::solicited_node(address);
  if (!has(group)) groups_[group_count_++] = group;
}

bool GroupReports::has(const Address& group) const {
  return std::ranges::find(groups(), group) != groups().end();
}

Duration GroupReports::some_delay(Duration longest) {
  constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15;
  random_ += kStep;
  const std::uint64_t mixed = base::fold_multiply(random_, kStep);
  const auto range = static_cast<std::uint64_t>(std::max<std::int64_t>(longest.count(), 1));
  return Duration{static_cast<std::int64_t>(mixed % range)};
}

// RFC 3810 section 6.2, with everything in one report: which of our groups was asked about makes no
// difference, and a report of all is still one frame.
void GroupReports::receive(const wire::ListenerQuery& query, Instant now) {
  const bool is_ours = query.group.is_unspecified() || has(query.group);
  if (group_count_ == 0 || !is_ours) return;
  ++counters_->listener_queries_received;
  const Instant at = now + some_delay(query.max_delay);
  if (answer_at_ != Instant::never() && answer_at_ <= at) return;
  answer_at_ = at;
  answers_v1_ = query.is_version_1;
}

void GroupReports::advance(Instant now) {
  if (unasked_left_ > 0 && !is_started_) {
    is_started_ = true;
    next_unasked_ = now + some_delay(kReportInterval);
  }
  if (unasked_left_ > 0 && next_unasked_ <= now) {
    report(wire::ListenerRecord::change_to_exclude);
    --unasked_left_;
    next_unasked_ = unasked_left_ > 0 ? now + some_delay(kReportInterval) : Instant::never();
  }
  if (answer_at_ > now) return;
  answer_at_ = Instant::never();
  if (!answers_v1_) return report(wire::ListenerRecord::is_exclude);
  // RFC 3810 section 8.2.1: who asks in version 1 understands no other.
  for (const Address& group : groups()) report_v1(group);
}

void GroupReports::report(wire::ListenerRecord record) {
  send(wire::kAllMldRouters,
       [&](std::byte* at, const wire::LinkHeader& link, const wire::IpFields& ip) {
         return wire::emit_listener_report(at, link, ip, record, groups());
       });
}

void GroupReports::report_v1(const Address& group) {
  send(group, [&](std::byte* at, const wire::LinkHeader& link, const wire::IpFields& ip) {
    return wire::emit_listener_report_v1(at, link, ip, group);
  });
}

template <class Emit>
void GroupReports::send(const Address& to, Emit emit) {
  base::Packet frame;
  if (!sink_->allocate(frame)) {
    ++counters_->no_packet_buffer;
    return;
  }
  const wire::LinkHeader link = wire::make_link_header(wire::multicast_mac(to), interface_->mac(),
                                                       interface_->vlan(), wire::kEtherTypeIpv6);
  const wire::IpFields ip{.source = *interface_->link_local(),
                          .destination = to,
                          .traffic_class = interface_->traffic_class()};
  frame.length = emit(frame.data, link, ip);
  sink_->send(frame);
  ++counters_->listener_reports_sent;
}

}  // namespace handfast::net
