// What RFC 5681 lets a window grow by, counted in bytes as RFC 3465 does: slow start and additive
// increase, for the algorithms that have them (NewReno and DCTCP both, CUBIC the first). Neither
// decides when to slow down; HyStart++ is hystart.hpp's.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tcp/congestion/congestion.hpp"

namespace handfast::tcp {

inline bool in_slow_start(const Tcb& tcb) {
  return tcb.cwnd < tcb.ssthresh;
}

// A window that the application does not fill proves nothing, and stays (RFC 7661 section 4.3; RFC
// 9438 section 5.8). Slow start may go on while half of it is in use, as Linux does: what a window
// doubles to is not filled before its acknowledgements come. An ACK with ECE never raises the
// window (RFC 3168 section 6.1.2).
inline bool may_grow(const Tcb& tcb, const AckSample& sample) {
  if (sample.ece) return false;
  if (sample.is_cwnd_limited) return true;
  return in_slow_start(tcb) && tcb.cwnd / 2 <= sample.prior_flight;
}

inline void grow(Tcb& tcb, std::uint32_t bytes) {
  tcb.cwnd = bytes < kCwndMax ? std::min(tcb.cwnd + bytes, kCwndMax) : kCwndMax;
}

// What an ACK lets slow start grow by. Where the path is known to reorder, SEG.ACK stands still and
// jumps, and a limit for each ACK would cut most of the jumps off: there, what arrives counts in
// whatever order, as with Linux. Not before that is known: the first duplicates may tell of a loss
// (RFC 5681 section 3.2).
inline std::uint32_t acked_in_slow_start(const Tcb& tcb, const AckSample& sample) {
  const bool any_order = sample.is_reordered && tcb.transfer->recovery != Recovery::loss;
  return any_order ? sample.delivered : sample.acked;
}

// RFC 3465 section 2.2: L = 2 segments an ACK, since every second one is acknowledged. After a
// time-out L = 1 (section 2.3), since an ACK then also covers what had arrived long before.
inline std::uint32_t counted_in_slow_start(const Tcb& tcb, std::uint32_t acked) {
  const std::uint32_t segments = tcb.transfer->recovery == Recovery::loss ? 1 : 2;
  return std::min(acked, segments * tcb.snd_mss);
}

// Grows by `bytes`, but not beyond ssthresh. What is left of them counts in congestion avoidance.
inline std::uint32_t slow_start(Tcb& tcb, std::uint32_t bytes) {
  const std::uint32_t step = std::min(bytes, tcb.ssthresh - tcb.cwnd);
  grow(tcb, step);
  return bytes - step;
}

// Congestion avoidance: a segment for each window of bytes acknowledged (RFC 5681 section 3.1, RFC
// 3465 section 2.1). `counted` is kept from ACK to ACK.
inline void increase_additively(Tcb& tcb, std::uint32_t& counted, std::uint32_t acked) {
  // One ACK may cover more than a window where it ends a recovery: that is no second round trip.
  counted += std::min(acked, tcb.cwnd);
  if (counted < tcb.cwnd) return;
  counted -= tcb.cwnd;
  grow(tcb, tcb.snd_mss);
}

// RFC 5681 section 3.1 equation 4. FlightSize counts what has been selectively acknowledged, which
// is sent on the strength of the same window: it is never more than that window.
inline std::uint32_t half_of_flight(const Tcb& tcb, std::uint32_t flight) {
  return std::max(std::min(flight, tcb.cwnd) / 2, 2U * tcb.snd_mss);
}

}  // namespace handfast::tcp
