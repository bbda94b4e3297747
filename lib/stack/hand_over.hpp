// HandOver: what one worker's stack may ask of the other workers of its port. Implemented by the
// runtime over queues between threads; a lone worker has none.
#pragma once

#include "base/device.hpp"
#include "base/packet.hpp"
#include "handfast/address.hpp"

namespace handfast::stack {

class HandOver {
 public:
  HandOver() = default;
  HandOver(const HandOver&) = delete;
  HandOver& operator=(const HandOver&) = delete;
  virtual ~HandOver() = default;

  // Passes a received frame to the worker at `queue` of the same port, for
  // Stack::input_handed_over(). False when its queue is full: the packet is still the caller's.
  virtual bool hand_over(unsigned queue, const base::Packet& packet) = 0;
  // Tells all other workers of the port, for Stack::learn_neighbour().
  virtual void share_neighbour(const Address& address, const base::MacAddress& mac) = 0;
};

}  // namespace handfast::stack
