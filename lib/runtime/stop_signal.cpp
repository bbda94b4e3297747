#include "runtime/stop_signal.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>

namespace handfast::runtime {

bool StopSignal::wait(Duration timeout) {
  constexpr std::int64_t kNsPerSecond = 1'000'000'000;
  constexpr Duration kLongest = std::chrono::hours(24 * 365);  // a deadline that cannot overflow
  const auto ns = std::clamp(timeout, Duration::zero(), kLongest).count();
  timespec until{};
  ::clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += (until.tv_nsec + ns) / kNsPerSecond;
  until.tv_nsec = (until.tv_nsec + ns) % kNsPerSecond;
  while (!is_set_.load(std::memory_order_relaxed)) {
    if (::sem_clockwait(&semaphore_, CLOCK_MONOTONIC, &until) != 0 && errno != EINTR) {
      return is_set_.load(std::memory_order_relaxed);
    }
    // Passed on to the next who waits.
    if (is_set_.load(std::memory_order_relaxed)) ::sem_post(&semaphore_);
  }
  return true;
}

}  // namespace handfast::runtime
