// StopSignal: set once, from anywhere, a signal handler included; whoever waits for it wakes.
#pragma once

#include <semaphore.h>

#include <atomic>

#include "handfast/time.hpp"

namespace handfast::runtime {

class StopSignal {
 public:
  StopSignal() { ::sem_init(&semaphore_, 0, 0); }
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;
  ~StopSignal() { ::sem_destroy(&semaphore_); }

  // Async-signal-safe.
  void set() {
    is_set_.store(true, std::memory_order_relaxed);
    ::sem_post(&semaphore_);
  }
  // Until it is set or `timeout` has passed; true in the first case. By several threads at once.
  bool wait(Duration timeout);

 private:
  static_assert(std::atomic<bool>::is_always_lock_free);
  std::atomic<bool> is_set_{false};
  sem_t semaphore_;
};

}  // namespace handfast::runtime
