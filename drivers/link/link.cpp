#include "drivers/link/link.hpp"

#include <algorithm>
#include <array>

#include "drivers/link/coalescing.hpp"
#include "drivers/link/segmentation.hpp"

namespace handfast::drivers {
namespace {

constexpr std::size_t kEthernetHeader = 14;
constexpr std::uint32_t kIpPacketMax = 65'535;
constexpr std::size_t kFrameMax = kEthernetHeader + 4 + kIpPacketMax;  // with a VLAN tag

base::MacAddress mac_at(const std::byte* at) {
  base::MacAddress mac;
  std::memcpy(mac.data(), at, mac.size());
  return mac;
}

bool is_group(const base::MacAddress& mac) {
  return (mac[0] & 1) != 0;
}

}  // namespace

LinkPort::LinkPort(Link& link, std::size_t index, SimPool& pool, const base::DeviceInfo& info,
                   const LinkOffloads& offloads)
    : link_(link),
      index_(index),
      pool_(pool),
      info_(info),
      lro_(offloads.lro),
      queue_(link.config_.queue_bytes_max),
      whole_(kFrameMax),
      segment_(offloads.tso ? kFrameMax : 0) {
  info_.offload_ip_checksum = offloads.checksums || offloads.tso;
  info_.offload_tcp_checksum = info_.offload_ip_checksum;
  info_.tso_bytes_max = offloads.tso ? kIpPacketMax : 0;
  info_.frame_packets_max = base::kFramePacketsMax;
}

std::size_t LinkPort::receive(Instant now, std::span<base::Packet> out) {
  std::size_t count = 0;
  while (count < out.size() && !queue_.is_empty() && queue_.front_due() <= now) {
    base::Packet& packet = out[count];
    if (pool_.allocate({&packet, 1}) == 0) {
      ++link_.counters_.dropped_pool;
      queue_.pop();
      continue;
    }
    const base::Bytes frame = queue_.front();
    std::memcpy(packet.data, frame.data(), frame.size());
    packet.length = static_cast<std::uint32_t>(frame.size());
    queue_.pop();
    if (lro_) merge_due(now, packet);
    ++count;
  }
  link_.counters_.delivered += count;
  return count;
}

void LinkPort::merge_due(Instant now, base::Packet& packet) {
  Coalescing merge(packet, pool_.data_room());
  while (!queue_.is_empty() && queue_.front_due() <= now && merge.append(queue_.front())) {
    ++link_.counters_.merged;
    queue_.pop();
  }
  merge.finish();
}

std::size_t LinkPort::send(Instant now, std::span<const base::Packet> frames) {
  for (auto rest = frames; !rest.empty();) {
    const auto frame = base::first_frame(rest);
    rest = rest.subspan(frame.size());
    transmit(now, frame);
  }
  pool_.free(frames);
  return frames.size();
}

void LinkPort::transmit(Instant now, std::span<const base::Packet> frame) {
  constexpr unsigned kChecksums = base::kOffloadIpChecksum | base::kOffloadL4Checksum;
  const base::Packet& first = frame[0];
  if (frame.size() == 1 && (first.flags & kChecksums) == 0) {
    return link_.forward(now, index_, first.bytes());
  }
  if (base::frame_length(frame) > whole_.size()) {
    ++link_.counters_.dropped_length;
    return;
  }
  auto end = whole_.begin();
  for (const base::Packet& packet : frame) end = std::ranges::copy(packet.bytes(), end).out;
  const base::MutableBytes whole{whole_.begin(), end};
  if (first.segment_size != 0 && !segment_.empty()) return cut_up(now, whole, first.segment_size);
  if (const auto layout = wire::tcp_layout_of(whole)) {
    if ((first.flags & base::kOffloadIpChecksum) != 0) wire::complete_ip_checksum(whole, *layout);
    if ((first.flags & base::kOffloadL4Checksum) != 0) {
      wire::complete_tcp_checksum(whole, *layout, false);
    }
  }
  link_.forward(now, index_, whole);
}

void LinkPort::cut_up(Instant now, base::Bytes frame, std::uint16_t segment_size) {
  const auto layout = wire::tcp_layout_of(frame);
  if (!layout) return;
  ++link_.counters_.cut_up;
  Segmentation segmentation(frame, *layout, segment_size);
  while (!segmentation.is_done()) link_.forward(now, index_, segmentation.next(segment_));
}

Link::Link(const LinkConfig& config) : config_(config) {
  learned_.reserve(kLearnedMax);
}

LinkPort& Link::add_port(SimPool& pool, const base::DeviceInfo& info,
                         const LinkOffloads& offloads) {
  ports_.emplace_back(new LinkPort(*this, ports_.size(), pool, info, offloads));
  return *ports_.back();
}

Instant Link::next_arrival() const {
  Instant earliest = Instant::never();
  for (const auto& port : ports_) earliest = std::min(earliest, port->next_arrival());
  return earliest;
}

void Link::forward(Instant now, std::size_t from, base::Bytes frame) {
  ++counters_.sent;
  if (tap_) tap_(now, frame);
  if (filter_ && filter_(now, frame)) {
    ++counters_.dropped_filter;
    return;
  }
  if (frame.size() < kEthernetHeader) {
    ++counters_.dropped_length;
    return;
  }
  learn(mac_at(frame.data() + 6), from);
  const std::size_t to = port_of(mac_at(frame.data()));
  if (to == from) return;  // a switch does not send a frame back where it came from
  if (to != kNoPort) {
    queue_on(*ports_[to], now, frame);
    return;
  }
  ++counters_.flooded;
  for (const auto& port : ports_) {
    if (port->index_ != from) queue_on(*port, now, frame);
  }
}

void Link::queue_on(LinkPort& port, Instant now, base::Bytes frame) {
  if (frame.size() > port.pool_.data_room()) {
    ++counters_.dropped_length;
    return;
  }
  const Instant passed = std::max(now, port.line_free_) + line_time(frame.size());
  if (!port.queue_.push(passed + config_.latency, frame)) {
    ++counters_.dropped_queue;
    return;
  }
  port.line_free_ = passed;
}

void Link::learn(const base::MacAddress& mac, std::size_t port) {
  if (is_group(mac)) return;
  for (Learned& known : learned_) {
    if (known.mac != mac) continue;
    known.port = port;
    return;
  }
  if (learned_.size() < kLearnedMax) learned_.push_back({mac, port});
}

std::size_t Link::port_of(const base::MacAddress& mac) const {
  if (is_group(mac)) return kNoPort;
  for (const Learned& known : learned_) {
    if (known.mac == mac) return known.port;
  }
  return kNoPort;
}

Duration Link::line_time(std::size_t bytes) const {
  if (config_.bits_per_second == 0) return Duration{0};
  const std::uint64_t bits = std::uint64_t{bytes} * 8;
  return Duration{static_cast<std::int64_t>(bits * 1'000'000'000 / config_.bits_per_second)};
}

}  // namespace handfast::drivers
