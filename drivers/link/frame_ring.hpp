// FrameRing: frames on their way to one port, in order of arrival, packed behind each other in a
// fixed piece of memory. Used by Link only.
//
//   0        head                 tail      wrap_at     capacity
//   |  free  | record | record | ... |  free  |
//   each record: {due, length} and the frame, rounded up to 16 bytes; never split at the end
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

#include "base/bytes.hpp"
#include "base/mapped_array.hpp"
#include "handfast/time.hpp"

namespace handfast::drivers {

class FrameRing {
 public:
  explicit FrameRing(std::size_t capacity) : capacity_(capacity / kAlign * kAlign) {
    HANDFAST_ASSERT(memory_.reserve(capacity_));
    wrap_at_ = capacity_;
  }

  bool is_empty() const { return used_ == 0; }
  Instant front_due() const { return record_at(head_).due; }
  base::Bytes front() const {
    return {memory_.data() + head_ + sizeof(Record), record_at(head_).length};
  }

  // False when there is no room. `due` must not be before that of the frame pushed last.
  bool push(Instant due, base::Bytes frame) {
    const std::size_t size = record_size(frame.size());
    if (!make_room(size)) return false;
    new (memory_.data() + tail_) Record{due, frame.size()};
    std::memcpy(memory_.data() + tail_ + sizeof(Record), frame.data(), frame.size());
    tail_ += size;
    used_ += size;
    return true;
  }

  void pop() {
    const std::size_t size = record_size(record_at(head_).length);
    head_ += size;
    used_ -= size;
    if (head_ != wrap_at_) return;
    used_ -= capacity_ - wrap_at_;
    head_ = 0;
    wrap_at_ = capacity_;
  }

 private:
  struct Record {
    Instant due;
    std::size_t length;
  };
  static constexpr std::size_t kAlign = 16;
  static_assert(sizeof(Record) == kAlign);

  static std::size_t record_size(std::size_t frame_bytes) {
    return (sizeof(Record) + frame_bytes + kAlign - 1) / kAlign * kAlign;
  }
  const Record& record_at(std::size_t offset) const {
    return *std::launder(reinterpret_cast<const Record*>(memory_.data() + offset));
  }
  // Leaves `tail_` where `size` contiguous bytes are free.
  bool make_room(std::size_t size) {
    if (used_ == 0) {
      head_ = tail_ = 0;
      wrap_at_ = capacity_;
    }
    const std::size_t skipped = tail_ + size > capacity_ ? capacity_ - tail_ : 0;
    if (used_ + skipped + size > capacity_) return false;
    if (tail_ + size > capacity_) {
      wrap_at_ = tail_;
      used_ += skipped;
      tail_ = 0;
    }
    return true;
  }

  std::size_t capacity_;
  base::MappedArray<std::byte> memory_;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
  std::size_t used_ = 0;     // records, and the bytes skipped at the end
  std::size_t wrap_at_ = 0;  // where the reader goes back to the start
};

}  // namespace handfast::drivers
