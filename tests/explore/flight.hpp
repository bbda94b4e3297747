// Flight: one segment on its way, as a plain value without pointers or padding, so that two can be
// compared by their bytes. Network: all that is on its way between the two ends. The explorer's
// only; it decides what becomes of each.
//
// What was sent in one direction stands in a queue and arrives in that order. A segment that the
// network duplicates or holds back becomes a stray: it may arrive at any later moment, after any
// number of others and of timers, until its lifetime (MSL) is over.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "base/assert.hpp"
#include "base/segment.hpp"
#include "base/tick.hpp"

namespace handfast::explore {

inline constexpr std::size_t kEnds = 2;
inline constexpr std::size_t kTextMax = 11;

struct Flight {
  std::uint32_t seq = 0;
  std::uint32_t ack = 0;
  std::uint16_t window = 0;
  std::uint8_t flags = 0;
  std::uint8_t options = 0;  // base::TcpOptions::Present bits
  std::uint16_t mss = 0;
  std::uint8_t window_scale = 0;
  std::uint8_t sack_count = 0;
  std::uint32_t ts_value = 0;
  std::uint32_t ts_echo = 0;
  std::array<std::uint32_t, 8> sacks{};  // left and right edges
  base::Tick dies = base::kNoTick;       // of a stray
  std::uint8_t text_length = 0;
  std::array<std::uint8_t, kTextMax> text{};

  bool operator==(const Flight&) const = default;
  bool has(base::TcpFlag flag) const { return (flags & flag) != 0; }
};
static_assert(std::has_unique_object_representations_v<Flight>);

Flight flight_of(const base::Segment& segment);
// The payload is put to `text`, which has room for kTextMax bytes.
base::Segment segment_of(const Flight& flight, std::byte* text);

// A short list in place.
template <class T, std::size_t Capacity>
class ShortList {
 public:
  std::size_t size() const { return size_; }
  bool is_empty() const { return size_ == 0; }
  void clear() { size_ = 0; }
  void push(const T& value) {
    HANDFAST_ASSERT(size_ < Capacity);
    values_[size_++] = value;
  }
  T take(std::size_t index) {
    const T value = values_[index];
    for (std::size_t i = index + 1; i < size_; ++i) values_[i - 1] = values_[i];
    --size_;
    return value;
  }
  const T& operator[](std::size_t index) const { return values_[index]; }
  const T* begin() const { return values_.data(); }
  const T* end() const { return values_.data() + size_; }
  T* begin() { return values_.data(); }
  T* end() { return values_.data() + size_; }

 private:
  std::size_t size_ = 0;
  std::array<T, Capacity> values_{};
};

// Each list is named by the end that sent what it holds.
struct Network {
  std::array<ShortList<Flight, 32>, kEnds> queue;
  std::array<ShortList<Flight, 16>, kEnds> strays;

  bool has_queued() const { return !queue[0].is_empty() || !queue[1].is_empty(); }
  void clear() {
    for (auto& list : queue) list.clear();
    for (auto& list : strays) list.clear();
  }
};

}  // namespace handfast::explore
