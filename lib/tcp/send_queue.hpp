// SendQueue: the bytes that send() was given and the peer has not acknowledged, in the packets they
// will leave in. It is also the scoreboard of RFC 6675: what is known of each packet's text
// (delivered, lost, sent again) stands in the packet's own headroom, so nothing is allocated for
// it. Two orders run through it: by sequence number, and by time of the last transmission (which
// RACK needs, RFC 8985 section 6.2).
//
//   buffer start          packet.data          text
//        |  SendNode, 128 B   |  headers go here  |  length bytes   |
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include "base/packet.hpp"
#include "base/seq.hpp"

namespace handfast::tcp {

using base::Seq;

struct SendNode {
  SendNode* next;     // by number; the queue's
  SendNode* earlier;  // by time of transmission, among those in flight; the queue's
  SendNode* later;
  base::Packet packet;
  std::byte* text;
  Seq seq;               // of text[0]
  std::uint32_t length;  // bytes of text, at most what one segment carries
  std::uint32_t sent_us;
  std::uint32_t sent_ts;  // TSval
  // As they were when it was sent, for the delivery rate (draft-cheng-iccrg-delivery-rate-
  // estimation): Transfer::delivered, and the two times.
  std::uint64_t delivered;
  std::uint32_t delivered_us;
  std::uint32_t first_sent_us;
  bool is_sent : 1;
  bool is_sacked : 1;
  bool is_lost : 1;     // and not sent again since
  bool is_in_time : 1;  // stands in the order of transmission
  bool was_resent : 1;  // more than once on the wire: its round trip is ambiguous (Karn)
  bool was_app_limited : 1;
  bool is_closed : 1;  // there may be no room behind the text: nothing is appended

  Seq end() const { return seq + length; }
};
static_assert(sizeof(SendNode) <= base::kPacketHeadroom);

class SendQueue {
 public:
  bool is_empty() const { return tail_ == nullptr; }
  SendNode* front() const { return tail_ == nullptr ? nullptr : tail_->next; }
  SendNode* back() const { return tail_; }
  SendNode* after(const SendNode* node) const { return node == tail_ ? nullptr : node->next; }

  void push_back(SendNode* node) {
    if (tail_ == nullptr) {
      node->next = node;
    } else {
      node->next = tail_->next;
      tail_->next = node;
    }
    tail_ = node;
  }
  void insert_after(SendNode* position, SendNode* node) {
    node->next = position->next;
    position->next = node;
    if (position == tail_) tail_ = node;
  }
  SendNode* pop_front() {
    SendNode* const first = tail_->next;
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
  SendNode* tail_ = nullptr;  // a circle: tail_->next is the front
};

// Those in flight and not known to be delivered or lost, the one sent longest ago first.
class TransmissionOrder {
 public:
  SendNode* oldest() const { return oldest_; }
  SendNode* newest() const { return newest_; }

  void push(SendNode* node) {
    node->is_in_time = true;
    node->later = nullptr;
    node->earlier = newest_;
    (newest_ == nullptr ? oldest_ : newest_->later) = node;
    newest_ = node;
  }
  // Where its time puts it, which is not before `from` (null: anywhere).
  void put_back(SendNode* node, SendNode* from) {
    SendNode* next = from == nullptr ? oldest_ : from->later;
    while (next != nullptr && was_sent_before(*next, *node)) next = next->later;
    if (next == nullptr) return push(node);
    node->is_in_time = true;
    node->later = next;
    node->earlier = next->earlier;
    (next->earlier == nullptr ? oldest_ : next->earlier->later) = node;
    next->earlier = node;
  }
  void remove(SendNode* node) {
    if (!node->is_in_time) return;
    node->is_in_time = false;
    (node->earlier == nullptr ? oldest_ : node->earlier->later) = node->later;
    (node->later == nullptr ? newest_ : node->later->earlier) = node->earlier;
  }

 private:
  static bool was_sent_before(const SendNode& a, const SendNode& b) {
    const auto sooner = static_cast<std::int32_t>(b.sent_us - a.sent_us);
    return sooner > 0 || (sooner == 0 && a.seq.is_before(b.seq));
  }

  SendNode* oldest_ = nullptr;
  SendNode* newest_ = nullptr;
};

// The headers of a segment with every option fit between the node and its text.
inline constexpr std::uint32_t kHeaderRoom = 128;

// Bytes of text that a packet of this pool holds in the send queue.
inline std::uint32_t send_node_room(const base::PacketCache& packets) {
  const std::size_t room = packets.data_room();
  return static_cast<std::uint32_t>(room > kHeaderRoom ? room - kHeaderRoom : 0);
}

// Makes a packet with text in it a node, which takes as much of the headroom as it needs.
inline SendNode* make_send_node(const base::Packet& packet, std::byte* text, std::uint32_t length,
                                Seq seq) {
  static_assert(sizeof(SendNode) + alignof(SendNode) <= base::kPacketHeadroom);
  auto address = reinterpret_cast<std::uintptr_t>(packet.data) - sizeof(SendNode);
  address &= ~(alignof(SendNode) - 1);
  return new (reinterpret_cast<void*>(address))
      SendNode{.packet = packet, .text = text, .seq = seq, .length = length, .is_closed = true};
}

// Makes a fresh packet, with nothing in it yet, a node.
inline SendNode* make_send_node(const base::Packet& packet, Seq seq) {
  return new (packet.data - base::kPacketHeadroom)
      SendNode{.packet = packet, .text = packet.data + kHeaderRoom, .seq = seq};
}

}  // namespace handfast::tcp
