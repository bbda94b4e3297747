#include "drivers/link/link.hpp"

#include <algorithm>
#include <array>

namespace handfast::drivers {
namespace {

constexpr std::size_t kEthernetHeader = 14;

base::MacAddress mac_at(const std::byte* at) {
  base::MacAddress mac;
  std::memcpy(mac.data(), at, mac.size());
  return mac;
}

bool is_group(const base::MacAddress& mac) {
  return (mac[0] & 1) != 0;
}

}  // namespace

std::size_t LinkPort::receive(Instant now, std::span<base::Packet> out) {
  std::size_t count = 0;
  while (count < out.size() && !queue_.is_empty() && queue_.front_due() <= now) {
    if (pool_.allocate(out.subspan(count, 1)) == 1) {
      const base::Bytes frame = queue_.front();
      std::memcpy(out[count].data, frame.data(), frame.size());
      out[count].length = static_cast<std::uint32_t>(frame.size());
      ++count;
    } else {
      ++link_.counters_.dropped_pool;
    }
    queue_.pop();
  }
  link_.counters_.delivered += count;
  return count;
}

std::size_t LinkPort::send(Instant now, std::span<const base::Packet> frames) {
  for (const base::Packet& packet : frames) link_.forward(now, index_, packet.bytes());
  pool_.free(frames);
  return frames.size();
}

Link::Link(const LinkConfig& config) : config_(config) {
  learned_.reserve(kLearnedMax);
}

LinkPort& Link::add_port(SimPool& pool, const base::DeviceInfo& info) {
  base::DeviceInfo without_offloads = info;
  without_offloads.offload_ip_checksum = false;
  without_offloads.offload_tcp_checksum = false;
  ports_.emplace_back(
      new LinkPort(*this, ports_.size(), pool, without_offloads, config_.queue_bytes_max));
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
