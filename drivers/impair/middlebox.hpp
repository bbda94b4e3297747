// MiddleboxDevice: wraps a simulated device and does to its TCP frames what boxes on the way do,
// and networks seldom show: a path that dies and comes back, options taken out, a smaller MSS, a
// NAT that forgets, frames that are too long swallowed, segments forged, and copies that come back
// long after. Every choice comes from the seed. ImpairDevice does what lines do (loss, delay,
// order); the two may be stacked. For simulators: it keeps copies on the heap.
//
//   host side:  receive() and send() of the host
//   line side:  the wrapped device
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/device.hpp"
#include "base/flow_key.hpp"
#include "base/random.hpp"
#include "drivers/impair/tcp_rewrite.hpp"

namespace handfast::drivers {

// Bits of TCP's option kinds, as in MiddleboxConfig.
constexpr std::uint16_t option_bit(std::uint8_t kind) {
  return static_cast<std::uint16_t>(1U << kind);
}

struct Outage {
  Instant from;
  Instant until;
  bool sent = true;  // which directions are dead
  bool received = true;
};

struct MiddleboxConfig {
  std::uint64_t seed = 1;
  // Options taken out of SYNs that the host sends, of those that it receives, and of all segments
  // of either direction: option_bit()s.
  std::uint16_t strip_sent = 0;
  std::uint16_t strip_received = 0;
  std::uint16_t strip_always = 0;
  std::uint16_t mss_max = 0;    // bytes; 0: MSS options pass as they are
  std::uint16_t frame_max = 0;  // longer frames vanish without a word; 0: none do
  std::vector<Outage> outages;
  // Every flow is forgotten when it was silent for so long (0: never), and at these moments. A
  // forgotten one begins again with a SYN only; until then its frames vanish, or get a RST.
  Duration forget_after{0};
  std::vector<Instant> forgets_at;
  bool forgotten_get_reset = false;
  // Probabilities for each TCP frame: a forged RST that either end believes; one that neither may
  // (RFC 5961); a SYN and text, out of nowhere; a copy `echo_after` later.
  double exact_reset = 0;
  double blind_reset = 0;
  double blind_segment = 0;
  double echo = 0;
  Duration echo_after{0};
};

// What was done, for whoever judges what came of it.
struct MiddleboxCounters {
  std::uint64_t swallowed = 0;  // by outages, forgetting and frame_max
  std::uint64_t rewritten = 0;
  std::uint64_t forged = 0;
  std::uint64_t echoed = 0;
};

class MiddleboxDevice final : public base::Device {
 public:
  // `inner` is borrowed. As ImpairDevice, it offers no offloads: a frame is whole, and in one
  // packet.
  MiddleboxDevice(base::Device& inner, const MiddleboxConfig& config);

  const base::DeviceInfo& info() const override { return info_; }
  base::PacketPool& pool() override { return inner_.pool(); }
  std::size_t receive(Instant now, std::span<base::Packet> out) override;
  std::size_t send(Instant now, std::span<const base::Packet> frames) override;
  Instant next_arrival() const override;

  const MiddleboxCounters& counters() const { return counters_; }
  // Whether a RST that an end may believe was forged for this flow of the host's.
  bool has_reset(const base::FlowKey& flow) const;
  // Whether frames of it were kept back for good.
  bool has_forgotten(const base::FlowKey& flow) const;

 private:
  enum class Way : std::uint8_t { sent, received };  // by the host
  struct Flow {
    base::FlowKey key;  // the host is local
    Instant used;
    bool is_known = false;
    bool was_reset = false;
    bool was_forgotten = false;
  };
  struct Held {
    Instant due;
    std::vector<std::byte> frame;
  };

  // False: the frame is gone. `packet` is the caller's own.
  bool pass(Instant now, Way way, base::Packet& packet);
  bool is_dead(Instant now, Way way) const;
  bool knows(Instant now, Flow& flow, const TcpGlance& glance);
  void rewrite(Way way, base::Packet& packet, const TcpGlance& glance);
  void molest(Instant now, Way way, base::Bytes frame, const TcpGlance& glance, Flow& flow);
  void forge_blind(Instant now, Way way, base::Bytes frame, const TcpGlance& glance);
  Flow& flow_of(const base::FlowKey& key);
  void hold(Way way, Instant due, std::vector<std::byte> frame);
  // Another copy for itself when the sender shares the packet. False: no packet for it.
  bool make_own(base::Packet& packet);
  bool materialise(base::Bytes frame, base::Packet& out);
  void send_held(Instant now);

  base::Device& inner_;
  base::DeviceInfo info_;
  MiddleboxConfig config_;
  base::Random random_;
  std::vector<Flow> flows_;
  std::deque<Held> to_host_;  // in order of `due`
  std::deque<Held> to_line_;
  MiddleboxCounters counters_;
};

}  // namespace handfast::drivers
