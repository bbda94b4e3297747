// Counter: written by one thread, readable from any. Plain loads and stores, no locked operation.
#pragma once

#include <atomic>
#include <cstdint>

#include "handfast/counters.hpp"

namespace handfast::base {

class Counter {
 public:
  void operator++() { add(1); }
  void operator+=(std::uint64_t n) { add(n); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  [[gnu::always_inline]] void add(std::uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  std::atomic<std::uint64_t> value_{0};
};

// The live form of handfast::Counters.
struct LiveCounters {
#define HANDFAST_COUNTER_MEMBER(name, meaning) Counter name;
  HANDFAST_COUNTERS(HANDFAST_COUNTER_MEMBER)
#undef HANDFAST_COUNTER_MEMBER

  Counters snapshot() const {
    Counters out;
#define HANDFAST_COUNTER_COPY(name, meaning) out.name = name.value();
    HANDFAST_COUNTERS(HANDFAST_COUNTER_COPY)
#undef HANDFAST_COUNTER_COPY
    return out;
  }
};

}  // namespace handfast::base
