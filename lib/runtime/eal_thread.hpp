// EalThread: makes the calling thread known to EAL for as long as it lives, so that it has a packet
// cache of its own in every pool. For threads that are not workers of a runtime; these see to it
// themselves.
#pragma once

namespace handfast::runtime {

class EalThread {
 public:
  EalThread();
  EalThread(const EalThread&) = delete;
  EalThread& operator=(const EalThread&) = delete;
  ~EalThread();

  // False: EAL has no number left for it, and its calls are slower.
  bool is_registered() const { return is_registered_; }

 private:
  bool is_registered_;
};

}  // namespace handfast::runtime
