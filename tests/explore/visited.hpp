// Visited: the set of states met, as digests of 128 bits in an open table of 16 bytes each. Many
// threads insert at once; it grows between rounds, when none does.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

#include "base/mapped_array.hpp"
#include "tests/explore/image.hpp"

namespace handfast::explore {

class Visited {
 public:
  // Room for so many in all, at most half full. Not while others insert. False when the system
  // refuses.
  [[nodiscard]] bool make_room(std::size_t states) {
    const std::size_t wanted = std::bit_ceil(2 * states);
    if (wanted <= slots_.size()) return true;
    base::MappedArray<Slot> larger;
    if (!larger.reserve(wanted)) return false;
    std::swap(slots_, larger);
    for (std::size_t i = 0; i < larger.size(); ++i) {
      const std::uint64_t high = larger[i].high.load(std::memory_order_relaxed);
      if (high != 0) insert({high, larger[i].low.load(std::memory_order_relaxed)});
    }
    return true;
  }

  // True when it was not there.
  bool insert(const Digest& digest) {
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t i = digest.low & mask;; i = (i + 1) & mask) {
      Slot& slot = slots_[i];
      std::uint64_t high = slot.high.load(std::memory_order_acquire);
      if (high == 0 && slot.high.compare_exchange_strong(high, digest.high)) {
        slot.low.store(digest.low, std::memory_order_release);
        return true;
      }
      if (high != digest.high) continue;
      // Whoever took the slot is about to write the other half.
      std::uint64_t low = 0;
      while ((low = slot.low.load(std::memory_order_acquire)) == 0) {
      }
      if (low == digest.low) return false;
    }
  }
  std::size_t bytes() const { return slots_.size() * sizeof(Slot); }

 private:
  struct Slot {
    std::atomic<std::uint64_t> high;
    std::atomic<std::uint64_t> low;
  };
  base::MappedArray<Slot> slots_;
};

}  // namespace handfast::explore
