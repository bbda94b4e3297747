// Input: a fuzzer's bytes as a source of choices. Past their end it says zero, so that each prefix
// of an input is an input too. Used by every target of this folder.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "handfast/handler.hpp"

namespace handfast::fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : left_(data, size) {}

  bool is_empty() const { return left_.empty(); }
  std::size_t size() const { return left_.size(); }

  std::uint8_t byte() {
    if (left_.empty()) return 0;
    const std::uint8_t value = left_.front();
    left_ = left_.subspan(1);
    return value;
  }
  std::uint16_t half() { return static_cast<std::uint16_t>(byte() << 8 | byte()); }
  std::uint32_t word() { return std::uint32_t{half()} << 16 | half(); }
  bool flag() { return (byte() & 1) != 0; }
  // From 0 to `count` - 1; `count` is at least 1 and at most 256.
  std::size_t below(std::size_t count) { return byte() % count; }
  std::int32_t small() { return static_cast<std::int8_t>(byte()); }
  template <class T, std::size_t N>
  T pick(const std::array<T, N>& from) {
    return from[below(N)];
  }
  // At most so many; the copy lies in memory of its own, so that its ends are guarded.
  std::vector<std::byte> bytes(std::size_t count) {
    const auto taken = std::as_bytes(left_.first(std::min(count, left_.size())));
    left_ = left_.subspan(taken.size());
    return {taken.begin(), taken.end()};
  }
  std::vector<std::byte> rest() { return bytes(left_.size()); }

 private:
  std::span<const std::uint8_t> left_;
};

// A target that is a model of something: takes steps as long as there is input, and is checked at
// the end.
template <class Model>
int run_model(const std::uint8_t* data, std::size_t size) {
  constexpr int kStepsMax = 500;
  Input input(data, size);
  Model model(input);
  for (int i = 0; i < kStepsMax && !input.is_empty(); ++i) model.step();
  model.check();
  return 0;
}

}  // namespace handfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
