// Seq: a TCP sequence number (RFC 9293 section 3.4). It has no `<`: order modulo 2^32 is not
// transitive, so sorting by it would be a bug. The named comparisons hold for numbers less than
// 2^31 apart.
#pragma once

#include <cstdint>

namespace handfast::base {

class Seq {
 public:
  constexpr Seq() = default;
  constexpr explicit Seq(std::uint32_t raw) : raw_(raw) {}

  constexpr std::uint32_t raw() const { return raw_; }
  constexpr Seq operator+(std::uint32_t n) const { return Seq{raw_ + n}; }
  constexpr Seq operator-(std::uint32_t n) const { return Seq{raw_ - n}; }
  constexpr Seq& operator+=(std::uint32_t n) {
    raw_ += n;
    return *this;
  }
  // How far this number is ahead of `other`, modulo 2^32.
  constexpr std::uint32_t operator-(Seq other) const { return raw_ - other.raw_; }
  constexpr bool operator==(const Seq&) const = default;

  constexpr bool is_before(Seq other) const {
    return static_cast<std::int32_t>(raw_ - other.raw_) < 0;
  }
  constexpr bool is_after(Seq other) const { return other.is_before(*this); }
  constexpr bool is_at_or_before(Seq other) const { return !other.is_before(*this); }
  constexpr bool is_at_or_after(Seq other) const { return !is_before(other); }
  // first =< this < first + length.
  constexpr bool is_within(Seq first, std::uint32_t length) const {
    return raw_ - first.raw_ < length;
  }

 private:
  std::uint32_t raw_ = 0;
};

constexpr Seq later_of(Seq a, Seq b) {
  return a.is_before(b) ? b : a;
}

}  // namespace handfast::base
