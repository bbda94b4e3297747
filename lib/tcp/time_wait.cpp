#include "tcp/time_wait.hpp"

namespace handfast::tcp {

using base::Segment;
using base::TcpOptions;

namespace {

// RFC 6191 section 2: whether a SYN begins a new incarnation for certain.
bool is_newer_syn(const TimeWait& record, const Segment& syn, const Parameters& parameters) {
  const bool with_timestamps = parameters.timestamps && syn.options.has(TcpOptions::kTimestamps);
  const bool beyond_old_numbers = syn.seq.is_after(record.rcv_nxt);
  if (!record.timestamps) return with_timestamps || beyond_old_numbers;
  if (!with_timestamps) return beyond_old_numbers;
  const auto ahead = static_cast<std::int32_t>(syn.options.ts_value - record.ts_recent);
  return ahead > 0 || (ahead == 0 && beyond_old_numbers);
}

}  // namespace

TimeWaitVerdict time_wait_segment_arrives(const TimeWait& record, const Segment& seg,
                                          const Parameters& parameters) {
  // RFC 1337 section 3: a RST does not end TIME-WAIT, or an old one could.
  if (seg.has(base::kRst)) return TimeWaitVerdict::ignore;
  if (seg.has(base::kSyn) && !seg.has(base::kAck) && is_newer_syn(record, seg, parameters)) {
    return TimeWaitVerdict::reopen;
  }
  // "The only thing that can arrive in this state is a retransmission of the remote FIN."
  if (seg.has(base::kFin) && !seg.has(base::kSyn) && seg.seq + seg.len() == record.rcv_nxt) {
    return TimeWaitVerdict::acknowledge_and_restart;
  }
  // Deviation: no ACK is answered, wherever it stands. Another TIME-WAIT, or what an old or a
  // forged SYN has opened at the peer, would answer the answer, and so for ever.
  if (seg.len() == 0) return TimeWaitVerdict::ignore;
  return TimeWaitVerdict::acknowledge;
}

Segment ack_of(const TimeWait& record, const Context& context) {
  Segment segment;
  segment.seq = record.snd_nxt;
  segment.ack = record.rcv_nxt;
  segment.flags = base::kAck;
  if (record.timestamps) {
    segment.options.present |= TcpOptions::kTimestamps;
    segment.options.ts_value = context.timestamp;
    segment.options.ts_echo = record.ts_recent;
  }
  return segment;
}

}  // namespace handfast::tcp
