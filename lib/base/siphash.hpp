// SipHash-2-4 (Aumasson and Bernstein 2012): a keyed pseudo-random function for short input.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace handfast::base {

using SipKey = std::array<std::uint64_t, 2>;

std::uint64_t siphash(const SipKey& key, std::span<const std::byte> message);

// The same of two words in memory order, without a loop.
std::uint64_t siphash(const SipKey& key, std::uint64_t first, std::uint64_t second);

}  // namespace handfast::base
