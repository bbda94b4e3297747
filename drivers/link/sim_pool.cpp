#include "drivers/link/sim_pool.hpp"

#include <algorithm>

#if defined(__SANITIZE_ADDRESS__)
#define HANDFAST_HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HANDFAST_HAS_ASAN 1
#endif
#endif
#ifdef HANDFAST_HAS_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace handfast::drivers {
namespace {

#ifdef HANDFAST_HAS_ASAN
void poison(const void* at, std::size_t bytes) {
  ASAN_POISON_MEMORY_REGION(at, bytes);
}
void unpoison(const void* at, std::size_t bytes) {
  ASAN_UNPOISON_MEMORY_REGION(at, bytes);
}
#else
void poison(const void*, std::size_t) {}
void unpoison(const void*, std::size_t) {}
#endif

}  // namespace

SimPool::SimPool(std::size_t blocks, std::size_t data_room)
    : data_room_(data_room), block_bytes_(base::kPacketHeadroom + data_room) {
  HANDFAST_ASSERT(memory_.reserve(blocks * block_bytes_));
  blocks_.reserve(blocks);
  free_.reserve(blocks);
  for (std::size_t i = 0; i < blocks; ++i) {
    blocks_.push_back({this, memory_.data() + i * block_bytes_, 0});
  }
  for (std::size_t i = blocks; i-- > 0;) free_.push_back(&blocks_[i]);
  poison(memory_.data(), memory_.size());
}

// The addresses may be mapped again for something else: nothing may stay poisoned.
SimPool::~SimPool() {
  unpoison(memory_.data(), memory_.size());
}

std::size_t SimPool::allocate(std::span<base::Packet> out) {
  const std::size_t count = std::min(out.size(), free_.size());
  for (base::Packet& packet : out.first(count)) {
    Block* const block = free_.back();
    free_.pop_back();
    block->owners = 1;
    unpoison(block->start, block_bytes_);
    packet = {.data = block->start + base::kPacketHeadroom, .buffer = block};
  }
  return count;
}

void SimPool::free(std::span<const base::Packet> packets) {
  for (const base::Packet& packet : packets) {
    Block& block = *static_cast<Block*>(packet.buffer);
    block.owner->take_back(block);
  }
}

void SimPool::share(const base::Packet& packet) {
  ++static_cast<Block*>(packet.buffer)->owners;
}

bool SimPool::is_shared(const base::Packet& packet) const {
  return static_cast<const Block*>(packet.buffer)->owners > 1;
}

void SimPool::take_back(Block& block) {
  HANDFAST_ASSERT(block.owners > 0);
  if (--block.owners > 0) return;
  poison(block.start, block_bytes_);
  free_.push_back(&block);
}

}  // namespace handfast::drivers
