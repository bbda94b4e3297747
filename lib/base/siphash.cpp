#include "base/siphash.hpp"

#include <bit>
#include <cstring>

namespace handfast::base {
namespace {

constexpr std::uint64_t little_endian(std::uint64_t word) {
  return std::endian::native == std::endian::little ? word : std::byteswap(word);
}

// The four words of state, named as in the paper's section 2.
struct SipState {
  std::uint64_t v0, v1, v2, v3;

  explicit SipState(const SipKey& key)
      : v0(key[0] ^ 0x736f6d6570736575),
        v1(key[1] ^ 0x646f72616e646f6d),
        v2(key[0] ^ 0x6c7967656e657261),
        v3(key[1] ^ 0x7465646279746573) {}

  void round() {
    v0 += v1;
    v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = std::rotl(v1, 17) ^ v2;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 = std::rotl(v2, 32);
  }
  void compress(std::uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
  std::uint64_t finish() {
    v2 ^= 0xff;
    round();
    round();
    round();
    round();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

}  // namespace

std::uint64_t siphash(const SipKey& key, std::span<const std::byte> message) {
  SipState state(key);
  const std::byte* at = message.data();
  std::size_t left = message.size();
  for (; left >= 8; left -= 8, at += 8) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    state.compress(little_endian(word));
  }
  // The last word: what is left, and the length modulo 256 in the highest byte.
  std::uint64_t last = std::uint64_t{message.size() & 0xff} << 56;
  for (std::size_t i = 0; i < left; ++i) {
    last |= std::to_integer<std::uint64_t>(at[i]) << (8 * i);
  }
  state.compress(last);
  return state.finish();
}

std::uint64_t siphash(const SipKey& key, std::uint64_t first, std::uint64_t second) {
  SipState state(key);
  state.compress(little_endian(first));
  state.compress(little_endian(second));
  state.compress(std::uint64_t{16} << 56);
  return state.finish();
}

}  // namespace handfast::base
