// HeldFrames: first-in first-out lists of frames that wait for something, all in one fixed pool of
// nodes. It owns no buffer: whoever appended a frame takes it out again and sends or frees it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/assert.hpp"
#include "base/packet.hpp"

namespace handfast::net {

class HeldFrames {
 public:
  struct List {
    std::uint16_t oldest = kNone;
    std::uint16_t newest = kNone;
    std::uint16_t count = 0;
  };

  explicit HeldFrames(std::uint16_t capacity) : nodes_(capacity) {
    HANDFAST_ASSERT(capacity < kNone);
    for (std::uint16_t i = 0; i < capacity; ++i) {
      nodes_[i].next = i + 1 < capacity ? static_cast<std::uint16_t>(i + 1) : kNone;
    }
    free_ = capacity > 0 ? 0 : kNone;
  }

  // False when every node is in use.
  [[nodiscard]] bool append(List& list, const base::Packet& frame) {
    if (free_ == kNone) return false;
    const std::uint16_t index = free_;
    free_ = nodes_[index].next;
    nodes_[index] = {frame, kNone};
    if (list.count == 0) {
      list.oldest = index;
    } else {
      nodes_[list.newest].next = index;
    }
    list.newest = index;
    ++list.count;
    ++size_;
    return true;
  }

  // The list must not be empty.
  base::Packet take_oldest(List& list) {
    HANDFAST_DEBUG_ASSERT(list.count > 0);
    const std::uint16_t index = list.oldest;
    list.oldest = nodes_[index].next;
    nodes_[index].next = free_;
    free_ = index;
    --list.count;
    --size_;
    return nodes_[index].frame;
  }

  // Frames in all lists.
  std::size_t size() const { return size_; }

 private:
  static constexpr std::uint16_t kNone = 0xffff;
  struct Node {
    base::Packet frame;
    std::uint16_t next = kNone;
  };

  std::vector<Node> nodes_;
  std::uint16_t free_ = kNone;
  std::size_t size_ = 0;
};

}  // namespace handfast::net
