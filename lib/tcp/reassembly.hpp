// Reassembly: what has arrived beyond a gap, as runs: packets in order with no gap between them. A
// run is what a SACK block tells of, and what moves to the receive queue at once when the gap
// before it closes. 8 bytes when empty; the links live in the packets' headroom.
//
//   RCV.NXT     run            run
//   ---|  gap  [p][p][p]  gap  [p]
//
// The runs stand in a binary tree by number, its shape decided by the buffers' addresses as if by
// dice (a treap), which no peer knows: with r runs a search, an insertion or a removal costs
// O(log r) on average whatever order segments arrive in; with one gap, the usual case, one step.
// What is kept of a segment, and how much is kept at all, is decided in receive_text.cpp.
#pragma once

#include "base/packet.hpp"
#include "base/seq.hpp"
#include "tcp/packet_chain.hpp"

namespace handfast::tcp {

class Reassembly {
 public:
  bool is_empty() const { return root_ == nullptr; }
  // Runs, each named by its first packet; null: there is none.
  QueuedPacket* lowest() const;
  QueuedPacket* highest() const;
  QueuedPacket* starting_at_or_before(base::Seq seq) const;
  QueuedPacket* starting_after(base::Seq seq) const;
  // The run that `seq` lies in.
  QueuedPacket* holding(base::Seq seq) const;

  // A run of one packet, apart from all others.
  void insert(QueuedPacket* packet);
  // `packet` follows `run` without a gap.
  void append(QueuedPacket* run, QueuedPacket* packet);
  // `behind`, the next run, follows `run` without a gap.
  void join(QueuedPacket* run, QueuedPacket* behind);
  void remove(QueuedPacket* run);
  void clear(base::PacketCache& packets) {
    if (!is_empty()) free_all(packets);
  }

 private:
  void free_all(base::PacketCache& packets);
  void link(QueuedPacket* run);
  QueuedPacket* root_ = nullptr;
};

}  // namespace handfast::tcp
