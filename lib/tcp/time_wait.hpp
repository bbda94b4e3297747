// TIME-WAIT as a decision: the record is the table's (28 bytes), what a segment does to it is
// here (RFC 9293 section 3.10.7.4, RFC 6191, RFC 1337).
#pragma once

#include "base/segment.hpp"
#include "base/seq.hpp"
#include "tcp/parameters.hpp"

namespace handfast::tcp {

struct TimeWait {
  base::Seq snd_nxt;
  base::Seq rcv_nxt;
  std::uint32_t ts_recent = 0;
  bool timestamps = false;
};

enum class TimeWaitVerdict : std::uint8_t {
  ignore,
  acknowledge,              // <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>
  acknowledge_and_restart,  // the peer's FIN again: our last ACK was lost; 2MSL starts anew
  reopen,                   // a SYN that is certainly newer: give it to LISTEN, with an ISS beyond
                            // the old SND.NXT (MAY-2)
};

TimeWaitVerdict time_wait_segment_arrives(const TimeWait& record, const base::Segment& seg,
                                          const Parameters& parameters);

base::Segment ack_of(const TimeWait& record, const Context& context);

}  // namespace handfast::tcp
