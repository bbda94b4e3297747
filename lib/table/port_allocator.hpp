// PortAllocator: source ports for active opens, by the double hash of RFC 6056 section 3.3.4. It
// knows no connection: whether a port is free, and whether its answers reach this worker, is the
// caller's to say. One worker owns it and asks at every connect() without a port.
//
// A hash keyed by the secret gives each pair of source and remote a place in the port range to
// start from, and a counter says how far the pair has come. So each pair walks the whole range in
// sequence, a port comes again as late as it can (after the peer's 2MSL, if the range is large
// enough for the rate), and nobody outside can tell the next port of one pair from those of
// another.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/assert.hpp"
#include "base/flow_key.hpp"
#include "base/mapped_array.hpp"

namespace handfast::table {

class PortAllocator {
 public:
  // Ports that one call tries; the next call goes on behind them.
  static constexpr std::uint32_t kTriesMax = 2048;
  static constexpr std::uint32_t kCounters = 65'536;

  // Ports `first` to `last`, both included; first <= last, first > 0. False when the system
  // refuses.
  [[nodiscard]] bool reserve(std::uint16_t first, std::uint16_t last, std::uint64_t secret) {
    HANDFAST_ASSERT(first != 0 && first <= last);
    first_ = first;
    range_ = static_cast<std::uint32_t>(last - first) + 1;
    secret_ = secret;
    return next_.reserve(kCounters);
  }

  // The next port of the pair for which `usable(port)` holds; nothing when none of those tried was.
  // `pair_hash` is a hash of source, remote and remote port, and its low 16 bits choose the
  // counter. Pairs that share a counter take steps from each other and so come round sooner; a
  // caller with a range of sources can give each a counter of its own by adding the source's place
  // in the range.
  template <class Usable>
  std::optional<std::uint16_t> choose(std::uint64_t pair_hash, Usable&& usable) {
    const std::uint32_t start = start_of(pair_hash);
    std::uint16_t& counter = next_[pair_hash % kCounters];
    const std::uint32_t tries = std::min(range_, kTriesMax);
    for (std::uint32_t i = 0; i < tries; ++i) {
      std::uint32_t place = start + counter;
      if (place >= range_) place -= range_;
      counter = counter + 1U == range_ ? std::uint16_t{0} : static_cast<std::uint16_t>(counter + 1);
      const auto port = static_cast<std::uint16_t>(first_ + place);
      if (usable(port)) return port;
    }
    return std::nullopt;
  }

  std::uint32_t range() const { return range_; }

 private:
  std::uint32_t start_of(std::uint64_t pair_hash) const {
    const std::uint64_t mixed = base::fold_multiply(pair_hash ^ secret_, secret_ | 1);
    return static_cast<std::uint32_t>(((mixed >> 32) * range_) >> 32);
  }

  base::MappedArray<std::uint16_t> next_;
  std::uint64_t secret_ = 0;
  std::uint32_t range_ = 0;
  std::uint16_t first_ = 0;
};

}  // namespace handfast::table
