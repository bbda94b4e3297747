// FrameSink: where this layer's own frames go, and where it gets and returns their buffers. It is
// not a device: the stack implements it over the burst it is filling and its packet cache.
#pragma once

#include "base/packet.hpp"

namespace handfast::net {

class FrameSink {
 public:
  FrameSink() = default;
  FrameSink(const FrameSink&) = delete;
  FrameSink& operator=(const FrameSink&) = delete;
  virtual ~FrameSink() = default;

  // Takes ownership of a finished frame.
  virtual void send(const base::Packet& frame) = 0;
  // False when the pool is dry; a fresh packet has length 0 and kPacketHeadroom before `data`.
  virtual bool allocate(base::Packet& out) = 0;
  // Gives back a frame that will not be sent.
  virtual void free(const base::Packet& frame) = 0;
};

}  // namespace handfast::net
