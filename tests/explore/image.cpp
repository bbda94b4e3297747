#include "tests/explore/image.hpp"

#include <bit>

namespace handfast::explore {

namespace {

constexpr std::uint64_t kOdd1 = 0x9e37'79b9'7f4a'7c15;
constexpr std::uint64_t kOdd2 = 0xd1b5'4a32'd192'ed03;

// Every bit of the argument reaches every bit of the result.
std::uint64_t finish(std::uint64_t x) {
  x = (x ^ (x >> 32)) * kOdd1;
  x = (x ^ (x >> 29)) * kOdd2;
  x ^= x >> 32;
  return x == 0 ? 1 : x;
}

}  // namespace

// Two different hashes, each of which loses nothing at any step: for every word it maps what came
// before one to one.
Digest digest_of(const Image& image) {
  std::uint64_t a = image.words().size();
  std::uint64_t b = ~a;
  for (const std::uint64_t word : image.words()) {
    a = (a ^ word) * kOdd1;
    a ^= a >> 32;
    b = (std::rotl(b, 27) + word) * kOdd2;
    b ^= b >> 29;
  }
  return {finish(a), finish(b ^ kOdd1)};
}

std::size_t pack(const Image& image, std::uint64_t* out) {
  const auto words = image.words();
  std::size_t n = 0;
  out[n++] = words.size();
  for (std::size_t first = 0; first < words.size(); first += 64) {
    std::uint64_t& present = out[n++];
    present = 0;
    for (std::size_t i = first; i < std::min(words.size(), first + 64); ++i) {
      if (words[i] == 0) continue;
      present |= std::uint64_t{1} << (i - first);
      out[n++] = words[i];
    }
  }
  return n;
}

std::size_t unpack(const std::uint64_t* packed, Image& image) {
  image.clear();
  std::size_t n = 0;
  const std::size_t count = packed[n++];
  std::uint64_t present = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (i % 64 == 0) present = packed[n++];
    image.put_word((present >> (i % 64) & 1) != 0 ? packed[n++] : 0);
  }
  return n;
}

}  // namespace handfast::explore
