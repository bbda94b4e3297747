// EthdevPool: packets whose buffers are DPDK's mbufs. It knows nothing of ports; a port's receive
// queues are given one to fill. Each worker has one of its own, made by the runtime before the
// ports and destroyed after them. A thread that calls it should be registered with EAL
// (rte_thread_register), or every call goes to the shared ring instead of the thread's cache.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "base/packet.hpp"

struct rte_mempool;

namespace handfast::drivers {

struct PoolOptions {
  std::uint32_t packets = 16'384;
  std::uint16_t data_room = 2048;  // bytes behind a fresh packet's `data`
  std::uint16_t cache = 256;       // packets that stay in one thread's cache
};

class EthdevPool final : public base::PacketPool {
 public:
  // `name` is unique in the process and shorter than 26 characters. The error says how much memory
  // was asked for.
  static std::expected<std::unique_ptr<EthdevPool>, std::string> create(const std::string& name,
                                                                        const PoolOptions& options);
  // Every packet must be back.
  ~EthdevPool() override;

  std::size_t allocate(std::span<base::Packet> out) override;
  void free(std::span<const base::Packet> packets) override;
  void share(const base::Packet& packet) override;
  bool is_shared(const base::Packet& packet) const override;
  std::size_t data_room() const override { return data_room_; }
  unsigned free_sixteenths() const override;

  // Packets that nobody holds. Walks the caches of all threads: for tests and reports.
  std::size_t available() const;
  std::size_t size() const;
  rte_mempool* mempool() { return mempool_; }

 private:
  EthdevPool(rte_mempool* mempool, std::size_t data_room)
      : mempool_(mempool), data_room_(data_room) {}

  rte_mempool* mempool_;
  std::size_t data_room_;
};

// Bytes of EAL memory that a pool takes, for sizing EAL before it starts.
std::uint64_t pool_memory(const PoolOptions& options);

}  // namespace handfast::drivers
