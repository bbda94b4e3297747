// Interrupt: SIGINT and SIGTERM for a program with a runtime. The first asks the program to end in
// order; the second asks the runtime to stop at once.
#pragma once

#include "handfast/runtime.hpp"

namespace handfast::apps {

class Interrupt {
 public:
  // Handles both signals from now on; one object a process. `runtime` outlives it.
  explicit Interrupt(Runtime& runtime);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  bool asked() const;        // at least once
  bool asked_again() const;  // at least twice
};

}  // namespace handfast::apps
