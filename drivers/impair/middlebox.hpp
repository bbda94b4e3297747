// MiddleboxDevice: wraps a simulated device and does to its TCP frames what boxes on the way do,
// and networks seldom show: a path that dies and comes back, options taken out, a smaller MSS,
// other sequence numbers, a NAT that forgets, frames that are too long swallowed or refused by
// ICMP, text taken out of SYNs, segments and ICMP errors forged, and copies that come back long
// after. Every choice comes from the seed. ImpairDevice does what lines do (loss, delay, order);
// the two may be stacked. For simulators: it keeps copies on the heap.
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
#include "drivers/impair/error_message.hpp"
#include "drivers/impair/tcp_rewrite.hpp"

namespace handfast::drivers {

// Bits of TCP's option kinds, as in MiddleboxConfig.
constexpr std::uint64_t option_bit(std::uint8_t kind) {
  return std::uint64_t{1} << kind;
}

struct Outage {
  Instant from;
  Instant until;
  bool sent = true;  // which directions are dead
  bool received = true;
};

// From then on longer packets are refused with an ICMP error; of IPv6 none below 1280 (RFC 8200).
struct MtuChange {
  Instant at;
  std::uint16_t mtu = 0;  // bytes of IP packet; 0: all pass
};

// What happens to text in a SYN (RFC 7413 section 7.1).
enum class SynText : std::uint8_t { passes, cut, swallowed_with_its_syn };

struct MiddleboxConfig {
  std::uint64_t seed = 1;
  // Options taken out of SYNs that the host sends, of those that it receives, and of all segments
  // of either direction: option_bit()s.
  std::uint64_t strip_sent = 0;
  std::uint64_t strip_received = 0;
  std::uint64_t strip_always = 0;
  std::uint16_t mss_max = 0;    // bytes; 0: MSS options pass as they are
  std::uint16_t frame_max = 0;  // longer frames vanish without a word; 0: none do
  SynText syn_text = SynText::passes;
  // Each flow gets other sequence numbers on the line than at the host; SACK blocks too, or not.
  bool shifts_sequence = false;
  bool shifts_sack = false;
  std::vector<MtuChange> mtus;  // in order of time
  bool hides_mtu = false;       // the errors of IPv4 do not say how much is allowed
  std::vector<Outage> outages;
  bool tells_of_outages = false;  // by ICMP: host unreachable
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
  // And of ICMP errors: one that quotes what is not in flight, which nobody may believe (RFC 5927);
  // one about a segment that passes all the same, that may slow its sender down or, `hard_error`,
  // end an attempt to connect.
  double blind_error = 0;
  double soft_error = 0;
  double hard_error = 0;
  double echo = 0;
  Duration echo_after{0};
};

// What was done, for whoever judges what came of it.
struct MiddleboxCounters {
  std::uint64_t swallowed = 0;  // by outages, forgetting, frame_max and MTU
  std::uint64_t rewritten = 0;
  std::uint64_t forged = 0;
  std::uint64_t echoed = 0;
  std::uint64_t complained = 0;  // ICMP errors about what is in flight
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
  // Whether an ICMP error about what is in flight was sent about it, and whether one of them may
  // end an attempt to connect.
  bool has_complained(const base::FlowKey& flow) const;
  bool has_refused(const base::FlowKey& flow) const;
  // Whether frames of it were kept back for good.
  bool has_forgotten(const base::FlowKey& flow) const;

 private:
  enum class Way : std::uint8_t { sent, received };  // by the host
  static constexpr Way back(Way way) { return way == Way::sent ? Way::received : Way::sent; }
  struct Flow {
    base::FlowKey key;  // the host is local
    Instant used;
    bool is_known = false;
    bool was_reset = false;
    bool was_forgotten = false;
    bool was_complained_of = false;
    bool was_refused = false;
    // Whether the newest that the host, and its peer, sent has an acknowledgement, whether or not
    // it passed: a SYN alone leaves its sender in SYN-SENT.
    bool host_has_peer = false;
    bool peer_has_host = false;
    std::uint32_t shift = 0;
  };
  struct Held {
    Instant due;
    std::vector<std::byte> frame;
  };

  // False: the frame is gone. `packet` is the caller's own.
  bool pass(Instant now, Way way, base::Packet& packet);
  bool is_dead(Instant now, Way way) const;
  bool knows(Instant now, Flow& flow, const TcpGlance& glance);
  // Of IP packet, 0 when nothing is too big.
  std::uint16_t mtu_at(Instant now, bool is_v4) const;
  // False: the frame is gone, for its length or its text.
  bool fits(Instant now, Way way, base::Packet& packet, const TcpGlance& glance, Flow& flow);
  void rewrite(Way way, base::Packet& packet, const TcpGlance& glance, const Flow& flow);
  bool shift(Way way, base::MutableBytes frame, const TcpGlance& glance, const Flow& flow) const;

  // middlebox_forging.cpp: what goes back to the sender of a frame, and what goes on with it.
  void molest_sender(Instant now, Way way, base::Bytes frame, const TcpGlance& glance, Flow& flow);
  void molest_receiver(Instant now, Way way, base::Bytes frame, const TcpGlance& glance,
                       Flow& flow);
  void forge_blind(Instant now, Way way, base::Bytes frame, const TcpGlance& glance,
                   const Flow& flow);
  void forge_blind_error(Instant now, Way way, base::Bytes frame, const TcpGlance& glance);
  // An error to the sender of `frame`, which is in flight.
  void complain(Instant now, Way way, base::Bytes frame, const TcpGlance& glance,
                Complaint complaint, std::uint16_t mtu, Flow& flow);
  const Flow* find(const base::FlowKey& key) const;
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
