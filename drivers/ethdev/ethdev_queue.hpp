// EthdevQueue: one rx and tx queue pair of a DPDK port, as a worker's Device. Made by EthdevPort,
// called by one worker only. It trusts the NIC's checksum verdict where the port gives one and says
// nothing otherwise, so that the stack verifies in software.
//
// A packet that its sender shares, to send it again if it must, is one mbuf with a reference count.
// The port's driver gives its reference back when the frame has left. Where the driver hands the
// very mbuf to a peer, who may write into it, a shared packet leaves as a copy.
#pragma once

#include <cstdint>
#include <vector>

#include "base/counter.hpp"
#include "base/device.hpp"
#include "drivers/ethdev/ethdev_pool.hpp"

struct rte_mbuf;

namespace handfast::drivers {

// What a port's queues have to know of it beside its DeviceInfo.
struct QueueTraits {
  bool trust_checksums = false;  // receive checksum offload is on, the mbuf's flags mean something
  bool passes_buffers = false;   // who receives gets the mbuf that was sent (net_ring)
  bool receives_large = false;   // frames of several segments, whether asked for or not (net_vhost)
};

class EthdevQueue final : public base::Device {
 public:
  EthdevQueue(std::uint16_t port, std::uint16_t queue, const base::DeviceInfo& info,
              const QueueTraits& traits, EthdevPool& pool)
      : port_(port), queue_(queue), traits_(traits), info_(info), pool_(&pool) {
    if (traits.receives_large) waiting_.reserve(kLargeAtOnce * kSegmentsMax);
  }
  ~EthdevQueue() override { pool_->free(std::span{waiting_}.subspan(waiting_first_)); }

  const base::DeviceInfo& info() const override { return info_; }
  base::PacketPool& pool() override { return *pool_; }
  // At most 64 frames a call.
  std::size_t receive(Instant now, std::span<base::Packet> out) override;
  std::size_t send(Instant now, std::span<const base::Packet> frames) override;

  // What the port missed is counted for all its queues together: queue 0 has it.
  void add_counters(Counters& out) const override;

 private:
  static constexpr std::size_t kBurst = 64;
  struct Burst;

  // Ports of such frames are asked for a few at a time, for each may become many.
  static constexpr std::size_t kLargeAtOnce = 4;
  static constexpr std::size_t kSegmentsMax = 128;

  base::Packet packet_of(rte_mbuf* mbuf) const;
  std::size_t receive_large(std::span<base::Packet> out);
  std::size_t hand_out(std::span<base::Packet> out);
  void take_large(rte_mbuf* mbuf);
  void cut(std::span<const base::Packet> parts);
  bool gather(std::span<const base::Packet> frames, Burst& burst);
  bool replace_by_copy(const base::Packet& packet, rte_mbuf*& mbuf);
  std::uint16_t send_burst(rte_mbuf** mbufs, std::uint16_t count);
  static void settle_copies(const Burst& burst, std::size_t taken);

  std::uint16_t port_;
  std::uint16_t queue_;
  QueueTraits traits_;
  base::DeviceInfo info_;
  EthdevPool* pool_;
  std::vector<base::Packet> waiting_;  // received, and not handed out yet
  std::size_t waiting_first_ = 0;
  // Frames in several segments that did not fit one buffer, or another's for which there was no
  // buffer to copy into: received and dropped. Of a large one it may be the rest alone.
  base::Counter too_long_;
  base::Counter refused_;  // by rte_eth_tx_prepare
};

}  // namespace handfast::drivers
