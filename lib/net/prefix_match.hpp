// PrefixMatch: a prefix in the form a comparison wants, for questions asked of every frame. It
// neither parses nor prints; made from a Prefix at start.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "handfast/address.hpp"

namespace handfast::net {

class PrefixMatch {
 public:
  explicit constexpr PrefixMatch(const Prefix& prefix) : is_v4_(prefix.network.is_v4()) {
    // An IPv4-mapped address begins with 96 bits that all of its family share.
    const unsigned bits = prefix.length + (is_v4_ ? 96U : 0U);
    std::array<std::uint8_t, 16> mask{};
    for (unsigned i = 0; i < bits; ++i) {
      mask[i / 8] = static_cast<std::uint8_t>(mask[i / 8] | 0x80U >> i % 8);
    }
    mask_ = std::bit_cast<Words>(mask);
    network_ = std::bit_cast<Words>(prefix.network.bytes());
    network_[0] &= mask_[0];
    network_[1] &= mask_[1];
  }

  constexpr bool operator==(const PrefixMatch&) const = default;

  constexpr bool contains(const Address& address) const {
    const auto words = std::bit_cast<Words>(address.bytes());
    const std::uint64_t difference =
        ((words[0] & mask_[0]) ^ network_[0]) | ((words[1] & mask_[1]) ^ network_[1]);
    // Mapped IPv4 addresses lie inside ::/0 as numbers, but are of the other family.
    return difference == 0 && address.is_v4() == is_v4_;
  }

 private:
  using Words = std::array<std::uint64_t, 2>;
  Words network_;
  Words mask_;
  bool is_v4_;
};

}  // namespace handfast::net
