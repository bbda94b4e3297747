// LargeFrame: several TCP segments that a port received as one frame, in a chain of buffers with
// the headers in the first. A port does so whose peer on the same host leaves the cutting to
// others (net_vhost with tso=1). It gives the frames that the peer's port would have made of it.
// Used by EthdevQueue; it knows nothing of mbufs, so that tests need none.
#pragma once

#include <optional>
#include <span>

#include "base/packet.hpp"
#include "wire/tcp_layout.hpp"

namespace handfast::drivers {

class LargeFrame {
 public:
  // Cuts the frame in `parts` into IP packets of at most `mtu` bytes. `parts` is borrowed while
  // this is used. Nothing when it is not TCP or not whole, or its headers leave no room in a
  // packet.
  static std::optional<LargeFrame> create(std::span<const base::Packet> parts, std::uint16_t mtu);

  // A frame without text is one segment.
  bool is_done() const { return is_done_; }
  // Makes a fresh packet, with room for the headers and a segment, the next frame. Headers are the
  // large one's but for lengths, sequence number and those flags that belong to its first (CWR, RFC
  // 3168 section 6.1.2) or last (FIN, PSH) segment. Only IPv4's checksum is right: the port has
  // vouched for TCP's, of the whole.
  void next(base::Packet& out);

 private:
  LargeFrame(std::span<const base::Packet> parts, const wire::TcpLayout& layout,
             std::uint32_t segment_size);
  void copy_text(std::byte* to, std::uint32_t length);

  std::span<const base::Packet> parts_;
  wire::TcpLayout layout_;
  std::uint32_t segment_size_;
  std::uint32_t text_length_;
  std::uint32_t text_done_ = 0;
  std::size_t part_ = 0;  // where the next segment's text begins
  std::uint32_t at_;
  bool is_done_ = false;
};

}  // namespace handfast::drivers
