// Flow: one connection of a script, as the peer knows it: its ports, where both sides' numbers
// begin, and what has been seen of it. It makes the script's numbers real ones and back.
#pragma once

#include <deque>

#include "base/segment.hpp"
#include "base/seq.hpp"
#include "tests/script/runner/end.hpp"
#include "wire/frame.hpp"
#include "wire/tcp.hpp"

namespace handfast::script {

// A segment that the stack has sent; the views point into `bytes`.
struct Seen {
  FrameBytes bytes;
  Duration at{0};
  wire::Frame frame{};
  wire::TcpPorts ports;
  base::Segment segment;
};

struct Flow {
  // Near the end, so that every script's numbers wrap.
  static constexpr base::Seq kPeerIss{0xffffff80};

  FlowPorts ports;
  base::Seq local_iss{0x01000000};  // of a stack that has sent no SYN
  bool knows_local_iss = false;
  std::int64_t peer_syn = 0;    // number of the peer's last SYN: its text begins behind it
  std::uint64_t delivered = 0;  // of that text, to the application
  std::uint32_t ts_value = 0;   // the stack's last TSval
  std::deque<Seen> seen;        // and not expected yet

  base::Seq to_local(std::int64_t number) const {
    return local_iss + static_cast<std::uint32_t>(number);
  }
  base::Seq to_peer(std::int64_t number) const {
    return kPeerIss + static_cast<std::uint32_t>(number);
  }
  std::int64_t from_local(base::Seq seq) const {
    return static_cast<std::int32_t>(seq - local_iss);
  }
  std::int64_t from_peer(base::Seq seq) const { return static_cast<std::int32_t>(seq - kPeerIss); }
};

// A segment of the stack's in the script's own words.
std::string describe(const Seen& seen, const Flow& flow);

}  // namespace handfast::script
