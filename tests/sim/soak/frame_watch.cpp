#include "tests/sim/soak/frame_watch.hpp"

#include <algorithm>
#include <utility>

namespace handfast::sim {

using base::Seq;
using drivers::TcpGlance;

namespace {

constexpr std::uint8_t kShiftMax = 14;  // RFC 7323 section 2.3
// What nobody has sent may be anywhere; nothing in flight is so far away.
constexpr std::uint32_t kNear = 1U << 26;
constexpr std::uint32_t kFirstTextMax = 1U << 20;

void raise(Seq& seq, Seq to) {
  if (to - seq < kNear) seq = to;
}

}  // namespace

std::size_t FrameWatch::receive(Instant now, std::span<base::Packet> out) {
  const std::size_t count = inner_.receive(now, out);
  for (const base::Packet& packet : out.first(count)) see_received(packet);
  return count;
}

std::size_t FrameWatch::send(Instant now, std::span<const base::Packet> frames) {
  // Looked at before they are given away; all are taken, or seen again.
  const std::size_t taken = [&] {
    for (auto rest = frames; !rest.empty();) {
      const auto frame = base::first_frame(rest);
      see_sent(frame);
      rest = rest.subspan(frame.size());
    }
    return inner_.send(now, frames);
  }();
  return taken;
}

FrameWatch::Flow& FrameWatch::flow_of(const base::FlowKey& key) {
  const auto found = std::ranges::find(flows_, key, &Flow::key);
  return found != flows_.end() ? *found : flows_.emplace_back(Flow{.key = key});
}

void FrameWatch::fail(const Flow& flow, const char* what, std::uint32_t by) {
  journal_.fail("host {} port {}: {} (by {})", host_, flow.key.local_port, what, by);
}

void FrameWatch::trace(const TcpGlance& seg, const char* verb) {
  if (!journal_.is_traced()) return;
  std::string flags;
  for (const auto& [flag, letter] :
       {std::pair{base::kSyn, 'S'}, {base::kFin, 'F'}, {base::kRst, 'R'}, {base::kAck, '.'}}) {
    if (seg.has(flag)) flags += letter;
  }
  journal_.note(0, "host {} {} {} > {} {} seq {} ack {} win {} text {}", host_, verb,
                seg.flow.local_port, seg.flow.remote_port, flags, seg.seq.raw(), seg.ack.raw(),
                seg.window, seg.text);
}

void FrameWatch::see_received(const base::Packet& packet) {
  const auto seg = drivers::glance_at(packet.bytes());
  if (!seg) return;
  const bool is_verified = (packet.flags & base::kL4ChecksumGood) != 0;
  if (!is_verified && !wire::are_checksums_good(packet.bytes(), seg->layout)) return;
  trace(*seg, "gets");
  Flow& flow = flow_of(drivers::reversed(seg->flow));
  if (seg->has(base::kSyn)) {
    if (flow.syns.size() == kSynsMax) flow.syns.erase(flow.syns.begin());
    flow.syns.push_back(
        {.seq = seg->seq, .shift = seg->window_scale, .window = seg->window, .end = seg->end()});
  }
  const bool is_early = flow.has_iss && (flow.is_opening || !flow.knows_peer);
  if (is_early && flow.early.size() < kEarlyMax) flow.early.push_back(*seg);
  if (flow.knows_peer) note_received(flow, *seg);
}

void FrameWatch::note_received(Flow& flow, const TcpGlance& seg) {
  // A forged one may be near as well: then less is asked of our window.
  const bool is_near = seg.end() - (flow.received_end - kNear) < 2 * kNear;
  if (seg.has(base::kFin) && is_near && (!flow.peer_fin || seg.end().is_before(*flow.peer_fin))) {
    flow.peer_fin = seg.end();
  }
  raise(flow.received_end, seg.end());
  if (seg.has(base::kAck) && !seg.has(base::kRst)) {
    const std::uint32_t window = seg.has(base::kSyn) ? seg.window : scaled(flow, seg.window, false);
    raise(flow.edge_received, seg.ack + window);
  }
}

std::uint32_t FrameWatch::scaled(const Flow& flow, std::uint16_t window, bool is_ours) const {
  if (!flow.shift || !flow.peer_syn || !flow.peer_syn->shift) return window;
  const auto shift = std::min(is_ours ? *flow.shift : *flow.peer_syn->shift, kShiftMax);
  return std::uint32_t{window} << shift;
}

void FrameWatch::see_sent(std::span<const base::Packet> frame) {
  const auto seg = drivers::glance_at(frame[0].bytes());
  if (!seg) return;
  constexpr unsigned kUnfinished = base::kOffloadIpChecksum | base::kOffloadL4Checksum;
  if (frame.size() == 1 && (frame[0].flags & kUnfinished) == 0 &&
      !wire::are_checksums_good(frame[0].bytes(), seg->layout)) {
    journal_.fail("host {}: sends a wrong checksum", host_);
  }
  trace(*seg, "sends");
  if (seg->has(base::kRst)) return;
  Flow& flow = flow_of(seg->flow);
  const bool is_syn_ack = seg->has(base::kSyn) && seg->has(base::kAck);
  // Within the clock's grain (RFC 6528) two attempts of a peer are answered with the same number.
  const bool is_other = is_syn_ack && flow.answered && *flow.answered != seg->ack;
  if (seg->has(base::kSyn) && (!flow.has_iss || seg->seq != flow.iss || is_other)) {
    std::vector<Seq> isses = std::move(flow.isses);
    if (!is_syn_ack) isses.clear();
    if (is_syn_ack && flow.has_iss) isses.push_back(flow.iss);
    if (isses.size() > kIssesMax) isses.erase(isses.begin());
    std::vector<TcpGlance> early;
    if (is_syn_ack && flow.is_opening) early = std::move(flow.early);
    flow = Flow{.key = seg->flow,
                .syns = std::move(flow.syns),
                .early = std::move(early),
                .isses = std::move(isses)};
    flow.iss = seg->seq;
    flow.has_iss = true;
    flow.sent_end = seg->end();
    flow.shift = seg->window_scale;
    flow.edge_received = seg->seq + 1;
  } else if (!flow.has_iss) {
    return;  // an answer from TIME-WAIT, or of before a restart
  } else if (seg->has(base::kSyn)) {
    flow.shift = seg->window_scale;
  }
  if (!seg->has(base::kSyn)) settle(flow, *seg);
  if (is_syn_ack) flow.answered = seg->ack;
  check_sent(flow, *seg);
}

void FrameWatch::settle(Flow& flow, const TcpGlance& seg) {
  // Nor need it begin with the SYN that was answered last: what this one acknowledges tells.
  if (std::exchange(flow.is_opening, false) && !flow.isses.empty()) flow.knows_peer = false;
  const std::uint32_t so_far = seg.seq - flow.iss;
  if (flow.isses.empty() || (so_far < kFirstTextMax && !seg.seq.is_after(flow.sent_end))) return;
  const auto found = std::ranges::min_element(
      flow.isses, {}, [&](Seq iss) -> std::uint32_t { return seg.seq - iss; });
  if (seg.seq - *found >= std::min(so_far, kFirstTextMax)) return;
  flow.iss = *found;
  flow.sent_end = flow.edge_received = *found + 1;
  flow.is_vague = true;
}

void FrameWatch::check_sent(Flow& flow, const TcpGlance& seg) {
  const bool may_be_gone = has_dropped_ && has_dropped_();
  if (seg.seq.is_after(flow.sent_end) && !may_be_gone)
    fail(flow, "leaves a gap", seg.seq - flow.sent_end);
  // A probe is a byte, or a FIN, or both (RFC 9293 section 3.8.6.1).
  const Seq text_end = seg.seq + seg.text;
  if (flow.knows_peer && !flow.is_vague && seg.text > 1 && text_end.is_after(flow.edge_received)) {
    fail(flow, "sends beyond the peer's window", text_end - flow.edge_received);
  }
  flow.sent_end = base::later_of(flow.sent_end, seg.end());
  if (seg.has(base::kAck)) check_acknowledgement(flow, seg);
}

void FrameWatch::meet_peer(Flow& flow, const TcpGlance& seg) {
  flow.knows_peer = true;
  flow.edge_offered = seg.ack;
  // Forged ones may stand near the right one, which the ACK is closest to.
  const auto distance = [&](const PeerSyn& syn) { return seg.ack - (syn.seq + 1); };
  const auto found = std::ranges::min_element(flow.syns, {}, distance);
  if (found == flow.syns.end() || distance(*found) >= kFirstTextMax) {
    flow.received_end = seg.ack;
    flow.is_vague = true;
    return;
  }
  flow.peer_syn = *found;
  flow.received_end = found->end;
  // Sent again it has no text, or less.
  for (const PeerSyn& syn : flow.syns) {
    if (syn.seq == found->seq) flow.received_end = base::later_of(flow.received_end, syn.end);
  }
  raise(flow.edge_received, flow.iss + (1U + found->window));
  for (const TcpGlance& early : std::exchange(flow.early, {})) note_received(flow, early);
}

void FrameWatch::check_acknowledgement(Flow& flow, const TcpGlance& seg) {
  if (!flow.knows_peer) meet_peer(flow, seg);
  if (seg.ack.is_after(flow.received_end)) {
    fail(flow, "acknowledges what has not arrived", seg.ack - flow.received_end);
  }
  const std::uint32_t window = seg.has(base::kSyn) ? seg.window : scaled(flow, seg.window, true);
  const Seq edge = seg.ack + window;
  // Behind the peer's FIN the window means nothing.
  const bool is_over = flow.peer_fin && seg.ack.is_at_or_after(*flow.peer_fin);
  // A SYN sent again has no scale, and says less. What the scale rounds off is no promise broken:
  // it is accepted still (RecordCheck looks at that).
  const std::uint32_t unit = scaled(flow, 1, true);
  if ((edge + (unit - 1)).is_before(flow.edge_offered) && !is_over && !flow.is_vague &&
      !seg.has(base::kSyn)) {
    fail(flow, "takes back what its window offered", flow.edge_offered - edge);
  }
  flow.edge_offered = base::later_of(flow.edge_offered, edge);
}

}  // namespace handfast::sim
