// Tick: the coarse time of deadlines kept in records: 4 bytes, 65.536 us apart, wrapping after 78
// hours. Ordered by signed difference, so deadlines lie at most 39 hours away. 0 means none.
#pragma once

#include <cstdint>

#include "handfast/time.hpp"

namespace handfast::base {

using Tick = std::uint32_t;

inline constexpr Tick kNoTick = 0;
inline constexpr int kTickShift = 16;  // nanoseconds to ticks
inline constexpr Duration kDeadlineMax = std::chrono::hours(24);

// 0 is skipped: at the wrap a tick lasts twice as long.
constexpr Tick tick_from_raw(std::int64_t raw) {
  const auto low = static_cast<Tick>(raw);
  return low == kNoTick ? 1 : low;
}
// The tick that `now` lies in.
constexpr Tick tick_of(Instant now) {
  return tick_from_raw(now.ns() >> kTickShift);
}
// The first tick that begins at or after `at`: a deadline filed there never fires early.
constexpr Tick tick_at_or_after(Instant at) {
  return tick_from_raw((at.ns() + (std::int64_t{1} << kTickShift) - 1) >> kTickShift);
}
constexpr std::uint32_t ticks_in(Duration d) {
  return static_cast<std::uint32_t>((d.count() + (std::int64_t{1} << kTickShift) - 1) >>
                                    kTickShift);
}
constexpr bool is_due(Tick deadline, Tick now) {
  return deadline != kNoTick && static_cast<std::int32_t>(now - deadline) >= 0;
}
// The earlier of two deadlines, either of which may be none.
constexpr Tick earlier_of(Tick a, Tick b) {
  if (a == kNoTick) return b;
  if (b == kNoTick) return a;
  return static_cast<std::int32_t>(a - b) <= 0 ? a : b;
}

// A record's place in the timer wheel (lib/timer). Zero at first, and kept when the record is
// freed: the wheel's entry belongs to the record, not to one use of it.
struct TimerNode {
  Tick deadline = kNoTick;
  Tick filed = kNoTick;  // when the entry that counts comes round; none: there is no entry

  bool is_armed() const { return deadline != kNoTick; }
};
static_assert(sizeof(TimerNode) == 8);

}  // namespace handfast::base
