#include "wire/checksum.hpp"

namespace handfast::wire {
namespace {

constexpr std::size_t kWord = sizeof(std::uint64_t);
constexpr std::size_t kBlock = 4 * kWord;

// Four words at once: four chains of carries that do not wait for one another.
class BlockSum {
 public:
  void add(const std::array<std::uint64_t, 4>& words) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      lanes_[i] = add_with_carry(lanes_[i], words[i]);
    }
  }
  std::uint64_t total() const {
    return add_with_carry(add_with_carry(lanes_[0], lanes_[1]),
                          add_with_carry(lanes_[2], lanes_[3]));
  }

 private:
  std::array<std::uint64_t, 4> lanes_{};
};

}  // namespace

std::uint64_t sum_bulk(Bytes bytes) {
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  BlockSum blocks;
  for (; left >= kBlock; left -= kBlock, at += kBlock) {
    blocks.add(load_native<std::array<std::uint64_t, 4>>(at));
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
    const auto words = load_native<std::array<std::uint64_t, 4>>(at);
    std::memcpy(to, words.data(), kBlock);
    blocks.add(words);
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
