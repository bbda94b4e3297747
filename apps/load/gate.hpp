// Gate: where the client workers of a run wait for each other. It opens when every one has the
// connections it is to have before the measured work begins. The only thing that they share.
#pragma once

#include <atomic>

namespace handfast::load {

class Gate {
 public:
  explicit Gate(unsigned workers) : missing_(workers) {}

  // Once for each worker.
  void arrive() { missing_.fetch_sub(1, std::memory_order_relaxed); }
  bool is_open() const { return missing_.load(std::memory_order_relaxed) == 0; }
  // One cannot have its connections: the work is not to begin on any.
  void give_up() { is_given_up_.store(true, std::memory_order_relaxed); }
  bool is_given_up() const { return is_given_up_.load(std::memory_order_relaxed); }

 private:
  std::atomic<unsigned> missing_;
  std::atomic<bool> is_given_up_{false};
};

}  // namespace handfast::load
