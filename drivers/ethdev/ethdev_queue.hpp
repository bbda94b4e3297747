// EthdevQueue: one rx and tx queue pair of a DPDK port, as a worker's Device. Made by EthdevPort,
// called by one worker only. It trusts the NIC's checksum verdict where the port gives one and says
// nothing otherwise, so that the stack verifies in software.
#pragma once

#include <cstdint>

#include "base/counter.hpp"
#include "base/device.hpp"
#include "drivers/ethdev/ethdev_pool.hpp"

struct rte_mbuf;

namespace handfast::drivers {

class EthdevQueue final : public base::Device {
 public:
  // `trust_checksums`: receive checksum offload is on, the mbuf's flags mean something.
  EthdevQueue(std::uint16_t port, std::uint16_t queue, const base::DeviceInfo& info,
              bool trust_checksums, EthdevPool& pool)
      : port_(port), queue_(queue), trust_checksums_(trust_checksums), info_(info), pool_(&pool) {}

  const base::DeviceInfo& info() const override { return info_; }
  base::PacketPool& pool() override { return *pool_; }
  // At most 64 frames a call.
  std::size_t receive(Instant now, std::span<base::Packet> out) override;
  std::size_t send(Instant now, std::span<const base::Packet> frames) override;

  // Frames in several segments that did not fit one buffer: received and dropped.
  std::uint64_t too_long() const { return too_long_.value(); }
  // Frames that the port's driver refused to send as they were (rte_eth_tx_prepare): dropped.
  std::uint64_t refused() const { return refused_.value(); }

 private:
  std::uint16_t send_burst(rte_mbuf** mbufs, std::uint16_t count);

  std::uint16_t port_;
  std::uint16_t queue_;
  bool trust_checksums_;
  base::DeviceInfo info_;
  EthdevPool* pool_;
  base::Counter too_long_;
  base::Counter refused_;
};

}  // namespace handfast::drivers
