// BufferPool: the packets of one end: a handful of small buffers in place. What is still out when
// the world is put away is what the records hold; reset() takes everything back at once.
#pragma once

#include <array>

#include "base/packet.hpp"

namespace handfast::explore {

class BufferPool final : public base::PacketPool {
 public:
  static constexpr std::size_t kBuffers = 64;
  static constexpr std::size_t kDataRoom = 192;

  BufferPool() { reset(); }

  // Whatever is out is forgotten.
  void reset() {
    free_count_ = kBuffers;
    for (std::size_t i = 0; i < kBuffers; ++i) free_[i] = kBuffers - 1 - i;
  }

  std::size_t allocate(std::span<base::Packet> out) override {
    std::size_t n = 0;
    for (; n < out.size() && free_count_ > 0; ++n) {
      const std::size_t index = free_[--free_count_];
      out[n] = {.data = buffers_[index].data() + base::kPacketHeadroom, .buffer = &buffers_[index]};
    }
    return n;
  }
  void free(std::span<const base::Packet> packets) override {
    for (const base::Packet& packet : packets) {
      const auto* const buffer = static_cast<const Buffer*>(packet.buffer);
      free_[free_count_++] = static_cast<std::size_t>(buffer - buffers_.data());
    }
  }
  std::size_t data_room() const override { return kDataRoom; }
  void share(const base::Packet&) override {}
  bool is_shared(const base::Packet&) const override { return false; }

 private:
  struct alignas(base::kCacheLine) Buffer
      : std::array<std::byte, base::kPacketHeadroom + kDataRoom> {};

  std::array<Buffer, kBuffers> buffers_;
  std::array<std::size_t, kBuffers> free_{};
  std::size_t free_count_ = 0;
};

}  // namespace handfast::explore
