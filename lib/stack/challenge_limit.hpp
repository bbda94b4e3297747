// ChallengeLimit: how often a stack answers with a challenge ACK (RFC 5961 section 7). It knows no
// connection but by the number of its record, and decides nothing but whether one more may go.
//
// One number for all connections would be a way to look into the others' (CVE-2016-5696): who has a
// connection of his own draws as many as there are in a second, and sees by the one that is missing
// that a segment forged in another's name was answered too. So the bound that is met is each
// record's own, as with Linux's tcp_invalid_ratelimit. The stack's stands behind it for whoever
// opens a thousand, and is drawn anew for each second with a key: one more or less tells nothing.
#pragma once

#include <cstdint>

#include "base/mapped_array.hpp"
#include "base/siphash.hpp"
#include "base/tick.hpp"
#include "handfast/time.hpp"

namespace handfast::stack {

class ChallengeLimit {
 public:
  static constexpr Duration kInterval = std::chrono::milliseconds(500);  // of a record
  // Of the stack: at least so many a second, and fewer than so many and these.
  static constexpr std::uint32_t kLeast = 500;
  static constexpr std::uint32_t kSpread = 1000;

  // Where no record is challenged no memory is touched.
  [[nodiscard]] bool reserve(std::uint32_t records, const base::SipKey& secret) {
    secret_ = secret;
    return marks_.reserve(records);
  }

  // `generation` is the record's: what its place held before does not count.
  bool take(std::uint32_t record, std::uint32_t generation, Instant now) {
    Mark& mark = marks_[record];
    const base::Tick tick = base::tick_of(now);
    if (mark.generation == generation && tick - mark.at < base::ticks_in(kInterval)) return false;
    if (!take_of_all(now)) return false;
    mark = {.generation = generation, .at = tick};
    return true;
  }

  std::uint32_t quantum(std::uint64_t second) const {
    return kLeast + static_cast<std::uint32_t>(base::siphash(secret_, kPurpose, second) % kSpread);
  }

 private:
  struct Mark {
    std::uint32_t generation;  // of a record in use it is odd: 0 is nobody's
    base::Tick at;
  };
  static constexpr std::uint64_t kPurpose = 0x5961;

  bool take_of_all(Instant now) {
    const auto second = static_cast<std::uint64_t>(now.ns() / 1'000'000'000);
    if (second != second_) {
      second_ = second;
      left_ = quantum(second);
    }
    if (left_ == 0) return false;
    --left_;
    return true;
  }

  base::MappedArray<Mark> marks_;
  base::SipKey secret_{};
  std::uint64_t second_ = ~std::uint64_t{0};
  std::uint32_t left_ = 0;
};

}  // namespace handfast::stack
