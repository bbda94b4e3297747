// FrameWatch: stands between one host's stack and its device, and holds what the stack sends
// against what it has received: windows, acknowledgements and sequence numbers as they are on the
// wire. It knows nothing of the stack's records; RecordCheck looks at those.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/device.hpp"
#include "drivers/impair/tcp_rewrite.hpp"
#include "tests/sim/soak/journal.hpp"

namespace handfast::sim {

class FrameWatch final : public base::Device {
 public:
  // All are borrowed.
  FrameWatch(base::Device& inner, std::size_t host, Journal& journal)
      : inner_(inner), host_(host), journal_(journal) {}

  const base::DeviceInfo& info() const override { return inner_.info(); }
  base::PacketPool& pool() override { return inner_.pool(); }
  std::size_t receive(Instant now, std::span<base::Packet> out) override;
  std::size_t send(Instant now, std::span<const base::Packet> frames) override;
  Instant next_arrival() const override { return inner_.next_arrival(); }

  // Whether the stack may have dropped a segment that it had sent: its next one then leaves a gap.
  void set_has_dropped(std::function<bool()> call) { has_dropped_ = std::move(call); }
  // The host's stack knows nothing any more.
  void forget() { flows_.clear(); }

 private:
  static constexpr std::size_t kSynsMax = 64;
  static constexpr std::size_t kEarlyMax = 64;
  static constexpr std::size_t kIssesMax = 16;

  struct PeerSyn {
    base::Seq seq;
    std::optional<std::uint8_t> shift;
    std::uint16_t window;
    base::Seq end;  // behind it and its text (RFC 7413)
  };
  struct Flow {
    base::FlowKey key;                      // the host is local
    std::vector<PeerSyn> syns;              // the newest that came; any may be anybody's
    std::vector<drivers::TcpGlance> early;  // what came before it was certain whose it is
    std::optional<PeerSyn> peer_syn;        // that the connection began with
    std::optional<std::uint8_t> shift;      // that we offered
    base::Seq iss;
    std::optional<base::Seq> answered;  // by our SYN-ACK: behind the peer's SYN
    // Of SYN-ACKs before: with cookies (RFC 4987 section 3.6) the client may answer any of them.
    std::vector<base::Seq> isses;
    bool has_iss = false;
    bool is_opening = true;             // none but SYNs have left
    bool is_vague = false;              // which SYN it began with is not known
    bool knows_peer = false;            // our first segment with an ACK has left
    std::optional<base::Seq> peer_fin;  // the number behind it
    base::Seq sent_end;                 // behind the highest number sent
    base::Seq received_end;             // behind the highest number received
    base::Seq edge_offered;             // right edge of our window
    base::Seq edge_received;            // of the peer's, the highest ever
  };

  void see_sent(std::span<const base::Packet> frame);
  void see_received(const base::Packet& packet);
  void trace(const drivers::TcpGlance& seg, const char* verb);
  void note_received(Flow& flow, const drivers::TcpGlance& seg);
  Flow& flow_of(const base::FlowKey& key);
  // The connection may begin with another SYN-ACK than the newest.
  void settle(Flow& flow, const drivers::TcpGlance& seg);
  void check_sent(Flow& flow, const drivers::TcpGlance& seg);
  void check_acknowledgement(Flow& flow, const drivers::TcpGlance& seg);
  void meet_peer(Flow& flow, const drivers::TcpGlance& seg);
  std::uint32_t scaled(const Flow& flow, std::uint16_t window, bool is_ours) const;
  void fail(const Flow& flow, const char* what, std::uint32_t by);

  base::Device& inner_;
  std::size_t host_;
  Journal& journal_;
  std::vector<Flow> flows_;
  std::function<bool()> has_dropped_;
};

}  // namespace handfast::sim
