// Payload: the bytes that requests, responses and streams are made of. One fixed block, repeated
// without end, so that any stretch of a message can be sent without a copy of its own.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "handfast/handler.hpp"

namespace handfast::load {

class Payload {
 public:
  Payload() {
    std::uint32_t word = 1;
    for (std::byte& byte : block_) {
      word = word * 1'664'525 + 1'013'904'223;  // Knuth's constants; any mixture would do
      byte = static_cast<std::byte>(word >> 24);
    }
  }

  Bytes block() const { return block_; }

  // At most `count` bytes of the message from `offset` on; fewer where the block ends.
  Bytes at(std::uint64_t offset, std::uint64_t count) const {
    const std::size_t start = static_cast<std::size_t>(offset % block_.size());
    const std::uint64_t left = block_.size() - start;
    return Bytes(block_).subspan(start, static_cast<std::size_t>(std::min(count, left)));
  }

 private:
  std::array<std::byte, 64 * 1024> block_;
};

}  // namespace handfast::load
