// FailingMemory: makes a chosen request for memory fail, of those that operator new and mmap get
// while one of these lives. Programs that use it link failing_memory.cpp and wrap mmap
// (-Wl,--wrap=mmap).
#pragma once

#include <cstddef>

namespace handfast::test {

class FailingMemory {
 public:
  enum class Then { succeeds, fails };

  // Request number `first`, counted from 0 and over all threads, fails, and those after it do as
  // `then` says.
  FailingMemory(std::size_t first, Then then);
  ~FailingMemory();
  FailingMemory(const FailingMemory&) = delete;
  FailingMemory& operator=(const FailingMemory&) = delete;

  // Whether a request has failed.
  bool has_failed() const;
  // One more request, which is to fail: for what takes memory by other ways.
  static bool refuses();
};

}  // namespace handfast::test
