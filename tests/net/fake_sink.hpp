// A FrameSink over heap buffers that keeps what is sent and counts what is out, and ARP's view of
// a kept frame. For the tests of this folder.
#pragma once

#include <cstring>
#include <memory>
#include <vector>

#include "net/frame_sink.hpp"
#include "wire/arp.hpp"

namespace handfast::net {

class FakeSink final : public FrameSink {
 public:
  ~FakeSink() override { clear(); }

  void send(const base::Packet& frame) override { sent.push_back(frame); }
  bool allocate(base::Packet& out) override {
    if (dry) return false;
    auto buffer = std::make_unique<Buffer>();
    out =
        base::Packet{.data = buffer->bytes.data() + base::kPacketHeadroom, .buffer = buffer.get()};
    (void)buffer.release();
    ++outstanding;
    return true;
  }
  void free(const base::Packet& frame) override {
    delete static_cast<Buffer*>(frame.buffer);
    --outstanding;
  }
  // Frees what was sent, as a device would.
  void clear() {
    for (const base::Packet& frame : sent) free(frame);
    sent.clear();
  }

  std::vector<base::Packet> sent;
  int outstanding = 0;
  bool dry = false;

 private:
  struct Buffer {
    std::array<std::byte, 2048> bytes{};
  };
};

inline base::MacAddress destination_of(const base::Packet& frame) {
  base::MacAddress mac;
  std::memcpy(mac.data(), frame.data, mac.size());
  return mac;
}

inline base::MacAddress source_of(const base::Packet& frame) {
  base::MacAddress mac;
  std::memcpy(mac.data(), frame.data + 6, mac.size());
  return mac;
}

// Of an untagged frame; a default Arp if it is none.
inline wire::Arp arp_of(const base::Packet& frame) {
  wire::Arp arp;
  if (base::load_be16(frame.data + 12) != wire::kEtherTypeArp ||
      wire::parse_arp(frame.bytes().subspan(wire::kEthernetHeaderSize), arp) != wire::Drop::none) {
    return {};
  }
  return arp;
}

}  // namespace handfast::net
