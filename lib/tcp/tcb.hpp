// Tcb: the transmission control block of a connection from SYN-SENT, or from the third segment of
// a passive open, to its last acknowledgement. Variables are RFC 9293's (section 3.3.1).
//
//   send:      SND.UNA        SND.NXT     SND.MAX     snd_end
//   ------------|--------------|-----------|-----------|
//    acknowledged  in flight     probed      not sent
//
//   SND.MAX is the highest number ever sent plus one, and what an ACK may acknowledge at most: a
//   probe of a closed window goes beyond SND.NXT, which stays. snd_end is where queued data ends
//   and a FIN takes its number.
//
//   receive:                 RCV.NXT                 rcv_adv
//   ----------|----------------|-----------------------|
//    taken      in receive_queue   RCV.WND, promised
//
// Not here: addresses of the link, listeners, timers' wheel. Those are the stack's.
#pragma once

#include <cstdint>
#include <type_traits>

#include "base/flow_key.hpp"
#include "base/seq.hpp"
#include "base/tick.hpp"
#include "handfast/config.hpp"
#include "handfast/error.hpp"
#include "tcp/packet_chain.hpp"
#include "tcp/reassembly.hpp"
#include "tcp/send_queue.hpp"

namespace handfast::tcp {

struct Transfer;

using base::Seq;
using base::Tick;

// What Tcb::retransmit_at waits for.
enum class TimerIs : std::uint8_t {
  retransmission,  // RFC 6298
  persist,         // the window is closed (RFC 9293 section 3.8.6.1)
  loss_probe,      // the tail may be lost (RFC 8985 section 7)
  reordering,      // what was overtaken may still come (RFC 8985 section 6.2)
  idle,            // the Transfer is to be given back
  keep_alive,      // RFC 9293 section 3.8.4
};

struct Tcb {
  // First line: what every arriving segment needs.
  base::FlowKey key;
  std::uint32_t generation;  // odd while in use, kept by the slab
  Seq snd_una;
  Seq snd_nxt;
  Seq snd_max;
  Seq rcv_nxt;
  State state;
  std::uint8_t retransmits;        // time-outs since the segment at SND.UNA was last acknowledged
  std::uint8_t snd_shift : 4;      // Snd.Wind.Shift
  std::uint8_t receive_shift : 4;  // Rcv.Wind.Shift
  std::uint8_t events;             // of the application, how to call it: a number of the stack's
  // Second line.
  Seq snd_end;
  Seq rcv_adv;
  Seq snd_wl1;
  Seq snd_wl2;
  std::uint32_t snd_wnd;      // bytes, already scaled
  std::uint32_t max_snd_wnd;  // the largest the peer ever offered
  std::uint32_t cwnd;         // bytes
  std::uint32_t ssthresh;
  std::uint32_t srtt_us;
  std::uint32_t rttvar_us;
  std::uint32_t rto_us;
  std::uint32_t ts_recent;  // TS.Recent
  Seq last_ack_sent;        // Last.ACK.sent
  Transfer* transfer;       // null: no data of ours since the connection was last idle
  // Third line.
  SendQueue send_queue;            // SND.UNA to snd_end
  PacketChain receive_queue;       // in order, not yet taken by the handler
  Reassembly reassembly;           // beyond a gap
  std::uint32_t receive_held;      // bytes in receive_queue
  std::uint16_t reassembly_count;  // packets in reassembly
  std::uint16_t snd_mss;           // payload bytes of a full segment, options taken off
  Tick retransmit_at;              // what `timer_is` says
  Tick waiting_since;  // when what is unanswered began to be so; else when the peer was last heard
  Tick user_timeout;   // ticks
  Tick app_timer_at;
  Tick ack_at;     // the delayed acknowledgement's
  Seq arrived;     // the newest text beyond a gap: its run is the first SACK block (RFC 2018)
  Seq dsack_left;  // text that arrived twice and is to be told of (RFC 2883), `dsack_length` bytes
  Seq space_seq;   // receive buffer's growth: a round trip's text begins here
  union {
    std::uint32_t space_since_us;  // and began to arrive then
    std::uint32_t syn_sent_us;     // while `timing`
  };
  std::uint16_t keep_alive_s;  // idle seconds before a keep-alive; 0: none

  TimerIs timer_is : 3;
  bool ack_pending : 1;         // an ACK is owed at the end of the burst
  bool syn_pending : 1;         // SYN or SYN-ACK is to be sent, again or for the first time
  bool fin_queued : 1;          // CLOSE was called: FIN takes number snd_end
  bool fin_lost : 1;            // the FIN, alone in flight, is to be sent again
  bool probe_pending : 1;       // a zero-window probe or keep-alive is to be sent
  bool loss_probe_pending : 1;  // a tail loss probe is to be sent (RFC 8985 section 7)
  // What ICMP said since SND.UNA moved; beside the flag above, with which it is cleared at no cost.
  NetworkError network_error : 3;
  bool timing : 1;            // the SYN is being timed
  bool timestamps : 1;        // negotiated
  bool window_scaling : 1;    // negotiated
  bool sack : 1;              // negotiated
  bool ecn : 1;               // negotiated
  bool ecn_echo : 1;          // ECE is to be set
  bool cwr_pending : 1;       // CWR is to be set on the next new data
  bool passive : 1;           // came from a listener
  bool user_timeout_set : 1;  // by the application
  bool fin_received : 1;      // RCV.NXT is past the peer's FIN
  bool nagle : 1;
  // SYN-SENT: the SYN asks for a cookie or shows one. SYN-RECEIVED: text came with it (RFC 7413).
  bool fast_open : 1;
  bool lingers : 1;       // close_within(): `waiting_since` stands still
  bool urgent_ahead : 1;  // RCV.UP is beyond what the application has taken (urgent.hpp)
  CongestionControl congestion : 3;
  // The stack's.
  bool announced : 1;         // on_open was called, or connect() returned it
  bool peer_finish_told : 1;  // on_peer_finished was called
  bool writable_wanted : 1;   // a send() was short
  bool stalled : 1;           // on_data took less than offered: wait for resume_receive()
  bool detached : 1;          // left the flow table; waits for its last event
  bool scheduled : 1;         // stands in the list of connections to look at after the burst
  bool resume_pending : 1;    // resume_receive() was called
  bool aborted : 1;           // abort() was called
  bool ended : 1;             // on_closed is being called: it answers no more
  bool starved : 1;           // stands in the list of those to be told of room in the packet pool
  std::uint8_t quick_acks;    // ACKs that are still not to be delayed
  std::uint8_t unacked_segments;  // that arrived since our last ACK
  std::uint8_t marked_segments;   // of these, with CE (DCTCP only)
  std::uint8_t receive_growth;    // receive_buffer was doubled so often
  std::uint8_t extra_acks;        // duplicate ACKs owed, or with SACK: runs to be reported
  std::uint8_t dscp;
  CloseReason close_reason;
  std::uint16_t dsack_length;    // 0: nothing arrived twice
  std::uint16_t neighbour;       // next hop
  std::uint16_t ts_recent_hour;  // when ts_recent was set, for PAWS after idleness
  base::TimerNode timer;         // the wheel's
  void* handler;                 // of the application, opaque here
  union {
    std::uint64_t context;    // the application's word
    std::uint32_t next_free;  // the slab's
  };

  // Sent and not acknowledged, whether or not it is still in the network.
  std::uint32_t in_flight() const { return snd_nxt - snd_una; }
  // RCV.WND: what has been promised and not used.
  std::uint32_t rcv_wnd() const { return rcv_adv - rcv_nxt; }
  bool fin_sent() const { return fin_queued && snd_max.is_after(snd_end); }
  bool fin_acked() const { return fin_queued && snd_una.is_after(snd_end); }
  // Between zero-window probes, whether or not one is due.
  bool is_persisting() const { return timer_is == TimerIs::persist; }
  // For the application's next data, or the peer's: nothing is owed to us.
  bool waits_idly() const { return timer_is == TimerIs::idle || timer_is == TimerIs::keep_alive; }
  // Patience begins anew.
  void heard(Tick now) {
    if (!lingers) waiting_since = now;
  }
  // What is due next is decided anew when output ends.
  void stop_timer() {
    timer_is = TimerIs::retransmission;
    retransmit_at = base::kNoTick;
  }
  bool is_synchronized() const {
    return state != State::syn_sent && state != State::syn_received && state != State::closed;
  }
};
// With 7 bytes of flow table, 4 of timer wheel and 4 of the burst list: an idle connection costs
// less than 256 bytes.
static_assert(sizeof(Tcb) <= 232);

}  // namespace handfast::tcp
