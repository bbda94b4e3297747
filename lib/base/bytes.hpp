// Loads and stores of big-endian (network order) integers at any alignment.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace handfast::base {

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

template <class T>
constexpr T from_big_endian(T value) {
  return std::endian::native == std::endian::little ? std::byteswap(value) : value;
}

inline std::uint16_t load_be16(const std::byte* at) {
  std::uint16_t value;
  std::memcpy(&value, at, sizeof value);
  return from_big_endian(value);
}
inline std::uint32_t load_be32(const std::byte* at) {
  std::uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return from_big_endian(value);
}
inline void store_be16(std::byte* at, std::uint16_t value) {
  value = from_big_endian(value);
  std::memcpy(at, &value, sizeof value);
}
inline void store_be32(std::byte* at, std::uint32_t value) {
  value = from_big_endian(value);
  std::memcpy(at, &value, sizeof value);
}

}  // namespace handfast::base
