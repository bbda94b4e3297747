// Device: one queue pair of a port, as a worker sees it. Implemented in drivers/; a wrapping
// device (impair, capture) holds another one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/packet.hpp"
#include "handfast/time.hpp"

namespace handfast::base {

using MacAddress = std::array<std::uint8_t, 6>;

struct DeviceInfo {
  MacAddress mac{};
  std::uint16_t mtu = 1500;           // bytes of IP packet, without the Ethernet header
  bool offload_ip_checksum = false;   // the device fills the IPv4 header checksum when asked
  bool offload_tcp_checksum = false;  // the device fills the TCP checksum when asked
};

class Device {
 public:
  Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  virtual ~Device() = default;

  virtual const DeviceInfo& info() const = 0;
  // The pool from which the worker of this device takes packets to send.
  virtual PacketPool& pool() = 0;

  // Frames that have arrived by `now`, into the front of `out`; returns how many. The caller owns
  // them. Buffers come from pool() or from one that pool() can free into.
  virtual std::size_t receive(Instant now, std::span<Packet> out) = 0;
  // Takes as many frames from the front as fit; returns how many. The rest stays the caller's.
  virtual std::size_t send(Instant now, std::span<const Packet> frames) = 0;

  // When a simulated device next has a frame to deliver; a real one does not know: never.
  virtual Instant next_arrival() const { return Instant::never(); }
};

}  // namespace handfast::base
