#include "drivers/impair/middlebox.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace handfast::drivers {
namespace {

constexpr std::uint8_t kOptionKindsMax = 16;
// Far from anything that a connection of the simulator's has in flight.
constexpr std::uint32_t kFarAhead = 0x4000'0000;
constexpr std::uint32_t kFarBehind = 0x1000'0000;

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
  return found != flows_.end() ? *found : flows_.emplace_back(Flow{.key = key});
}

bool MiddleboxDevice::has_reset(const base::FlowKey& flow) const {
  const auto found = std::ranges::find(flows_, flow, &Flow::key);
  return found != flows_.end() && found->was_reset;
}

bool MiddleboxDevice::has_forgotten(const base::FlowKey& flow) const {
  const auto found = std::ranges::find(flows_, flow, &Flow::key);
  return found != flows_.end() && found->was_forgotten;
}

bool MiddleboxDevice::pass(Instant now, Way way, base::Packet& packet) {
  if (is_dead(now, way) || (config_.frame_max != 0 && packet.length > config_.frame_max)) {
    ++counters_.swallowed;
    return false;
  }
  const auto glance = glance_at(packet.bytes());
  // What a line has damaged is no box's to mend.
  if (!glance || !wire::are_checksums_good(packet.bytes(), glance->layout)) return true;
  Flow& flow = flow_of(way == Way::sent ? glance->flow : reversed(glance->flow));
  if (!knows(now, flow, *glance)) {
    ++counters_.swallowed;
    flow.was_forgotten = true;
    if (config_.forgotten_get_reset && !glance->has(base::kRst)) {
      flow.was_reset = true;
      const Way back = way == Way::sent ? Way::received : Way::sent;
      hold(back, now,
           forge(packet.bytes(), *glance,
                 {.seq = glance->ack, .flags = base::kRst, .is_answer = true}));
    }
    return false;
  }
  rewrite(way, packet, *glance);
  molest(now, way, packet.bytes(), *glance, flow);
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

void MiddleboxDevice::rewrite(Way way, base::Packet& packet, const TcpGlance& glance) {
  std::uint16_t strip = config_.strip_always;
  if (glance.has(base::kSyn)) {
    strip = static_cast<std::uint16_t>(
        strip | (way == Way::sent ? config_.strip_sent : config_.strip_received));
  }
  const base::MutableBytes frame{packet.data, packet.length};
  bool is_changed = false;
  for (std::uint8_t kind = 2; strip >> kind != 0 && kind < kOptionKindsMax; ++kind) {
    if ((strip & option_bit(kind)) != 0) is_changed |= blank_option(frame, glance.layout, kind);
  }
  if (config_.mss_max != 0 && glance.has(base::kSyn)) {
    is_changed |= clamp_mss(frame, glance.layout, config_.mss_max);
  }
  if (!is_changed) return;
  ++counters_.rewritten;
  wire::write_checksums(frame, glance.layout);
}

void MiddleboxDevice::molest(Instant now, Way way, base::Bytes frame, const TcpGlance& glance,
                             Flow& flow) {
  const Way back = way == Way::sent ? Way::received : Way::sent;
  if (random_.chance(config_.echo)) {
    ++counters_.echoed;
    hold(way, now + config_.echo_after, {frame.begin(), frame.end()});
  }
  if (random_.chance(config_.exact_reset) && !glance.has(base::kRst)) {
    ++counters_.forged;
    flow.was_reset = true;
    const bool is_answer = random_.chance(0.5);
    const std::uint8_t flags = glance.has(base::kSyn) ? base::kRst | base::kAck : base::kRst;
    const Forgery forgery =
        is_answer
            ? Forgery{.seq = glance.ack, .ack = glance.end(), .flags = flags, .is_answer = true}
            : Forgery{.seq = glance.end(), .flags = base::kRst};
    hold(is_answer ? back : way, now, forge(frame, glance, forgery));
  }
  forge_blind(now, way, frame, glance);
}

// Nothing of this may do anything: wrong by far, or older than what has been acknowledged.
void MiddleboxDevice::forge_blind(Instant now, Way way, base::Bytes frame,
                                  const TcpGlance& glance) {
  const auto some = static_cast<std::uint32_t>(random_.below(1U << 20));
  const base::Seq far = glance.end() + (kFarAhead + some);
  const base::Seq old = glance.seq - (kFarBehind + some);
  // In SYN-SENT the acknowledgement is what counts, and this one acknowledges nothing.
  if (random_.chance(config_.blind_reset)) {
    ++counters_.forged;
    hold(way, now,
         forge(frame, glance,
               {.seq = some % 2 == 0 || glance.has(base::kSyn) ? far : old, .flags = base::kRst}));
  }
  if (random_.chance(config_.blind_segment) && !glance.has(base::kSyn)) {
    ++counters_.forged;
    const std::uint8_t kFlags[] = {base::kSyn, base::kAck, base::kAck | base::kFin,
                                   base::kSyn | base::kAck};
    const std::uint8_t flags = kFlags[some % std::size(kFlags)];
    hold(way, now,
         forge(frame, glance,
               {.seq = some % 2 == 0 ? far : glance.end(),
                .ack = glance.ack + (kFarAhead + some),
                .flags = flags,
                .window = 1000,
                .text = flags == base::kAck ? 100U : 0U}));
  }
}

}  // namespace handfast::drivers
