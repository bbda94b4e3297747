// Congestion control as a table of functions, one per algorithm, one file each in this folder. It
// decides on Tcb::cwnd and Tcb::ssthresh (bytes) and, if it paces, on Transfer::pacing_rate.
// Which bytes are lost and what is sent again is the business of loss recovery (recovery.hpp),
// which calls it:
//
//   start             the first data of a connection, or of one that was idle; cwnd and ssthresh
//                     stand already: the initial or restart window, or what an earlier Transfer
//                     left
//   observe           each ACK, before anything is done about it; for what must miss none
//   on_ack            each ACK that delivers something; but for those that own their window only
//                     while recovery does not steer it (Recovery::fast and cwr)
//   reduced_window    loss: the window to go down to. Once for each event, before it. `flight` is
//                     RFC 5681's FlightSize, before an ACK that tells of the event takes from it
//   marked_window     the same for a mark, of which only DCTCP and BBR think otherwise
//   on_timeout        after reduced_window(); cwnd is one segment now
//   on_recovered      fast recovery has ended; cwnd is ssthresh
//   on_undo           the last reduction was for nothing; cwnd and ssthresh are as before it
#pragma once

#include <cstdint>
#include <new>
#include <string_view>
#include <type_traits>

#include "handfast/config.hpp"
#include "tcp/parameters.hpp"
#include "tcp/tcb.hpp"
#include "tcp/transfer.hpp"

namespace handfast::tcp {

// What one ACK said.
struct AckSample {
  std::uint32_t acked = 0;         // bytes that SEG.ACK covers newly
  std::uint32_t delivered = 0;     // bytes newly acknowledged, selectively or not
  std::uint32_t lost = 0;          // bytes newly found lost
  std::uint32_t prior_flight = 0;  // bytes in the network before it came
  std::uint32_t rtt_us = 0;        // of a segment it delivers, sent only once; 0: none
  // The newest segment it delivers left when Transfer::delivered stood here; `rate_bytes` were
  // delivered since, in `rate_interval_us`. An interval of 0: no sample.
  std::uint64_t prior_delivered = 0;
  std::uint64_t rate_bytes = 0;
  std::uint32_t rate_interval_us = 0;
  bool is_app_limited = false;
  bool is_reordered = false;     // the path was known to reorder before it came
  bool is_cwnd_limited = false;  // the window, not the application, was the limit: it may grow
  bool ece = false;              // the peer saw a mark (RFC 3168); with DCTCP: on what it delivers
};

struct Congestion {
  std::string_view name;
  bool needs_ecn =
      false;  // DCTCP: offers ECN whatever the configuration says, and marks echo exactly
  bool owns_window = false;  // neither PRR nor a time-out sets cwnd: BBR, none
  void (*start)(Tcb&, const Context&);
  void (*observe)(Tcb&, const AckSample&, const Context&);
  void (*on_ack)(Tcb&, const AckSample&, const Context&);
  std::uint32_t (*reduced_window)(Tcb&, std::uint32_t flight, const Context&);
  std::uint32_t (*marked_window)(Tcb&, std::uint32_t flight, const Context&);
  void (*on_timeout)(Tcb&, const Context&);
  void (*on_recovered)(Tcb&, const Context&);
  void (*on_undo)(Tcb&, const Context&);
};

extern const Congestion kNewReno;
extern const Congestion kCubic;
extern const Congestion kDctcp;
extern const Congestion kBbr;
extern const Congestion kNoCongestionControl;

const Congestion& congestion_of(CongestionControl algorithm);

// Window and offset arithmetic stays far from 2^32.
inline constexpr std::uint32_t kCwndMax = std::uint32_t{1} << 30;
// Tcb::ssthresh as long as nothing was ever lost (RFC 5681 section 3.1: arbitrarily high).
inline constexpr std::uint32_t kNeverLost = 0xffffffff;

// RFC 6928 section 2: ten segments, or fewer large ones.
constexpr std::uint32_t initial_window(std::uint32_t mss) {
  const std::uint32_t floor = 2 * mss > 14'600U ? 2 * mss : 14'600U;
  return 10 * mss < floor ? 10 * mss : floor;
}

// An algorithm's state in the Transfer: a plain struct of at most 128 bytes, which start() makes
// anew.
template <class State>
State& new_state_of(Transfer& transfer) {
  static_assert(std::is_trivially_copyable_v<State> &&
                sizeof(State) <= sizeof(Transfer::congestion));
  return *new (transfer.congestion.data()) State{};
}
template <class State>
State& state_of(Transfer& transfer) {
  return *std::launder(reinterpret_cast<State*>(transfer.congestion.data()));
}

}  // namespace handfast::tcp
