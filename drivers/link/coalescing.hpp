// Coalescing: the software model of LRO, what a device does that hands its host one large TCP frame
// for several that arrived behind each other. Used by LinkPort, one for each frame that it hands
// out.
#pragma once

#include <cstdint>

#include "base/packet.hpp"
#include "wire/tcp_layout.hpp"

namespace handfast::drivers {

class Coalescing {
 public:
  // Begins with the frame in `packet`, which can grow to `room` bytes. Both checksums are verified,
  // and the packet says so if they are right.
  Coalescing(base::Packet& packet, std::size_t room);

  // Appends the text of `frame` if it is the next of the same flow and would leave as one frame
  // with what is here: the same headers but for lengths, checksums and newer timestamps, text, and
  // no flag beside ACK and ECE. PSH and FIN are taken and end the merge. False: it is a frame of
  // its own.
  bool append(base::Bytes frame);
  // To be called once, when no more follow: writes length and checksums.
  void finish();

 private:
  bool continues(base::Bytes frame, const wire::TcpLayout& layout) const;
  bool has_like_options(base::Bytes frame) const;
  base::Packet& packet_;
  std::size_t room_;
  wire::TcpLayout layout_{};
  std::uint32_t next_seq_ = 0;
  bool is_open_ = false;  // more may follow
  bool is_merged_ = false;
};

}  // namespace handfast::drivers
