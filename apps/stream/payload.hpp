// Payload: the bytes that requests, responses and streams are made of. One fixed block, repeated
// without end, so that any stretch of a message can be sent without a copy of its own. The block's
// length is a prime: bytes that are lost, repeated or moved by any number of segments, buffers or
// pages stand where others belong, and a hash of the message shows it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace handfast::apps {

class Payload {
 public:
  static constexpr std::size_t kPeriod = 65'537;

  Payload() {
    std::uint32_t word = 1;
    for (std::byte& byte : block_) {
      word = word * 1'664'525 + 1'013'904'223;  // Knuth's constants; any mixture would do
      byte = static_cast<std::byte>(word >> 24);
    }
  }

  // At most `count` bytes of the message from `offset` on; fewer where the block ends.
  std::span<const std::byte> at(std::uint64_t offset, std::uint64_t count) const {
    const std::size_t start = static_cast<std::size_t>(offset % kPeriod);
    const std::uint64_t left = kPeriod - start;
    return std::span(block_).subspan(start, static_cast<std::size_t>(std::min(count, left)));
  }

 private:
  std::array<std::byte, kPeriod> block_;
};

}  // namespace handfast::apps
