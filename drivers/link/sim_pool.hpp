// SimPool: packets in ordinary memory, for simulated devices. A fixed number of blocks, made once.
// It counts what is out, so that a test can assert that nothing leaked; a block that is not out
// cannot be read or written under AddressSanitizer. Not for DPDK ports, whose buffers are mbufs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/mapped_array.hpp"
#include "base/packet.hpp"

namespace handfast::drivers {

class SimPool final : public base::PacketPool {
 public:
  static constexpr std::size_t kDefaultDataRoom = 2048;

  explicit SimPool(std::size_t blocks, std::size_t data_room = kDefaultDataRoom);
  ~SimPool() override;

  std::size_t allocate(std::span<base::Packet> out) override;
  // Takes packets of any SimPool; each goes back to its own.
  void free(std::span<const base::Packet> packets) override;
  void share(const base::Packet& packet) override;
  bool is_shared(const base::Packet& packet) const override;
  std::size_t data_room() const override { return data_room_; }
  unsigned free_sixteenths() const override {
    return static_cast<unsigned>(free_.size() * 16 / blocks_.size());
  }

  std::size_t outstanding() const { return blocks_.size() - free_.size(); }
  std::size_t capacity() const { return blocks_.size(); }

 private:
  struct Block {
    SimPool* owner;
    std::byte* start;
    std::uint32_t owners;  // none: it is in the pool
  };
  void take_back(Block& block);

  std::size_t data_room_;
  std::size_t block_bytes_;
  base::MappedArray<std::byte> memory_;
  std::vector<Block> blocks_;
  std::vector<Block*> free_;  // its capacity is that of all blocks: it never grows
};

}  // namespace handfast::drivers
