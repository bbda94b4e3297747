// Ring: a bounded first-in first-out queue of small values in memory taken once.
#pragma once

#include <algorithm>
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
  // An empty one begins again, so that one that never holds many touches little of its memory.
  void pop() {
    if (++first_ != end_) return;
    touched_ = std::max(touched_, end_);
    first_ = end_ = 0;
  }
  bool is_empty() const { return first_ == end_; }
  std::uint32_t size() const { return end_ - first_; }
  std::uint64_t touched_bytes() const {
    return std::min<std::uint64_t>(std::max(touched_, end_), values_.size()) * sizeof(T);
  }

 private:
  base::MappedArray<T> values_;
  std::uint32_t mask_ = 0;
  std::uint32_t first_ = 0;
  std::uint32_t end_ = 0;
  std::uint32_t touched_ = 0;  // values, when it was last empty
};

}  // namespace handfast::stack
