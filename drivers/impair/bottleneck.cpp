#include "drivers/impair/bottleneck.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace handfast::drivers {
namespace {

bool is_above(const QueueLevel& level, const QueueLevel& bound) {
  return (bound.bytes != 0 && level.bytes > bound.bytes) ||
         (bound.frames != 0 && level.frames > bound.frames);
}

}  // namespace

Bottleneck::Bottleneck(const Impairment& impairment, std::size_t frames_max)
    : bits_per_second_(impairment.bits_per_second),
      queue_max_(impairment.queue_max),
      ce_threshold_(impairment.ce_threshold),
      waiting_(bits_per_second_ == 0 ? 0 : frames_max) {}

Bottleneck::Passage Bottleneck::admit(Instant now, std::uint32_t length) {
  if (bits_per_second_ == 0) return {.departure = now};
  leave(now);
  const QueueLevel with_it{level_.bytes + length, level_.frames + 1};
  if (is_above(with_it, queue_max_)) return {.is_dropped = true};
  Passage passage{.is_congested = is_above(level_, ce_threshold_),
                  .departure = serialise(now, length)};
  HANDFAST_DEBUG_ASSERT(level_.frames < waiting_.size());
  std::size_t at = head_ + level_.frames;
  if (at >= waiting_.size()) at -= waiting_.size();
  waiting_[at] = {passage.departure, length};
  level_ = with_it;
  peak_.bytes = std::max(peak_.bytes, level_.bytes);
  peak_.frames = std::max(peak_.frames, level_.frames);
  return passage;
}

void Bottleneck::leave(Instant now) {
  while (level_.frames > 0 && waiting_[head_].departure <= now) {
    level_.bytes -= waiting_[head_].length;
    --level_.frames;
    if (++head_ == waiting_.size()) head_ = 0;
  }
}

Instant Bottleneck::serialise(Instant now, std::uint32_t length) {
  constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
  if (line_free_ < now) {
    line_free_ = now;
    remainder_ = 0;
  }
  const std::uint64_t scaled = std::uint64_t{length} * 8 * kNsPerSecond + remainder_;
  line_free_ = line_free_ + Duration{static_cast<std::int64_t>(scaled / bits_per_second_)};
  remainder_ = scaled % bits_per_second_;
  return line_free_;
}

}  // namespace handfast::drivers
