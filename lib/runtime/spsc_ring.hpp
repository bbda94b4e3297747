// SpscRing: a bounded queue of plain values from one thread to one other, without locked
// operations. Each side keeps its last view of the other's index, so that it reads the shared line
// only when that view says full or empty.
//
//   head_ (consumer)          tail_ (producer)
//        |  filled, oldest first  |  free ...        indices grow for ever, masked on use
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "base/assert.hpp"

namespace handfast::runtime {

template <class T>
class SpscRing {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  // `capacity` is a power of two.
  explicit SpscRing(std::size_t capacity) : slots_(capacity), mask_(capacity - 1) {
    HANDFAST_ASSERT(std::has_single_bit(capacity));
  }

  // The producer's. False when full.
  bool push(const T& value) {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_seen_ == slots_.size()) {
      head_seen_ = head_.load(std::memory_order_acquire);
      if (tail - head_seen_ == slots_.size()) return false;
    }
    slots_[tail & mask_] = value;
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  // The consumer's. Fills `out` from its front, oldest first; returns how many.
  std::size_t pop(std::span<T> out) {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    if (tail_seen_ == head) {
      tail_seen_ = tail_.load(std::memory_order_acquire);
      if (tail_seen_ == head) return 0;
    }
    const auto count = std::min<std::uint64_t>(tail_seen_ - head, out.size());
    for (std::uint64_t i = 0; i < count; ++i) out[i] = slots_[(head + i) & mask_];
    head_.store(head + count, std::memory_order_release);
    return count;
  }

 private:
  static constexpr std::size_t kLine = 64;

  std::vector<T> slots_;
  std::size_t mask_;
  alignas(kLine) std::atomic<std::uint64_t> tail_{0};
  std::uint64_t head_seen_ = 0;  // the producer's
  alignas(kLine) std::atomic<std::uint64_t> head_{0};
  std::uint64_t tail_seen_ = 0;  // the consumer's
};

}  // namespace handfast::runtime
