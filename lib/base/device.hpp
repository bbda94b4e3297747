// Device: one queue pair of a port, as a worker sees it. Implemented in drivers/; a wrapping
// device (impair, capture) holds another one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/packet.hpp"
#include "handfast/counters.hpp"
#include "handfast/time.hpp"

namespace handfast::base {

using MacAddress = std::array<std::uint8_t, 6>;

struct DeviceInfo {
  MacAddress mac{};
  std::uint16_t mtu = 1500;           // bytes of IP packet, without the Ethernet header
  bool offload_ip_checksum = false;   // the device fills the IPv4 header checksum when asked
  bool offload_tcp_checksum = false;  // the device fills the TCP checksum when asked
  // The longest IP packet that the device cuts into segments when asked (TSO); 0: none.
  std::uint32_t tso_bytes_max = 0;
  std::uint16_t frame_packets_max = 1;  // how many packets one frame to send may lie in
  // It copies a packet that its sender shares before it sends it: who has to copy anyway, to sum
  // the text for example, does it himself.
  bool copies_shared = false;
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
  // Takes as many packets from the front as fit, frames of several packets only whole; returns how
  // many packets. The rest stays the caller's. The last one does not continue.
  virtual std::size_t send(Instant now, std::span<const Packet> frames) = 0;

  // Adds what the device itself counts (port_...) to `out`. From any thread.
  virtual void add_counters(Counters& /*out*/) const {}

  // When a simulated device next has a frame to deliver; a real one does not know: never.
  virtual Instant next_arrival() const { return Instant::never(); }
};

}  // namespace handfast::base
