#include "runtime/affinity.hpp"

#include <pthread.h>
#include <sched.h>

#include <span>

namespace handfast::runtime {
namespace {

bool set_cpus(std::span<const unsigned> cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const unsigned cpu : cpus) {
    if (cpu >= CPU_SETSIZE) return false;
    CPU_SET(cpu, &set);
  }
  return pthread_setaffinity_np(pthread_self(), sizeof set, &set) == 0;
}

}  // namespace

std::vector<unsigned> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<unsigned> cpus;
  if (pthread_getaffinity_np(pthread_self(), sizeof set, &set) == 0) {
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    }
  }
  if (cpus.empty()) cpus.push_back(0);  // more CPUs than a cpu_set_t can name
  return cpus;
}

bool pin_this_thread(unsigned cpu) {
  return set_cpus({&cpu, 1});
}

AffinityGuard::~AffinityGuard() {
  set_cpus(cpus_);
}

}  // namespace handfast::runtime
