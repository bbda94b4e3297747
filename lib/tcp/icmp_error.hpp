// What an ICMP error does to a connection (RFC 9293 section 3.9.2.2, RFC 5927, RFC 1191). The
// quoted sequence number must be in flight, or anybody could have sent it.
#pragma once

#include <algorithm>

#include "tcp/parameters.hpp"
#include "tcp/scoreboard.hpp"
#include "tcp/tcb.hpp"

namespace handfast::tcp {

enum class IcmpVerdict : std::uint8_t {
  disbelieve,
  note,   // soft: the connection goes on and gives up by its own timeouts (MUST-56)
  abort,  // hard, and the connection is not synchronized yet (RFC 5927 section 5.2)
};

inline bool is_in_flight(const Tcb& tcb, Seq quoted) {
  return tcb.in_flight() > 0 && quoted.is_within(tcb.snd_una, tcb.in_flight());
}

inline IcmpVerdict icmp_error(const Tcb& tcb, Seq quoted, bool is_hard) {
  if (!is_in_flight(tcb, quoted)) return IcmpVerdict::disbelieve;
  return is_hard && !tcb.is_synchronized() ? IcmpVerdict::abort : IcmpVerdict::note;
}

// What was larger than the path takes is lost, without a word about congestion.
inline void resend_too_big(Tcb& tcb) {
  for (SendNode* node = tcb.send_queue.front(); node != nullptr && node->is_sent;
       node = tcb.send_queue.after(node)) {
    if (node->length > tcb.snd_mss) mark_lost(tcb, node);
  }
  tcb.transfer->resend_forced = true;
}

// RFC 1191 section 6.3: segments become no larger than the next hop takes, and what was too big is
// sent again. `mtu` 0 comes from an old router: the smallest of section 7.1's plateaus is taken.
inline IcmpVerdict packet_too_big(Tcb& tcb, Seq quoted, std::uint16_t mtu) {
  constexpr std::uint16_t kLowestMtu = 68;  // RFC 791
  constexpr std::uint16_t kFallbackMtu = 508;
  if (!is_in_flight(tcb, quoted) || (mtu != 0 && mtu < kLowestMtu)) return IcmpVerdict::disbelieve;
  const int headers = 40 + (tcb.timestamps ? static_cast<int>(kTimestampOption) : 0);
  const int wanted = (mtu == 0 ? kFallbackMtu : mtu) - headers;
  constexpr int kFloor = kMinSendMss - static_cast<int>(kTimestampOption);
  const auto mss = static_cast<std::uint16_t>(std::max(wanted, kFloor));
  if (mss >= tcb.snd_mss) return IcmpVerdict::disbelieve;  // not smaller than what we send
  tcb.snd_mss = mss;
  if (tcb.transfer != nullptr) resend_too_big(tcb);
  return IcmpVerdict::note;
}

}  // namespace handfast::tcp
