// The RST that answers a segment which belongs to no connection, or acknowledges what was never
// sent (RFC 9293 section 3.5.2 groups 1 and 2, section 3.10.7.1).
#pragma once

#include <optional>

#include "base/segment.hpp"

namespace handfast::tcp {

// Nothing for a RST: that is never answered.
inline std::optional<base::Segment> reset_for(const base::Segment& seg) {
  if (seg.has(base::kRst)) return std::nullopt;
  base::Segment rst;
  if (seg.has(base::kAck)) {
    rst.seq = seg.ack;
    rst.flags = base::kRst;
  } else {
    rst.ack = seg.seq + seg.len();
    rst.flags = base::kRst | base::kAck;
  }
  return rst;
}

}  // namespace handfast::tcp
