// Segmentation: the software model of TSO, what a device does with a TCP frame longer than the line
// takes. Used by LinkPort; a DPDK port's device has its own.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "wire/tcp_layout.hpp"

namespace handfast::drivers {

class Segmentation {
 public:
  // Cuts the text of `frame` every `segment_size` bytes (not 0). The frame is whole, with the
  // pseudo-header's sum without length in its TCP checksum field, and is borrowed while this is
  // used.
  Segmentation(base::Bytes frame, const wire::TcpLayout& layout, std::uint16_t segment_size);

  // A frame without text is one segment.
  bool is_done() const { return is_done_; }
  // Writes the next frame to the front of `out`, which has room for `frame`'s headers and a
  // segment; returns the frame. Headers are the large frame's but for lengths, sequence number,
  // checksums and those flags that belong to its first (CWR, RFC 3168 section 6.1.2) or last (FIN,
  // PSH) segment.
  base::Bytes next(base::MutableBytes out);

 private:
  void adapt_ip(base::MutableBytes out) const;
  void adapt_tcp(base::MutableBytes out, bool is_last) const;

  base::Bytes frame_;
  wire::TcpLayout layout_;
  std::uint32_t segment_size_;
  std::uint32_t end_;
  std::uint32_t at_;  // where the next segment's text begins
  std::uint16_t index_ = 0;
  bool is_done_ = false;
};

}  // namespace handfast::drivers
