// Two ports joined by DPDK rings inside the process, queue k to queue k: the embedded default,
// where one process is both ends and needs no NIC. Frames pass by reference, no byte is copied; a
// ring that is full makes send() short, nothing is lost.
#pragma once

#include <utility>

#include "drivers/ethdev/ethdev_port.hpp"

namespace handfast::drivers {

struct RingPairOptions {
  std::uint32_t ring_size = 2048;  // frames in flight a queue and direction; a power of two
  std::uint16_t mtu = 1500;
};

using PortPair = std::pair<std::unique_ptr<EthdevPort>, std::unique_ptr<EthdevPort>>;

// As many queue pairs as pools, equally many at both ends. Frames that nobody received are freed
// when the second of the two ports closes.
std::expected<PortPair, std::string> open_ring_pair(const RingPairOptions& options,
                                                    std::span<EthdevPool* const> first_pools,
                                                    std::span<EthdevPool* const> second_pools);

}  // namespace handfast::drivers
