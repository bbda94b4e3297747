// The scoreboard (RFC 6675 section 3): which of what was sent has arrived, which is lost, and how
// much is in the network. It lives in the send queue's nodes and in Transfer's sums. What follows
// from it is recovery.hpp's.
#pragma once

#include "base/segment.hpp"
#include "tcp/congestion/congestion.hpp"
#include "tcp/parameters.hpp"
#include "tcp/tcb.hpp"
#include "tcp/transfer.hpp"

namespace handfast::tcp {

// What one ACK has told, gathered while the scoreboard takes it in.
struct AckNews {
  AckSample sample;
  bool advanced = false;             // SND.UNA moved
  bool dsack = false;                // something we sent arrived twice (RFC 2883)
  bool original_arrived = false;     // text sent only once, before RecoveryPoint, is delivered
  bool copy_was_needless = false;    // so did the original of what this recovery sent again
  bool space_freed = false;          // packets of the send queue went back
  std::uint32_t newest_sent_us = 0;  // when the newest of what it delivers was sent
  bool has_newest = false;
};

// Bytes in the network, as far as is known (RFC 6675 section 4, "pipe"; for a peer without SACK
// each duplicate ACK stands for a segment that has left it).
std::uint32_t pipe(const Tcb& tcb);

// SND.UNA becomes `ack`: frees what it covers. `ts_echo` is the ACK's TSecr, 0 without timestamps:
// it tells of the lowest segment that it covers, and not of those behind (RFC 7323 section 4.3).
void take_cumulative_ack(Tcb& tcb, Seq ack, std::uint32_t ts_echo, AckNews& news, Context& context);

// The ACK's SACK blocks; the first may be a D-SACK. Blocks that make no sense are passed over.
void take_sack_blocks(Tcb& tcb, const base::Segment& seg, AckNews& news, const Context& context);

// The delivery rate between the sending and the acknowledgement of the newest text in `news`.
void finish_rate_sample(Tcb& tcb, AckNews& news, const Context& context);

void mark_lost(Tcb& tcb, SendNode* node);
// Nothing counts as lost any more: the retransmissions were for nothing.
void unmark_lost(Tcb& tcb);
// The peer took back what it had selectively acknowledged (RFC 2018 section 8).
void forget_sacks(Tcb& tcb);

// The lowest lost segment that was not sent again, or null.
SendNode* first_lost(Tcb& tcb);

// `node` leaves, for the first time or again.
void note_sent(Tcb& tcb, SendNode* node, const Context& context);

// Cuts `node`, which is not in flight, so that it holds `length` bytes; the rest becomes a node of
// its own behind it. False when the pool is dry.
bool split(Tcb& tcb, SendNode* node, std::uint32_t length, Context& context);

}  // namespace handfast::tcp
