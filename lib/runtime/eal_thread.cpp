#include "runtime/eal_thread.hpp"

#include <rte_lcore.h>

namespace handfast::runtime {

EalThread::EalThread() : is_registered_(rte_thread_register() == 0) {}

EalThread::~EalThread() {
  if (is_registered_) rte_thread_unregister();
}

}  // namespace handfast::runtime
