// The Internet checksum (RFC 1071): sums of bytes that IPv4, ICMP and TCP headers are guarded by.
// Partial sums are kept in the byte order of memory and carry nothing but their value modulo
// 0xffff; those returned here are below 2^34, so a few thousand of them may be added with `+`. Used
// by this folder's parsers and emitters.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bytes.hpp"
#include "handfast/address.hpp"

namespace handfast::wire {

using base::Bytes;

// Longer than this, bytes are summed out of line.
inline constexpr std::size_t kInlineSumMax = 64;

// Adds with the end-around carry: the sum modulo 2^64 - 1, which 0xffff divides.
constexpr std::uint64_t add_with_carry(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t sum = a + b;
  return sum + (sum < b ? 1 : 0);
}

// Brings any partial sum below 2^33.
constexpr std::uint64_t reduce_sum(std::uint64_t sum) {
  return (sum & 0xffffffff) + (sum >> 32);
}

template <class T>
T load_native(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// The last 0 to 7 bytes of a range; an odd one is padded with a zero behind it.
inline std::uint64_t sum_tail(const std::byte* at, std::size_t size) {
  std::uint64_t total = 0;
  if ((size & 4) != 0) {
    total = load_native<std::uint32_t>(at);
    at += 4;
  }
  if ((size & 2) != 0) {
    total += load_native<std::uint16_t>(at);
    at += 2;
  }
  if ((size & 1) != 0) {
    total += std::bit_cast<std::uint16_t>(std::array<std::byte, 2>{*at, std::byte{0}});
  }
  return total;
}

std::uint64_t sum_bulk(Bytes bytes);

// Partial sum of `bytes`, on top of `start` (any sum below 2^63). A range that another one follows
// must have even length. Cost: O(size).
inline std::uint64_t sum(Bytes bytes, std::uint64_t start = 0) {
  if (bytes.size() > kInlineSumMax) return reduce_sum(start) + sum_bulk(bytes);
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t total = start;
  for (; left >= 8; left -= 8, at += 8) {
    total = add_with_carry(total, load_native<std::uint64_t>(at));
  }
  return reduce_sum(add_with_carry(total, sum_tail(at, left)));
}

// The same of a range whose length is known when this is compiled: loads and additions only.
template <std::size_t kSize>
std::uint64_t sum_of(const std::byte* at, std::uint64_t start = 0) {
  if constexpr (kSize >= 8) {
    return sum_of<kSize - 8>(at + 8, add_with_carry(start, load_native<std::uint64_t>(at)));
  } else {
    return reduce_sum(add_with_carry(start, sum_tail(at, kSize)));
  }
}

// The checksum of a finished sum: complemented, ready to be stored with memcpy as it is. Over bytes
// that contain their own correct checksum it is 0.
constexpr std::uint16_t fold(std::uint64_t sum) {
  // Added to itself with its halves swapped, a word has the sum of both, carry included, in its
  // upper half.
  sum += std::rotl(sum, 32);
  auto half = static_cast<std::uint32_t>(sum >> 32);
  half += std::rotl(half, 16);
  return static_cast<std::uint16_t>(~half >> 16);
}

inline void store_checksum(std::byte* at, std::uint16_t folded) {
  std::memcpy(at, &folded, sizeof folded);
}

// Copies `from` to `to` (they must not overlap) and returns the sum of it, in one pass.
std::uint64_t copy_and_sum(std::byte* to, Bytes from);

// The pseudo-header of TCP and ICMPv6 over either IP version (RFC 9293 section 3.1, RFC 8200
// section 8.1); `length` is that of what follows it in bytes. The ::ffff: before a mapped IPv4
// address is 0xffff, which is zero to this sum: so both versions are summed alike.
[[gnu::always_inline]] inline std::uint64_t pseudo_header_sum(const Address& source,
                                                              const Address& destination,
                                                              std::uint8_t protocol,
                                                              std::uint32_t length) {
  using Words = std::array<std::uint64_t, 2>;
  const auto from = std::bit_cast<Words>(source.bytes());
  const auto to = std::bit_cast<Words>(destination.bytes());
  const std::uint64_t addresses =
      add_with_carry(add_with_carry(from[0], from[1]), add_with_carry(to[0], to[1]));
  return reduce_sum(addresses) + base::from_big_endian(std::uint32_t{protocol}) +
         base::from_big_endian(length);
}

}  // namespace handfast::wire
