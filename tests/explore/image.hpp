// Image: a whole world as a row of words: every byte of its records that can matter, and nothing
// that cannot (pointers become positions, buffers become their text). Equal worlds have equal
// images, whatever way led to them: that is what makes two states one. Sequence numbers start where
// the rules say, so they are the same on every path. Time is kept as it is: two states that differ
// only in when they happen are two.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "base/assert.hpp"

namespace handfast::explore {

inline constexpr std::size_t kImageWords = 1024;

class Image {
 public:
  std::span<const std::uint64_t> words() const { return {words_.data(), size_}; }
  void clear() { size_ = 0; }

  // Rounded up to whole words, filled with zeros.
  void put_bytes(const void* bytes, std::size_t length) {
    const std::size_t count = (length + 7) / 8;
    HANDFAST_ASSERT(size_ + count <= kImageWords);
    words_[size_ + count - (count > 0 ? 1 : 0)] = 0;
    std::memcpy(&words_[size_], bytes, length);
    size_ += count;
  }
  template <class T>
  void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    put_bytes(&value, sizeof value);
  }
  // For unpack().
  void put_word(std::uint64_t word) {
    HANDFAST_ASSERT(size_ < kImageWords);
    words_[size_++] = word;
  }

 private:
  std::size_t size_ = 0;
  std::array<std::uint64_t, kImageWords> words_;
};

class ImageReader {
 public:
  explicit ImageReader(const Image& image) : words_(image.words()) {}

  void take_bytes(void* bytes, std::size_t length) {
    const std::size_t count = (length + 7) / 8;
    HANDFAST_ASSERT(at_ + count <= words_.size());
    std::memcpy(bytes, words_.data() + at_, length);
    at_ += count;
  }
  template <class T>
  T take() {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    take_bytes(&value, sizeof value);
    return value;
  }
  bool is_at_end() const { return at_ == words_.size(); }

 private:
  std::span<const std::uint64_t> words_;
  std::size_t at_ = 0;
};

// 128 bits of an image: two states are taken for one when these are equal. Neither half is 0.
struct Digest {
  std::uint64_t high;
  std::uint64_t low;
  bool operator==(const Digest&) const = default;
};
Digest digest_of(const Image& image);

// The image without its zero words, which are more than half: for each 64 words one that says which
// are there. Returns the words written; `out` has room for kPackedMax.
inline constexpr std::size_t kPackedMax = kImageWords + kImageWords / 64 + 1;
std::size_t pack(const Image& image, std::uint64_t* out);
// Returns the words read.
std::size_t unpack(const std::uint64_t* packed, Image& image);

}  // namespace handfast::explore
