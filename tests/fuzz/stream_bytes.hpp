// The byte that stands at a sequence number, of either direction: so whoever sees some of a stream
// can tell whether it is right without having seen the rest.
#pragma once

#include <cstddef>
#include <span>

#include "base/seq.hpp"

namespace handfast::fuzz {

inline std::byte byte_at(base::Seq seq) {
  return static_cast<std::byte>((seq.raw() * 0x9e3779b1U) >> 23);
}

inline void fill(std::span<std::byte> text, base::Seq first) {
  for (std::byte& byte : text) {
    byte = byte_at(first);
    first += 1;
  }
}

inline bool is_right(std::span<const std::byte> text, base::Seq first) {
  for (const std::byte byte : text) {
    if (byte != byte_at(first)) return false;
    first += 1;
  }
  return true;
}

}  // namespace handfast::fuzz
