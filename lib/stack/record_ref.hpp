// RecordRef: which record a flow has, in the 32 bits that the flow table keeps: two for the kind,
// thirty for its index.
#pragma once

#include <cstdint>

#include "base/assert.hpp"

namespace handfast::stack {

enum class RecordKind : std::uint8_t { connection = 0, half_open = 1, time_wait = 2, none = 3 };

inline constexpr std::uint32_t kRecordIndexEnd = 1U << 30;

class RecordRef {
 public:
  constexpr RecordRef() = default;  // none
  constexpr RecordRef(RecordKind kind, std::uint32_t index)
      : raw_(static_cast<std::uint32_t>(kind) << 30 | index) {
    HANDFAST_DEBUG_ASSERT(index < kRecordIndexEnd);
  }
  static constexpr RecordRef from_raw(std::uint32_t raw) {
    RecordRef ref;
    ref.raw_ = raw;
    return ref;
  }
  constexpr std::uint32_t raw() const { return raw_; }
  constexpr RecordKind kind() const { return static_cast<RecordKind>(raw_ >> 30); }
  constexpr std::uint32_t index() const { return raw_ & (kRecordIndexEnd - 1); }

 private:
  std::uint32_t raw_ = 0xffffffff;
};

}  // namespace handfast::stack
