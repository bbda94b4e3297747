// PacketChain: a queue of packets with sequence numbers, 8 bytes when empty. Its links live in the
// packets' own headroom, so queueing allocates nothing. The send queue, the receive queue and the
// reassembly queue of a connection are such chains.
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

  base::Seq end() const { return seq + length; }
};
static_assert(sizeof(QueuedPacket) + alignof(QueuedPacket) <= base::kPacketHeadroom);

// Places the link in the headroom of `packet`.
inline QueuedPacket* make_queued(const base::Packet& packet, std::byte* text, std::uint32_t length,
                                 base::Seq seq, bool fin) {
  auto address = reinterpret_cast<std::uintptr_t>(packet.data) - sizeof(QueuedPacket);
  address &= ~(alignof(QueuedPacket) - 1);
  return new (reinterpret_cast<void*>(address)) QueuedPacket{
      .next = nullptr, .packet = packet, .text = text, .length = length, .seq = seq, .fin = fin};
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
  // `position` null means: at the front.
  void insert_after(QueuedPacket* position, QueuedPacket* node) {
    if (position == nullptr) return push_front(node);
    node->next = position->next;
    position->next = node;
    if (position == tail_) tail_ = node;
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
