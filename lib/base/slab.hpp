// Slab: records by index, taken last-freed-first so that a busy one stays in cache. A record
// keeps its bytes when freed: its generation tells stale references from live ones, and its timer
// entry in the wheel is inherited by the next user of the slot.
#pragma once

#include <cstdint>
#include <optional>

#include "base/assert.hpp"
#include "base/mapped_array.hpp"

namespace handfast::base {

// T has members `std::uint32_t generation` (odd while in use) and `std::uint32_t next_free`, which
// the slab owns while the record is free and the user may overlay while it is not.
template <class T>
class Slab {
 public:
  [[nodiscard]] bool reserve(std::uint32_t capacity) {
    capacity_ = capacity;
    return records_.reserve(capacity);
  }

  // All records' memory, as MappedArray's.
  [[nodiscard]] bool populate() { return records_.populate(capacity_); }

  // Nothing when all are in use. The record is as its last user left it, or zero; its generation
  // has been advanced.
  std::optional<std::uint32_t> allocate() {
    std::uint32_t index;
    if (free_head_ != kNone) {
      index = free_head_ - 1;
      free_head_ = records_[index].next_free;
    } else if (touched_ < capacity_) {
      index = touched_++;
    } else {
      return std::nullopt;
    }
    ++records_[index].generation;
    ++in_use_;
    return index;
  }
  void free(std::uint32_t index) {
    T& record = records_[index];
    HANDFAST_DEBUG_ASSERT((record.generation & 1) == 1);
    ++record.generation;
    record.next_free = free_head_;
    free_head_ = index + 1;
    --in_use_;
  }

  bool is_in_use(std::uint32_t index) const { return (records_[index].generation & 1) == 1; }
  bool is_current(std::uint32_t index, std::uint32_t generation) const {
    return index < touched_ && records_[index].generation == generation && (generation & 1) == 1;
  }
  T& operator[](std::uint32_t index) { return records_[index]; }
  const T& operator[](std::uint32_t index) const { return records_[index]; }
  std::uint32_t in_use() const { return in_use_; }
  std::uint32_t capacity() const { return capacity_; }
  // Indices at or above this were never used.
  std::uint32_t touched() const { return touched_; }
  std::uint64_t touched_bytes() const { return std::uint64_t{touched_} * sizeof(T); }

 private:
  static constexpr std::uint32_t kNone = 0;  // links hold index + 1
  MappedArray<T> records_;
  std::uint32_t capacity_ = 0;
  std::uint32_t touched_ = 0;
  std::uint32_t free_head_ = kNone;
  std::uint32_t in_use_ = 0;
};

}  // namespace handfast::base
