// What a middlebox sends of its own accord.

#include <array>

#include "drivers/impair/middlebox.hpp"

namespace handfast::drivers {
namespace {

// Far from anything that a connection of the simulator's has in flight.
constexpr std::uint32_t kFarAhead = 0x4000'0000;
constexpr std::uint32_t kFarBehind = 0x1000'0000;

// What routers say of too big packets, some of it nonsense.
constexpr std::array<std::uint16_t, 6> kMtus = {0, 1, 296, 576, 1280, 1400};

}  // namespace

void MiddleboxDevice::complain(Instant now, Way way, base::Bytes frame, const TcpGlance& glance,
                               Complaint complaint, std::uint16_t mtu, Flow& flow) {
  ++counters_.complained;
  flow.was_complained_of = true;
  if (complaint == Complaint::port_unreachable) flow.was_refused = true;
  hold(back(way), now, error_about(frame, glance, error_of(complaint, glance.layout.is_v4, mtu)));
}

void MiddleboxDevice::molest_sender(Instant now, Way way, base::Bytes frame,
                                    const TcpGlance& glance, Flow& flow) {
  if (random_.chance(config_.exact_reset / 2) && !glance.has(base::kRst)) {
    ++counters_.forged;
    flow.was_reset = true;
    const std::uint8_t flags = glance.has(base::kSyn) ? base::kRst | base::kAck : base::kRst;
    hold(back(way), now,
         forge(frame, glance,
               {.seq = glance.ack, .ack = glance.end(), .flags = flags, .is_answer = true}));
  }
  if (random_.chance(config_.soft_error)) {
    constexpr std::array kSoft{Complaint::host_unreachable, Complaint::time_exceeded,
                               Complaint::too_big};
    complain(now, way, frame, glance, kSoft[random_.below(kSoft.size())],
             kMtus[random_.below(kMtus.size())], flow);
  }
  if (random_.chance(config_.hard_error)) {
    complain(now, way, frame, glance, Complaint::port_unreachable, 0, flow);
  }
  if (random_.chance(config_.blind_error)) forge_blind_error(now, way, frame, glance);
}

void MiddleboxDevice::molest_receiver(Instant now, Way way, base::Bytes frame,
                                      const TcpGlance& glance, Flow& flow) {
  if (random_.chance(config_.echo)) {
    ++counters_.echoed;
    hold(way, now + config_.echo_after, {frame.begin(), frame.end()});
  }
  if (random_.chance(config_.exact_reset / 2) && !glance.has(base::kRst)) {
    ++counters_.forged;
    flow.was_reset = true;
    hold(way, now, forge(frame, glance, {.seq = glance.end(), .flags = base::kRst}));
  }
  forge_blind(now, way, frame, glance, flow);
}

// Nothing of this may do anything: wrong by far, or older than what has been acknowledged. Any SYN
// opens the connection of an end in SYN-SENT (RFC 9293 section 3.10.7.3), so none goes there: text
// that overtook a SYN-ACK, of Fast Open for example, gives no cover.
void MiddleboxDevice::forge_blind(Instant now, Way way, base::Bytes frame, const TcpGlance& glance,
                                  const Flow& flow) {
  const auto some = static_cast<std::uint32_t>(random_.below(1U << 20));
  const base::Seq far = glance.end() + (kFarAhead + some);
  const base::Seq old = glance.seq - (kFarBehind + some);
  // In SYN-SENT the acknowledgement is what counts, and this one acknowledges nothing.
  if (random_.chance(config_.blind_reset)) {
    ++counters_.forged;
    hold(way, now,
         forge(frame, glance,
               {.seq = some % 2 == 0 || glance.has(base::kSyn) ? far : old, .flags = base::kRst}));
  }
  const bool is_past_syn_sent = way == Way::received ? flow.host_has_peer : flow.peer_has_host;
  if (random_.chance(config_.blind_segment) && !glance.has(base::kSyn) && is_past_syn_sent) {
    ++counters_.forged;
    const std::uint8_t kFlags[] = {base::kSyn, base::kAck, base::kAck | base::kFin,
                                   base::kSyn | base::kAck};
    const std::uint8_t flags = kFlags[some % std::size(kFlags)];
    hold(way, now,
         forge(frame, glance,
               {.seq = some % 2 == 0 ? far : glance.end(),
                .ack = glance.ack + (kFarAhead + some),
                .flags = flags,
                .window = 1000,
                .text = flags == base::kAck ? 100U : 0U}));
  }
}

// The right ports, or nearly, and a sequence number that is not in flight.
void MiddleboxDevice::forge_blind_error(Instant now, Way way, base::Bytes frame,
                                        const TcpGlance& glance) {
  constexpr std::array kComplaints{Complaint::host_unreachable, Complaint::time_exceeded,
                                   Complaint::too_big, Complaint::port_unreachable};
  const auto some = static_cast<std::uint32_t>(random_.below(1U << 20));
  std::vector<std::byte> guess(frame.begin(), frame.end());
  if (some % 8 == 0) {
    const std::size_t remote_port = glance.layout.tcp_at() + 2U;
    guess[remote_port] ^= std::byte{0x40};
  } else {
    shift_sequence(guess, glance.layout, some % 2 == 0 ? kFarAhead + some : 0U - kFarBehind - some);
  }
  ++counters_.forged;
  const wire::IcmpError error = error_of(kComplaints[random_.below(kComplaints.size())],
                                         glance.layout.is_v4, kMtus[random_.below(kMtus.size())]);
  hold(back(way), now, error_about(guess, glance, error));
}

}  // namespace handfast::drivers
