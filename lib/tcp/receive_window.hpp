// The receive window: the acceptability test, and how much to offer (RFC 9293 sections 3.4, 3.8.6).
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/segment.hpp"
#include "tcp/parameters.hpp"
#include "tcp/tcb.hpp"

namespace handfast::tcp {

// RFC 9293 section 3.10.7.4, first step: the four cases of SEG.LEN and RCV.WND.
constexpr bool is_acceptable(Seq seq, std::uint32_t len, Seq rcv_nxt, std::uint32_t rcv_wnd) {
  if (len == 0) return rcv_wnd == 0 ? seq == rcv_nxt : seq.is_within(rcv_nxt, rcv_wnd);
  if (rcv_wnd == 0) return false;
  return seq.is_within(rcv_nxt, rcv_wnd) || (seq + (len - 1)).is_within(rcv_nxt, rcv_wnd);
}
inline bool is_acceptable(const base::Segment& seg, Seq rcv_nxt, std::uint32_t rcv_wnd) {
  return is_acceptable(seg.seq, seg.len(), rcv_nxt, rcv_wnd);
}

// Bytes that a connection may hold for its application, read or promised to the peer. What stands
// in reassembly lies inside the promise.
inline std::uint32_t receive_capacity(const Tcb& tcb, const Parameters& p) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(
      std::uint64_t{p.receive_buffer} << tcb.receive_growth, p.receive_buffer_max));
}

// Packets that a connection keeps beyond a gap: a full capacity in segments of 512 bytes. A peer
// with tiny ones does not hold a buffer for each.
inline std::uint32_t reassembly_packets_max(const Parameters& p) {
  return std::clamp(p.receive_buffer_max / 512, 256U, 65'535U);
}

// How far rcv_adv would move if an ACK went out now; 0 when the change is too small to be worth
// telling (receiver's silly window avoidance, MUST-39). Never negative: the window does not shrink
// (SHLD-14).
inline std::uint32_t window_growth(const Tcb& tcb, const Parameters& p) {
  const std::uint32_t capacity = receive_capacity(tcb, p);
  const std::uint32_t room = capacity > tcb.receive_held ? capacity - tcb.receive_held : 0;
  const std::uint32_t offer = std::min(room, 65'535U << tcb.receive_shift);
  const Seq edge = tcb.rcv_nxt + offer;
  if (!edge.is_after(tcb.rcv_adv)) return 0;
  const std::uint32_t growth = edge - tcb.rcv_adv;
  const std::uint32_t least =
      std::min<std::uint32_t>(capacity / 2, p.receive_mss(tcb.key.local.is_v4()));
  return growth >= least ? growth : 0;
}

// Moves rcv_adv if it is worth it and returns the header's window field. Rounds up to the scale's
// unit, so that what was promised stays promised; but down once that would promise more than the
// buffer and a unit, or small segments that nobody reads would move the edge with each of them, for
// ever. What the field then leaves out (RFC 7323 section 2.4) is accepted still.
inline std::uint16_t advertise_window(Tcb& tcb, const Parameters& p) {
  tcb.rcv_adv += window_growth(tcb, p);
  const std::uint32_t unit = 1U << tcb.receive_shift;
  std::uint32_t field = std::min((tcb.rcv_wnd() + unit - 1) >> tcb.receive_shift, 65'535U);
  if (tcb.receive_held + (field << tcb.receive_shift) > receive_capacity(tcb, p) + unit) {
    field = std::min(tcb.rcv_wnd() >> tcb.receive_shift, 65'535U);
  }
  tcb.rcv_adv = base::later_of(tcb.rcv_adv, tcb.rcv_nxt + (field << tcb.receive_shift));
  return static_cast<std::uint16_t>(field);
}

// The window's field in a SYN is never scaled (RFC 7323 section 2.2). Text that came with the
// peer's SYN (RFC 7413) and was not taken lies in the buffer already.
inline std::uint16_t advertise_syn_window(Tcb& tcb, const Parameters& p) {
  const std::uint32_t room = p.receive_buffer - std::min(p.receive_buffer, tcb.receive_held);
  const std::uint32_t offer = std::min(room, 65'535U);
  tcb.rcv_adv = base::later_of(tcb.rcv_adv, tcb.rcv_nxt + offer);
  return static_cast<std::uint16_t>(offer);
}

// ESTABLISHED: the receiving side begins. RCV.NXT stands behind the peer's SYN.
void begin_receiving(Tcb& tcb, const Context& context);

// Text has moved RCV.NXT. Doubles the capacity, up to Parameters::receive_buffer_max, when half of
// it arrives within two round trips: the peer's window is then always twice what it uses, even
// while slow start doubles that, and four times at the end. Begins again with quick
// acknowledgements after idleness (RFC 5681 section 4.1 has the peer start slowly then).
void grow_capacity(Tcb& tcb, const Context& context);

}  // namespace handfast::tcp
