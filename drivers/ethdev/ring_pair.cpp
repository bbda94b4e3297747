#include "drivers/ethdev/ring_pair.hpp"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ring.h>

#include <atomic>

#include "drivers/ethdev/port_setup.hpp"

namespace handfast::drivers {
namespace {

constexpr base::MacAddress kFirstMac = {0x02, 0x48, 0x46, 0, 0, 1};
constexpr base::MacAddress kSecondMac = {0x02, 0x48, 0x46, 0, 0, 2};

// The rings of a pair; shared by its two ports, the last of which takes them down.
class Rings {
 public:
  Rings() = default;
  Rings(const Rings&) = delete;
  Rings& operator=(const Rings&) = delete;
  ~Rings() {
    for (auto& direction : rings_) {
      for (rte_ring* const ring : direction) discard(ring);
    }
  }

  bool create(unsigned pair, std::size_t queues, unsigned size) {
    for (unsigned direction = 0; direction < 2; ++direction) {
      for (std::size_t q = 0; q < queues; ++q) {
        const auto name = fmt::format("handfast_{}_{}_{}", pair, direction, q);
        // One worker sends into it and one receives from it.
        rte_ring* const ring =
            rte_ring_create(name.c_str(), size, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
        if (ring == nullptr) return false;
        rings_[direction].push_back(ring);
      }
    }
    return true;
  }
  std::vector<rte_ring*>& direction(unsigned index) { return rings_[index]; }

 private:
  static void discard(rte_ring* ring) {
    void* mbuf = nullptr;
    while (rte_ring_dequeue(ring, &mbuf) == 0) rte_pktmbuf_free(static_cast<rte_mbuf*>(mbuf));
    rte_ring_free(ring);
  }

  std::array<std::vector<rte_ring*>, 2> rings_;
};

std::expected<std::unique_ptr<EthdevPort>, std::string> open_end(
    const std::string& name, const std::shared_ptr<Rings>& rings, unsigned receives,
    const base::MacAddress& mac, std::uint16_t mtu, std::span<EthdevPool* const> pools) {
  auto& rx = rings->direction(receives);
  auto& tx = rings->direction(1 - receives);
  const auto queues = static_cast<unsigned>(pools.size());
  const int id = rte_eth_from_rings(name.c_str(), rx.data(), queues, tx.data(), queues, 0);
  if (id < 0) {
    return std::unexpected(
        fmt::format("port {} could not be made: {}", name, rte_strerror(rte_errno)));
  }
  // A ring port takes no buffers for itself, so its numbers of descriptors mean nothing.
  const PortOptions options{.rx_descriptors = 0, .tx_descriptors = 0, .mtu = mtu};
  return start_port(static_cast<std::uint16_t>(id), name, options, pools, &mac, [rings] {});
}

}  // namespace

std::expected<PortPair, std::string> open_ring_pair(const RingPairOptions& options,
                                                    std::span<EthdevPool* const> first_pools,
                                                    std::span<EthdevPool* const> second_pools) {
  static std::atomic<unsigned> pairs{0};
  if (first_pools.size() != second_pools.size()) {
    return std::unexpected(
        fmt::format("the embedded pair needs equally many workers at both ends, not {} and {}",
                    first_pools.size(), second_pools.size()));
  }
  if (first_pools.empty() || first_pools.size() > RTE_PMD_RING_MAX_RX_RINGS) {
    return std::unexpected(
        fmt::format("the embedded pair can have 1 to {} workers at each end, not {}",
                    RTE_PMD_RING_MAX_RX_RINGS, first_pools.size()));
  }
  const unsigned pair = pairs++;
  auto rings = std::make_shared<Rings>();
  if (!rings->create(pair, first_pools.size(), options.ring_size)) {
    return std::unexpected(fmt::format("a ring of {} frames could not be made: {}",
                                       options.ring_size, rte_strerror(rte_errno)));
  }
  auto first =
      open_end(fmt::format("handfast{}a", pair), rings, 0, kFirstMac, options.mtu, first_pools);
  if (!first) return std::unexpected(first.error());
  auto second =
      open_end(fmt::format("handfast{}b", pair), rings, 1, kSecondMac, options.mtu, second_pools);
  if (!second) return std::unexpected(second.error());
  return PortPair{std::move(*first), std::move(*second)};
}

}  // namespace handfast::drivers
