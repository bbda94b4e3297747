// Transfer: what a connection needs only while it sends data: the scoreboard's sums, loss recovery,
// delivery rate, and the congestion control's own state. It is taken with the first byte queued and
// given back when the connection has been idle, so that an idle connection costs a Tcb and no more.
// What outlasts it (cwnd, ssthresh, round-trip times) is in the Tcb.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/segment.hpp"
#include "base/tick.hpp"
#include "handfast/time.hpp"
#include "tcp/send_queue.hpp"

namespace handfast::tcp {

// What is being done about loss.
enum class Recovery : std::uint8_t {
  open,      // nothing is missing
  disorder,  // something is selectively acknowledged or duplicate ACKs came: not lost yet
  cwr,       // the window is being reduced for a mark (RFC 3168 section 6.1.2), nothing is lost
  fast,      // fast recovery (RFC 6675), the window steered by PRR (RFC 6937)
  loss,      // after a retransmission time-out
};

struct Transfer {
  std::uint32_t generation;  // odd while in use; the slab's, as is the next
  std::uint32_t next_free;

  // --- scoreboard
  SendNode* unsent;     // the first node not sent (whole) yet; null: none
  SendNode* sack_hint;  // the highest node known to be sacked, or null
  SendNode* lost_hint;  // no lost node stands before it; null: none is lost
  TransmissionOrder in_time;
  std::uint32_t sacked_bytes;
  std::uint32_t lost_bytes;                   // marked lost and not sent again yet
  std::array<base::SackBlock, 4> seen_sacks;  // of the last ACK, not to be walked again
  std::uint8_t seen_sack_count;

  // --- recovery
  Recovery recovery;
  std::uint8_t duplicate_acks;  // of a peer without SACK
  bool is_rto_suspect;          // F-RTO (RFC 5682): the time-out may have been spurious
  bool can_undo;                // prior_cwnd and prior_ssthresh are those before the recovery
  bool was_reordered;           // RACK has seen reordering (RFC 8985 section 6.2)
  bool reordering_timer;        // RACK waits for the rest of its window
  bool probe_outstanding;       // a tail loss probe is unanswered
  bool probe_is_retransmission;
  bool resend_forced;            // the next lost segment goes whatever the window says
  std::uint8_t reorder_windows;  // RACK.reo_wnd_mult
  std::uint8_t reorder_persist;  // RACK.reo_wnd_persist
  Seq recover;                   // RecoveryPoint: SND.NXT when recovery began
  Seq recovery_start;            // SND.UNA then
  Seq probe_end;                 // TLP.end_seq
  Seq reorder_round;             // RACK.dsack_round
  Seq small_end;                 // the end of the last segment sent less than full (Nagle)
  std::uint32_t prior_cwnd;
  std::uint32_t prior_ssthresh;
  std::uint32_t resent_segments;  // since recovery_start, less those that D-SACK called needless
  std::uint32_t first_resent_ts;  // TSval of the first retransmission (Eifel, RFC 3522)
  std::uint32_t prr_delivered;
  std::uint32_t prr_out;
  std::uint32_t prr_flight;  // RecoverFS

  // --- RACK (RFC 8985 section 5.3)
  Seq rack_end;
  Seq rack_fack;  // the highest number delivered
  std::uint32_t rack_sent_us;
  std::uint32_t rack_rtt_us;
  std::uint32_t min_rtt_us;  // 0: none yet
  std::uint32_t min_rtt_taken_us;

  // --- delivery rate
  std::uint64_t delivered;          // bytes the peer has, since the beginning
  std::uint64_t app_limited_until;  // while `delivered` is below, samples are the application's
  std::uint32_t delivered_us;
  std::uint32_t first_sent_us;
  std::uint64_t delivery_rate;   // bytes a second, the newest sample that tells of the path
  bool cwnd_limited;             // the window held data back when output last ended
  std::uint32_t flight_of_late;  // the most bytes in flight, forgotten slowly (send_buffer)
  std::uint32_t duplicate_room;  // bytes that duplicate ACKs may stand for before SND.UNA moves

  // --- pacing
  std::uint64_t pacing_rate;  // bytes a second; 0: not paced
  Instant pace_next;          // when the next segment may leave
  bool is_paced;              // and only that holds it back

  // --- urgent data (RFC 9293 section 3.8.5); each number is that behind the last urgent byte
  Seq snd_up;         // SND.UP
  Seq rcv_up;         // RCV.UP, while Tcb::urgent_ahead
  bool sends_urgent;  // SND.UP is ahead of SND.UNA

  // --- path MTU (path_mtu.hpp)
  base::Tick full_mss_at;    // when `full_mss` is tried again
  std::uint16_t full_mss;    // Tcb::snd_mss before the path was found to take less; 0: it was not
  std::uint8_t black_holes;  // found so far
  bool full_size_arrived;    // a segment of the MSS has been delivered

  // --- the totals that ConnectionInfo shows
  std::uint32_t total_retrans;  // segments
  std::uint32_t total_lost;     // segments marked lost
  std::uint32_t reordering;     // the largest distance seen, in segments
  std::uint32_t dsack_dups;

  // --- the congestion control's own (congestion/congestion.hpp: state_of)
  alignas(8) std::array<std::byte, 128> congestion;
};

}  // namespace handfast::tcp
