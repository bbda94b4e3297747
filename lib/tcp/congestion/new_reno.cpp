#include "tcp/congestion/new_reno.hpp"

#include <algorithm>

namespace handfast::tcp::new_reno {

namespace {

std::uint32_t half_of_flight(const Tcb& tcb) {
  return std::max<std::uint32_t>(tcb.in_flight() / 2, 2U * tcb.snd_mss);
}

}  // namespace

void start(Tcb& tcb, bool syn_lost) {
  const std::uint32_t mss = tcb.snd_mss;
  tcb.cwnd = syn_lost ? mss : std::min(10 * mss, std::max(2 * mss, 14'600U));
  tcb.ssthresh = 0xffffffff;
  tcb.recover = tcb.snd_una - 1;  // the ISS, or what stands for it: nothing to recover from
  tcb.in_recovery = false;
  tcb.duplicate_acks = 0;
}

bool on_ack(Tcb& tcb, std::uint32_t acked) {
  tcb.duplicate_acks = 0;
  const std::uint32_t mss = tcb.snd_mss;
  if (tcb.in_recovery) {
    if (tcb.snd_una.is_at_or_after(tcb.recover)) {
      // A full acknowledgement: deflate to no more than what is in flight plus one segment.
      tcb.cwnd = std::min(tcb.ssthresh, std::max(tcb.in_flight(), mss) + mss);
      tcb.in_recovery = false;
      return false;
    }
    tcb.cwnd = tcb.cwnd > acked ? tcb.cwnd - acked : 0;
    if (acked >= mss) tcb.cwnd += mss;
    tcb.cwnd = std::max(tcb.cwnd, mss);
    return true;
  }
  // What lies behind has no more to say; left where it is, it would lie ahead after 2 GiB.
  if (tcb.snd_una.is_after(tcb.recover)) tcb.recover = tcb.snd_una - 1;
  if (tcb.cwnd < tcb.ssthresh) {
    tcb.cwnd += std::min(acked, mss);
  } else {
    tcb.cwnd += std::max(1U, static_cast<std::uint32_t>(std::uint64_t{mss} * mss / tcb.cwnd));
  }
  // Window and offset arithmetic stays far from 2^32.
  tcb.cwnd = std::min(tcb.cwnd, std::uint32_t{1} << 30);
  return false;
}

bool on_duplicate_ack(Tcb& tcb) {
  if (tcb.in_recovery) {
    tcb.cwnd =
        std::min(tcb.cwnd + tcb.snd_mss, std::uint32_t{1} << 30);  // one has left the network
    return false;
  }
  if (tcb.duplicate_acks < 0xff) ++tcb.duplicate_acks;
  if (tcb.duplicate_acks != kDuplicateAckThreshold) return false;
  // RFC 6582 section 3.2 step 1: not again for what an earlier recovery or time-out covers.
  if (!tcb.snd_una.is_after(tcb.recover)) return false;
  tcb.ssthresh = half_of_flight(tcb);
  tcb.cwnd = tcb.ssthresh + kDuplicateAckThreshold * std::uint32_t{tcb.snd_mss};
  tcb.recover = tcb.snd_max;
  tcb.in_recovery = true;
  return true;
}

void on_timeout(Tcb& tcb) {
  // Only the first time-out of a segment halves: later ones find the window closed already.
  if (tcb.retransmits == 0) tcb.ssthresh = half_of_flight(tcb);
  tcb.cwnd = tcb.snd_mss;
  tcb.recover = tcb.snd_max;
  tcb.in_recovery = false;
  tcb.duplicate_acks = 0;
}

}  // namespace handfast::tcp::new_reno
