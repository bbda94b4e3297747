#include "bench/syn_flood/flood_device.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/bytes.hpp"

namespace handfast::bench {
namespace {

constexpr std::size_t kSourceMacAt = 6;
constexpr std::size_t kEtherTypeAt = 12;
constexpr std::size_t kIpv4DestinationAt = 30;
constexpr std::size_t kIpv6DestinationAt = 38;

// Where an untagged frame goes.
std::optional<Address> destination_of(const base::Packet& packet) {
  const std::byte* const at = packet.data;
  const std::uint16_t type =
      packet.length < kEtherTypeAt + 2 ? 0 : base::load_be16(at + kEtherTypeAt);
  if (type == wire::kEtherTypeIpv4 && packet.length >= kIpv4DestinationAt + 4) {
    return Address::v4(base::load_be32(at + kIpv4DestinationAt));
  }
  if (type == wire::kEtherTypeIpv6 && packet.length >= kIpv6DestinationAt + 16) {
    std::array<std::uint8_t, 16> bytes;
    std::memcpy(bytes.data(), at + kIpv6DestinationAt, bytes.size());
    return Address::from_bytes(bytes);
  }
  return std::nullopt;
}

}  // namespace

FloodDevice::FloodDevice(base::Device& inner, const Prefix& sources, const Endpoint& target,
                         double rate)
    : inner_(inner),
      frames_(sources, target),
      rate_(rate),
      pace_(rate),
      range_(sources),
      is_v4_(target.address.is_v4()) {}

void FloodDevice::begin(Instant now) {
  is_on_ = rate_ > 0;
  pace_.start(now);
}

std::size_t FloodDevice::receive(Instant now, std::span<base::Packet> out) {
  for (int burst = 0; is_on_ && burst < kBurstsPerTurn && pace_.is_due(now); ++burst) {
    if (!send_burst(now)) break;
  }
  return keep_ours(out.first(inner_.receive(now, out)));
}

std::size_t FloodDevice::send(Instant now, std::span<const base::Packet> frames) {
  return inner_.send(now, frames);
}

// Returns how many are left, in order. Who sends to us is our target's host, or the way to it.
std::size_t FloodDevice::keep_ours(std::span<base::Packet> frames) {
  std::size_t kept = 0;
  for (const base::Packet& packet : frames) {
    const std::byte* const at = packet.data;
    if (link_.length == 0) {
      base::MacAddress mac;
      std::memcpy(mac.data(), at + kSourceMacAt, mac.size());
      link_ = wire::make_link_header(mac, inner_.info().mac, {},
                                     is_v4_ ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6);
    }
    const auto destination = destination_of(packet);
    if (destination && range_.contains(*destination)) {
      ++answered_;
      inner_.pool().free({&packet, 1});
    } else {
      frames[kept++] = packet;
    }
  }
  return kept;
}

// As many as are due. False when the link is full: then all that are due are lost.
bool FloodDevice::send_burst(Instant now) {
  std::array<base::Packet, kBurst> burst;
  std::size_t due = 0;
  for (; due < kBurst && pace_.is_due(now); ++due) pace_.advance();
  const std::size_t made = inner_.pool().allocate(std::span{burst}.first(due));
  for (base::Packet& packet : std::span{burst}.first(made)) frames_.write(packet, link_);
  const std::size_t sent = made == 0 ? 0 : inner_.send(now, std::span{burst}.first(made));
  inner_.pool().free(std::span{burst}.subspan(sent, made - sent));
  offered_ += due;
  taken_ += sent;
  if (sent == due) return true;
  for (; pace_.is_due(now); ++offered_) pace_.advance();
  return false;
}

}  // namespace handfast::bench
