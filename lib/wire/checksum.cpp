#include "wire/checksum.hpp"

namespace handfast::wire {
namespace {

// What every x86-64 has a register for, and other processors too; the compiler sees to the rest.
using Lanes [[gnu::vector_size(16)]] = std::uint64_t;

constexpr std::size_t kWord = sizeof(std::uint64_t);
constexpr std::size_t kBlock = 2 * sizeof(Lanes);

// Sums of words modulo 2^64, and of their upper halves, from which follows what was carried out of
// the first, for up to 16 GB. Two of each, which do not wait for one another.
class BlockSum {
 public:
  void add(const Lanes& first, const Lanes& second) {
    first_ += first;
    first_high_ += first >> 32;
    second_ += second;
    second_high_ += second >> 32;
  }
  std::uint64_t total() const {
    const Lanes high = first_high_ + second_high_;
    const Lanes low = first_ + second_ - (high << 32);
    return add_with_carry(low[0] + high[0], low[1] + high[1]);
  }

 private:
  Lanes first_{};
  Lanes first_high_{};
  Lanes second_{};
  Lanes second_high_{};
};

}  // namespace

std::uint64_t sum_bulk(Bytes bytes) {
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  BlockSum blocks;
  for (; left >= kBlock; left -= kBlock, at += kBlock) {
    blocks.add(load_native<Lanes>(at), load_native<Lanes>(at + sizeof(Lanes)));
  }
  std::uint64_t total = blocks.total();
  for (; left >= kWord; left -= kWord, at += kWord) {
    total = add_with_carry(total, load_native<std::uint64_t>(at));
  }
  return reduce_sum(add_with_carry(total, sum_tail(at, left)));
}

std::uint64_t copy_and_sum(std::byte* to, Bytes from) {
  const std::byte* at = from.data();
  std::size_t left = from.size();
  BlockSum blocks;
  for (; left >= kBlock; left -= kBlock, at += kBlock, to += kBlock) {
    const auto first = load_native<Lanes>(at);
    const auto second = load_native<Lanes>(at + sizeof(Lanes));
    std::memcpy(to, &first, sizeof first);
    std::memcpy(to + sizeof first, &second, sizeof second);
    blocks.add(first, second);
  }
  std::uint64_t total = blocks.total();
  for (; left >= kWord; left -= kWord, at += kWord, to += kWord) {
    const auto word = load_native<std::uint64_t>(at);
    std::memcpy(to, &word, kWord);
    total = add_with_carry(total, word);
  }
  total = add_with_carry(total, sum_tail(at, left));
  for (std::size_t i = 0; i < left; ++i) to[i] = at[i];
  return reduce_sum(total);
}

}  // namespace handfast::wire
