#include "drivers/impair/middlebox.hpp"

#include <algorithm>
#include <cstring>

namespace handfast::drivers {
namespace {

constexpr std::uint8_t kOptionKindsMax = 64;

}  // namespace

MiddleboxDevice::MiddleboxDevice(base::Device& inner, const MiddleboxConfig& config)
    : inner_(inner),
      info_{.mac = inner.info().mac, .mtu = inner.info().mtu},
      config_(config),
      random_(config.seed) {}

std::size_t MiddleboxDevice::receive(Instant now, std::span<base::Packet> out) {
  send_held(now);
  std::size_t count = inner_.receive(now, out);
  std::size_t kept = 0;
  for (base::Packet& packet : out.first(count)) {
    if (pass(now, Way::received, packet)) {
      out[kept++] = packet;
    } else {
      pool().free({&packet, 1});
    }
  }
  while (kept < out.size() && !to_host_.empty() && to_host_.front().due <= now) {
    if (materialise(to_host_.front().frame, out[kept])) ++kept;
    to_host_.pop_front();
  }
  return kept;
}

std::size_t MiddleboxDevice::send(Instant now, std::span<const base::Packet> frames) {
  for (base::Packet packet : frames) {
    if (!make_own(packet)) continue;
    if (!pass(now, Way::sent, packet) || inner_.send(now, {&packet, 1}) == 0) {
      pool().free({&packet, 1});
    }
  }
  send_held(now);
  return frames.size();
}

void MiddleboxDevice::send_held(Instant now) {
  while (!to_line_.empty() && to_line_.front().due <= now) {
    base::Packet packet;
    if (materialise(to_line_.front().frame, packet) && inner_.send(now, {&packet, 1}) == 0) {
      pool().free({&packet, 1});
    }
    to_line_.pop_front();
  }
}

Instant MiddleboxDevice::next_arrival() const {
  Instant next = inner_.next_arrival();
  if (!to_host_.empty()) next = std::min(next, to_host_.front().due);
  if (!to_line_.empty()) next = std::min(next, to_line_.front().due);
  return next;
}

bool MiddleboxDevice::make_own(base::Packet& packet) {
  if (!pool().is_shared(packet)) return true;
  base::Packet own;
  const bool is_copied = materialise(packet.bytes(), own);
  pool().free({&packet, 1});
  packet = own;
  return is_copied;
}

bool MiddleboxDevice::materialise(base::Bytes frame, base::Packet& out) {
  if (frame.size() > pool().data_room() || pool().allocate({&out, 1}) == 0) return false;
  std::memcpy(out.data, frame.data(), frame.size());
  out.length = static_cast<std::uint32_t>(frame.size());
  return true;
}

void MiddleboxDevice::hold(Way way, Instant due, std::vector<std::byte> frame) {
  std::deque<Held>& held = way == Way::received ? to_host_ : to_line_;
  const auto place =
      std::ranges::upper_bound(held, due, {}, [](const Held& other) { return other.due; });
  held.insert(place, {due, std::move(frame)});
}

bool MiddleboxDevice::is_dead(Instant now, Way way) const {
  return std::ranges::any_of(config_.outages, [&](const Outage& outage) {
    return outage.from <= now && now < outage.until &&
           (way == Way::sent ? outage.sent : outage.received);
  });
}

MiddleboxDevice::Flow& MiddleboxDevice::flow_of(const base::FlowKey& key) {
  const auto found = std::ranges::find(flows_, key, &Flow::key);
  if (found != flows_.end()) return *found;
  // The same for all connections of these ports: numbers that grow still do so behind the box.
  std::uint64_t state = config_.seed + flows_.size();
  return flows_.emplace_back(
      Flow{.key = key, .shift = static_cast<std::uint32_t>(base::split_mix(state))});
}

const MiddleboxDevice::Flow* MiddleboxDevice::find(const base::FlowKey& key) const {
  const auto found = std::ranges::find(flows_, key, &Flow::key);
  return found != flows_.end() ? &*found : nullptr;
}

bool MiddleboxDevice::has_reset(const base::FlowKey& flow) const {
  const Flow* const found = find(flow);
  return found != nullptr && found->was_reset;
}

bool MiddleboxDevice::has_complained(const base::FlowKey& flow) const {
  const Flow* const found = find(flow);
  return found != nullptr && found->was_complained_of;
}

bool MiddleboxDevice::has_refused(const base::FlowKey& flow) const {
  const Flow* const found = find(flow);
  return found != nullptr && found->was_refused;
}

bool MiddleboxDevice::has_forgotten(const base::FlowKey& flow) const {
  const Flow* const found = find(flow);
  return found != nullptr && found->was_forgotten;
}

bool MiddleboxDevice::pass(Instant now, Way way, base::Packet& packet) {
  const auto glance = glance_at(packet.bytes());
  // What a line has damaged is no box's to mend.
  const bool is_whole = glance && wire::are_checksums_good(packet.bytes(), glance->layout);
  Flow* const known =
      is_whole ? &flow_of(way == Way::sent ? glance->flow : reversed(glance->flow)) : nullptr;
  if (is_whole) {
    (way == Way::sent ? known->host_has_peer : known->peer_has_host) = glance->has(base::kAck);
  }
  if (is_dead(now, way) || (config_.frame_max != 0 && packet.length > config_.frame_max)) {
    ++counters_.swallowed;
    if (is_whole && config_.tells_of_outages && is_dead(now, way)) {
      complain(now, way, packet.bytes(), *glance, Complaint::host_unreachable, 0, *known);
    }
    return false;
  }
  if (!is_whole) return true;
  Flow& flow = *known;
  if (!knows(now, flow, *glance)) {
    ++counters_.swallowed;
    flow.was_forgotten = true;
    if (config_.forgotten_get_reset && !glance->has(base::kRst)) {
      flow.was_reset = true;
      hold(back(way), now,
           forge(packet.bytes(), *glance,
                 {.seq = glance->ack, .flags = base::kRst, .is_answer = true}));
    }
    return false;
  }
  if (!fits(now, way, packet, *glance, flow)) {
    ++counters_.swallowed;
    return false;
  }
  molest_sender(now, way, packet.bytes(), *glance, flow);
  rewrite(way, packet, *glance, flow);
  molest_receiver(now, way, packet.bytes(), *glance_at(packet.bytes()), flow);
  return true;
}

std::uint16_t MiddleboxDevice::mtu_at(Instant now, bool is_v4) const {
  constexpr std::uint16_t kIpv6MtuMin = 1280;
  std::uint16_t mtu = 0;
  for (const MtuChange& change : config_.mtus) {
    if (change.at <= now) mtu = change.mtu;
  }
  return mtu == 0 || is_v4 ? mtu : std::max(mtu, kIpv6MtuMin);
}

bool MiddleboxDevice::fits(Instant now, Way way, base::Packet& packet, const TcpGlance& glance,
                           Flow& flow) {
  const bool is_v4 = glance.layout.is_v4;
  const std::uint16_t mtu = mtu_at(now, is_v4);
  if (mtu != 0 && packet.length > std::uint32_t{mtu} + glance.layout.link_length) {
    const bool is_hidden = config_.hides_mtu && is_v4;
    complain(now, way, packet.bytes(), glance, Complaint::too_big, is_hidden ? 0 : mtu, flow);
    return false;
  }
  if (config_.syn_text == SynText::passes || !glance.has(base::kSyn) || glance.text == 0) {
    return true;
  }
  if (config_.syn_text == SynText::swallowed_with_its_syn) return false;
  packet.length = cut_text({packet.data, packet.length}, glance.layout);
  ++counters_.rewritten;
  return true;
}

bool MiddleboxDevice::knows(Instant now, Flow& flow, const TcpGlance& glance) {
  const Instant last = flow.used;
  flow.used = now;
  if (glance.has(base::kSyn)) return flow.is_known = true;
  if (config_.forget_after != Duration{0} && now - last > config_.forget_after) {
    flow.is_known = false;
  }
  for (const Instant at : config_.forgets_at) {
    if (last < at && at <= now) flow.is_known = false;
  }
  return flow.is_known || (config_.forget_after == Duration{0} && config_.forgets_at.empty());
}

void MiddleboxDevice::rewrite(Way way, base::Packet& packet, const TcpGlance& glance,
                              const Flow& flow) {
  std::uint64_t strip = config_.strip_always;
  if (glance.has(base::kSyn)) {
    strip |= way == Way::sent ? config_.strip_sent : config_.strip_received;
  }
  const base::MutableBytes frame{packet.data, packet.length};
  bool is_changed = shift(way, frame, glance, flow);
  for (std::uint8_t kind = 2; kind < kOptionKindsMax && strip >> kind != 0; ++kind) {
    if ((strip & option_bit(kind)) != 0) is_changed |= blank_option(frame, glance.layout, kind);
  }
  if (config_.mss_max != 0 && glance.has(base::kSyn)) {
    is_changed |= clamp_mss(frame, glance.layout, config_.mss_max);
  }
  if (!is_changed) return;
  ++counters_.rewritten;
  wire::write_checksums(frame, glance.layout);
}

// Some firewalls do so, for hosts whose numbers can be guessed; and some of them forget SACK.
bool MiddleboxDevice::shift(Way way, base::MutableBytes frame, const TcpGlance& glance,
                            const Flow& flow) const {
  if (!config_.shifts_sequence) return false;
  if (way == Way::sent) {
    shift_sequence(frame, glance.layout, flow.shift);
  } else {
    shift_acknowledgement(frame, glance.layout, 0U - flow.shift);
    if (config_.shifts_sack) shift_sack(frame, glance.layout, 0U - flow.shift);
  }
  return true;
}

}  // namespace handfast::drivers
