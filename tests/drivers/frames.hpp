// Frames for the drivers' tests: an Ethernet header between two of the test's ports, and a number
// in the payload by which a test tells them apart.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "base/bytes.hpp"
#include "base/device.hpp"

namespace handfast::drivers {

inline constexpr std::size_t kNumberAt = 14;

using Numbers = std::vector<std::uint32_t>;

constexpr Instant at(Duration since_start) {
  return Instant::from_ns(0) + since_start;
}

// Far enough apart that no flipped bit makes one of another.
constexpr base::MacAddress mac_of(std::uint8_t host) {
  return {0x02, host, host, host, host, host};
}
inline constexpr base::MacAddress kBroadcast{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

// Not to be called with a dry pool.
inline base::Packet make_frame(base::PacketPool& pool, const base::MacAddress& to,
                               const base::MacAddress& from, std::uint32_t number,
                               std::uint32_t length = 60) {
  base::Packet packet;
  HANDFAST_ASSERT(pool.allocate({&packet, 1}) == 1);
  packet.length = length;
  std::memset(packet.data, 0, length);
  std::memcpy(packet.data, to.data(), to.size());
  std::memcpy(packet.data + 6, from.data(), from.size());
  base::store_be32(packet.data + kNumberAt, number);
  return packet;
}

inline void send_one(base::Device& device, Instant now, const base::Packet& packet) {
  HANDFAST_ASSERT(device.send(now, {&packet, 1}) == 1);
}

// The numbers of all frames that have arrived by `now`; their packets are freed.
inline std::vector<std::uint32_t> receive_numbers(base::Device& device, Instant now) {
  std::vector<std::uint32_t> numbers;
  std::array<base::Packet, 32> burst;
  while (const std::size_t count = device.receive(now, burst)) {
    for (const base::Packet& packet : std::span{burst}.first(count)) {
      numbers.push_back(base::load_be32(packet.data + kNumberAt));
    }
    device.pool().free(std::span{burst}.first(count));
  }
  return numbers;
}

}  // namespace handfast::drivers
