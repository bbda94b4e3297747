// HalfOpen: SYN-RECEIVED of a passive open, in one cache line. It answers the SYN, sends the
// SYN-ACK again while the third segment is missing, and becomes a full Tcb only when that segment
// has come. LISTEN's own decision is here too, since it makes these.
#pragma once

#include <optional>

#include "base/flow_key.hpp"
#include "base/segment.hpp"
#include "tcp/handshake_options.hpp"
#include "tcp/parameters.hpp"

namespace handfast::tcp {

// What waits in the stack's list to be sent.
enum class HalfOpenAnswer : std::uint8_t {
  none,
  syn_ack,
  syn_ack_with_cookie,  // RFC 7413: the SYN asked for one, or showed a bad one
  acknowledgement,      // RFC 9293 section 3.10.7.4 first step
};

struct HalfOpen {
  base::FlowKey key;
  std::uint32_t generation;  // the slab's
  union {
    Seq irs;
    std::uint32_t next_free;  // the slab's
  };
  Seq iss;
  std::uint32_t ts_recent;
  base::TimerNode timer;  // the wheel's
  std::uint16_t peer_mss;
  std::uint8_t retransmits : 6;
  bool sack : 1;
  bool ecn : 1;
  std::uint8_t window_shift : 4;  // kNoScaling: not offered
  bool answered_again : 1;        // the SYN-ACK left more than once without a time-out
  bool timestamps : 1;
  HalfOpenAnswer answer : 2;

  // No shift is more than 14 (RFC 7323 section 2.3).
  static constexpr std::uint8_t kNoScaling = 15;

  Seq rcv_nxt() const { return irs + 1; }
  bool window_scaling() const { return window_shift != kNoScaling; }
};
static_assert(sizeof(HalfOpen) == 64);

// LISTEN (RFC 9293 section 3.10.7.2).
enum class ListenVerdict : std::uint8_t { ignore, reset, open };
ListenVerdict listen_segment_arrives(const base::Segment& seg);

// Fills a fresh record from an acceptable SYN; the SYN-ACK is then to be sent.
void open_half(HalfOpen& half, const base::FlowKey& key, const base::Segment& syn, Seq iss,
               const Context& context);

// SYN-RECEIVED of a passive open (RFC 9293 section 3.10.7.4), for the caller to act on. Notes in
// the record that the SYN-ACK is about to leave again.
enum class HalfOpenVerdict : std::uint8_t {
  ignore,
  acknowledge,     // outside the window: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>
  answer_again,    // the same SYN once more: our SYN-ACK was lost
  reset,           // it acknowledges what was never sent: answer with reset_for()
  back_to_listen,  // RST, or another SYN, inside the window: drop the record
  establish,       // make it a Tcb and let the segment arrive there
};
HalfOpenVerdict half_open_segment_arrives(HalfOpen& half, const base::Segment& seg,
                                          const Context& context);

// The record's SYN-ACK, and the ACK of HalfOpenVerdict::acknowledge.
base::Segment syn_ack_of(const HalfOpen& half, const Context& context);
base::Segment ack_of(const HalfOpen& half, const Context& context);

// When the record's timer ran out: the tick of the next one after sending the SYN-ACK again, or
// nothing: it has lasted `syn_timeout` (MUST-22, MUST-23), drop it.
std::optional<Tick> half_open_timed_out(HalfOpen& half, const Context& context);
// The deadline after the first SYN-ACK.
Tick first_half_open_deadline(const Context& context);

// Makes the Tcb, in SYN-RECEIVED, its SYN-ACK sent, and timed if it was sent only once. Its slab,
// wheel and stack fields are left alone.
void promote(Tcb& tcb, const HalfOpen& half, const Context& context);

}  // namespace handfast::tcp
