// PacketChain: a queue of received packets, 8 bytes when empty. Its links live in the packets' own
// headroom, so queueing allocates nothing. The receive queue of a connection is such a chain;
// reassembly.hpp uses the same links. What is sent has a queue of its own: send_queue.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include "base/packet.hpp"
#include "base/segment.hpp"
#include "base/seq.hpp"

namespace handfast::tcp {

struct QueuedPacket {
  QueuedPacket* next;
  base::Packet packet;
  std::byte* text;       // first byte of payload
  std::uint32_t length;  // bytes of payload
  base::Seq seq;         // of text[0]
  bool fin;              // FIN follows the payload
  // Only of a run's first packet, in reassembly.
  std::uint16_t run_packets;
  base::Seq run_end;  // a FIN counted
  QueuedPacket* run_last;
  QueuedPacket* lower;  // the tree's
  QueuedPacket* higher;

  base::Seq end() const { return seq + length; }
};
static_assert(sizeof(QueuedPacket) + alignof(QueuedPacket) <= base::kPacketHeadroom);

// Places the link in the headroom of `packet`.
inline QueuedPacket* make_queued(const base::Packet& packet, std::byte* text, std::uint32_t length,
                                 base::Seq seq, bool fin) {
  auto address = reinterpret_cast<std::uintptr_t>(packet.data) - sizeof(QueuedPacket);
  address &= ~(alignof(QueuedPacket) - 1);
  return new (reinterpret_cast<void*>(address))
      QueuedPacket{.packet = packet, .text = text, .length = length, .seq = seq, .fin = fin};
}

class PacketChain {
 public:
  bool is_empty() const { return tail_ == nullptr; }
  QueuedPacket* front() const { return tail_ == nullptr ? nullptr : tail_->next; }
  QueuedPacket* back() const { return tail_; }
  // The one behind `node`, or null at the end.
  QueuedPacket* after(const QueuedPacket* node) const {
    return node == tail_ ? nullptr : node->next;
  }

  void push_back(QueuedPacket* node) {
    link_first(node);
    tail_ = node;
  }
  void push_front(QueuedPacket* node) {
    const bool was_empty = is_empty();
    link_first(node);
    if (was_empty) tail_ = node;
  }
  // `first` to `last`, linked already.
  void push_back_linked(QueuedPacket* first, QueuedPacket* last) {
    last->next = is_empty() ? first : tail_->next;
    if (!is_empty()) tail_->next = first;
    tail_ = last;
  }
  QueuedPacket* pop_front() {
    QueuedPacket* const first = tail_->next;
    if (first == tail_) {
      tail_ = nullptr;
    } else {
      tail_->next = first->next;
    }
    return first;
  }
  void clear(base::PacketCache& packets) {
    while (!is_empty()) packets.free(pop_front()->packet);
  }

 private:
  // Makes `node` the first: behind the tail in the circle.
  void link_first(QueuedPacket* node) {
    if (tail_ == nullptr) {
      node->next = node;
    } else {
      node->next = tail_->next;
      tail_->next = node;
    }
  }
  QueuedPacket* tail_ = nullptr;  // a circle: tail_->next is the front
};

}  // namespace handfast::tcp
