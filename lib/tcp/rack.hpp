// RACK-TLP (RFC 8985): loss told by time. What was sent long enough before something that has
// arrived is lost; and when nothing arrives at all, a probe of the tail asks.
#pragma once

#include "base/segment.hpp"
#include "tcp/parameters.hpp"
#include "tcp/scoreboard.hpp"
#include "tcp/tcb.hpp"
#include "tcp/transfer.hpp"

namespace handfast::tcp {

// Section 6.2, steps 1 to 3: `node` has been delivered. `ts_echo`: the TSecr of the ACK if that
// tells of this segment; 0: it does not.
void rack_note_delivery(Tcb& tcb, const SendNode& node, std::uint32_t ts_echo,
                        const Context& context);

// Section 6.2, step 4: the reordering window follows what D-SACK and recoveries tell.
void rack_adapt_window(Tcb& tcb, bool dsack);
void rack_recovery_ended(Transfer& transfer);

// Section 6.2, step 5: marks what is lost by now. When something may be lost soon,
// Transfer::reordering_timer is set and the time until then returned, else 0.
std::uint32_t rack_detect_loss(Tcb& tcb, const Context& context);

// Microseconds of reordering that are still no loss.
std::uint32_t rack_reordering_window(const Tcb& tcb);

// Section 7.2: whether a probe of the tail is to be the next time-out, and after how long (less
// than the retransmission time-out).
bool may_probe_tail(const Tcb& tcb);
std::uint32_t tail_probe_time_out_us(const Tcb& tcb, const Context& context);

// Section 7.4: an ACK while a probe is unanswered. True: the probe repaired a loss, which the
// congestion control has to hear of.
bool tail_probe_answered(Tcb& tcb, const base::Segment& seg, const AckNews& news);

}  // namespace handfast::tcp
