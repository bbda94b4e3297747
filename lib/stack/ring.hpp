// Ring: a bounded first-in first-out queue of small values in memory taken once.
#pragma once

#include <bit>
#include <cstdint>

#include "base/assert.hpp"
#include "base/mapped_array.hpp"

namespace handfast::stack {

template <class T>
class Ring {
 public:
  [[nodiscard]] bool reserve(std::uint32_t capacity) {
    mask_ = std::bit_ceil(capacity) - 1;
    return values_.reserve(std::size_t{mask_} + 1);
  }
  // The owner keeps the bound: each record stands in it at most once.
  void push(const T& value) {
    HANDFAST_DEBUG_ASSERT(size() <= mask_);
    values_[end_++ & mask_] = value;
  }
  const T& front() const { return values_[first_ & mask_]; }
  void pop() { ++first_; }
  bool is_empty() const { return first_ == end_; }
  std::uint32_t size() const { return end_ - first_; }
  // It goes round and round, so one in use is touched everywhere.
  std::uint64_t bytes() const { return values_.size() * sizeof(T); }

 private:
  base::MappedArray<T> values_;
  std::uint32_t mask_ = 0;
  std::uint32_t first_ = 0;
  std::uint32_t end_ = 0;
};

}  // namespace handfast::stack
