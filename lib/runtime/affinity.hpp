// Which CPUs the process may use, and putting a thread on one of them.
#pragma once

#include <vector>

namespace handfast::runtime {

// The calling thread's CPUs in rising order; never empty.
std::vector<unsigned> allowed_cpus();

// False when the system refuses: no such CPU, or not allowed.
bool pin_this_thread(unsigned cpu);

// Puts the calling thread back on the CPUs it had when this was made.
class AffinityGuard {
 public:
  AffinityGuard() : cpus_(allowed_cpus()) {}
  AffinityGuard(const AffinityGuard&) = delete;
  AffinityGuard& operator=(const AffinityGuard&) = delete;
  ~AffinityGuard();

 private:
  std::vector<unsigned> cpus_;
};

}  // namespace handfast::runtime
