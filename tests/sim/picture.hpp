// Picture: the frames of one connection as lines of text, one a segment, as seen at one end. What
// docs/recovery.md shows; needs no pcap and no other program.
//
//      time ms     segment                        ack  sack
//       61.204 ->  1449..2897                       1                      lost
//       81.446 <-                                1449  2897..4345
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/segment.hpp"
#include "handfast/time.hpp"

namespace handfast::sim {

class Picture {
 public:
  static std::string heading();

  // The line for a frame, with a newline; empty when it is not TCP. Sequence numbers count from
  // each end's SYN, times from the first segment; `->` are those of who sent the first SYN. Text
  // that was sent before is marked "again". `note` ends the line: what became of the frame.
  std::string line_of(Instant now, base::Bytes frame, std::string_view note = {});

 private:
  struct End {
    base::Seq first;
    base::Seq next;  // behind the highest sent
    bool is_known = false;
  };
  std::string segment_of(const base::Segment& segment, End& end) const;

  std::optional<Instant> start_;
  std::uint16_t sender_port_ = 0;
  End sender_;
  End receiver_;
};

}  // namespace handfast::sim
