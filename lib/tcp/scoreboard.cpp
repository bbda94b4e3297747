#include "tcp/scoreboard.hpp"

#include <algorithm>
#include <cstring>

#include "tcp/rack.hpp"

namespace handfast::tcp {

using base::SackBlock;

namespace {

// The newest text tells the most: of two with one time, the one further on.
bool is_newer(const SendNode& node, const AckNews& news) {
  return !news.has_newest || static_cast<std::int32_t>(node.sent_us - news.newest_sent_us) >= 0;
}

// Eifel detection (RFC 3522 section 3.2), for the segment that the echo tells of: it left before
// that was sent again. What an earlier recovery sent again says nothing of this one.
bool is_original_of_copy(const Transfer& t, const SendNode& node, std::uint32_t ts_echo) {
  if (!node.was_resent || ts_echo == 0 || t.first_resent_ts == 0) return false;
  return static_cast<std::int32_t>(ts_echo - node.sent_ts) < 0 &&
         static_cast<std::int32_t>(node.sent_ts - t.first_resent_ts) >= 0;
}

// `bytes` of `node`, not known to have arrived before, have.
void deliver(Tcb& tcb, SendNode* node, std::uint32_t bytes, AckNews& news, std::uint32_t ts_echo,
             const Context& context) {
  Transfer& t = *tcb.transfer;
  if (node->is_lost) t.lost_bytes -= bytes;
  t.delivered += bytes;
  t.delivered_us = context.now_us;
  news.sample.delivered += bytes;
  if (bytes >= tcb.snd_mss) t.full_size_arrived = true;
  if (!node->is_sent) return;  // a probe of a closed window was let in
  if (!node->was_resent) {
    if (node->end().is_at_or_before(t.recover)) news.original_arrived = true;
    news.sample.rtt_us = std::max(context.now_us - node->sent_us, 1U);
  }
  if (is_original_of_copy(t, *node, ts_echo)) news.copy_was_needless = true;
  if (is_newer(*node, news)) {
    news.has_newest = true;
    news.newest_sent_us = node->sent_us;
    news.sample.prior_delivered = node->delivered;
    news.sample.is_app_limited = node->was_app_limited;
    // The longer of the two intervals: that in which it was sent, that in which it was acknowledged
    // (draft-cheng-iccrg-delivery-rate-estimation section 3.1).
    const std::uint32_t sending = node->sent_us - node->first_sent_us;
    const std::uint32_t acking = context.now_us - node->delivered_us;
    news.sample.rate_interval_us = std::max(sending, acking);
    t.first_sent_us = node->sent_us;
  }
  rack_note_delivery(tcb, *node, ts_echo, context);
}

void forget_node(Transfer& t, SendNode* node, SendNode* next) {
  t.in_time.remove(node);
  if (t.unsent == node) t.unsent = next;
  if (t.sack_hint == node) t.sack_hint = nullptr;
  if (t.lost_hint == node) t.lost_hint = next;
}

// A block of the last ACK that holds the beginning of `block`, so that its part is done already.
Seq first_unseen(const Transfer& t, const SackBlock& block) {
  for (std::size_t i = 0; i < t.seen_sack_count; ++i) {
    const SackBlock& seen = t.seen_sacks[i];
    if (seen.left.is_at_or_before(block.left) && seen.right.is_after(block.left)) {
      return seen.right;
    }
  }
  return block.left;
}

void take_block(Tcb& tcb, const SackBlock& block, AckNews& news, const Context& context) {
  Transfer& t = *tcb.transfer;
  const Seq from = first_unseen(t, block);
  if (!from.is_before(block.right)) return;
  SendNode* node = tcb.send_queue.front();
  if (t.sack_hint != nullptr && t.sack_hint->seq.is_at_or_before(from)) node = t.sack_hint;
  for (; node != nullptr && node->is_sent && node->seq.is_before(block.right);
       node = tcb.send_queue.after(node)) {
    const bool is_covered =
        node->seq.is_at_or_after(block.left) && node->end().is_at_or_before(block.right);
    if (!is_covered || node->is_sacked) continue;
    deliver(tcb, node, node->length, news, 0, context);
    t.in_time.remove(node);
    node->is_lost = false;
    node->is_sacked = true;
    t.sacked_bytes += node->length;
    if (t.sack_hint == nullptr || node->seq.is_after(t.sack_hint->seq)) t.sack_hint = node;
  }
}

// RFC 2883 section 4: the first block lies below SEG.ACK, or inside the second.
bool is_dsack(const base::Segment& seg) {
  const SackBlock& first = seg.options.sack[0];
  if (first.right.is_at_or_before(seg.ack)) return true;
  if (seg.options.sack_count < 2) return false;
  const SackBlock& second = seg.options.sack[1];
  return first.left.is_at_or_after(second.left) && first.right.is_at_or_before(second.right);
}

bool is_plausible(const Tcb& tcb, const SackBlock& block) {
  return block.left.is_before(block.right) && block.left.is_at_or_after(tcb.snd_una) &&
         block.right.is_at_or_before(tcb.snd_nxt);
}

}  // namespace

std::uint32_t pipe(const Tcb& tcb) {
  const std::uint32_t flight = tcb.in_flight();
  const Transfer* const t = tcb.transfer;
  if (t == nullptr) return flight;
  const std::uint32_t gone =
      t->sacked_bytes + t->lost_bytes + std::uint32_t{t->duplicate_acks} * tcb.snd_mss;
  return flight > gone ? flight - gone : 0;
}

void take_cumulative_ack(Tcb& tcb, Seq ack, std::uint32_t ts_echo, AckNews& news,
                         Context& context) {
  news.sample.acked = ack - tcb.snd_una;
  news.advanced = true;
  tcb.snd_una = ack;
  tcb.snd_nxt = base::later_of(tcb.snd_nxt, ack);
  if (tcb.transfer == nullptr) return;
  Transfer& t = *tcb.transfer;
  while (SendNode* const first = tcb.send_queue.front()) {
    if (!first->seq.is_before(ack)) break;
    const std::uint32_t covered = std::min(ack - first->seq, first->length);
    if (first->is_sacked) {
      t.sacked_bytes -= covered;
    } else {
      deliver(tcb, first, covered, news, ts_echo, context);
      ts_echo = 0;
    }
    if (covered < first->length) {
      first->text += covered;
      first->seq += covered;
      first->length -= covered;
      first->is_closed = true;  // a probe took its beginning: there is less room behind it now
      break;
    }
    forget_node(t, first, tcb.send_queue.after(first));
    context.packets.free(tcb.send_queue.pop_front()->packet);
    news.space_freed = true;
  }
}

void take_sack_blocks(Tcb& tcb, const base::Segment& seg, AckNews& news, const Context& context) {
  Transfer& t = *tcb.transfer;
  const std::size_t count = seg.options.sack_count;
  if (count == 0) {
    t.seen_sack_count = 0;
    return;
  }
  news.dsack = is_dsack(seg);
  const std::span blocks = std::span{seg.options.sack}.first(count).subspan(news.dsack ? 1 : 0);
  std::size_t kept = 0;
  for (const SackBlock& block : blocks) {
    if (is_plausible(tcb, block)) take_block(tcb, block, news, context);
  }
  for (const SackBlock& block : blocks) {
    if (is_plausible(tcb, block)) t.seen_sacks[kept++] = block;
  }
  t.seen_sack_count = static_cast<std::uint8_t>(kept);
}

void finish_rate_sample(Tcb& tcb, AckNews& news, const Context&) {
  Transfer& t = *tcb.transfer;
  if (!news.has_newest) {
    news.sample.rate_interval_us = 0;
    return;
  }
  news.sample.rate_bytes = t.delivered - news.sample.prior_delivered;
  // Shorter than the shortest round trip cannot be: ACKs came compressed.
  if (news.sample.rate_interval_us < t.min_rtt_us) news.sample.rate_interval_us = 0;
  if (news.sample.rate_interval_us == 0) return;
  // A sample of the application's own pace counts only when it is faster (as Linux has it).
  const std::uint64_t rate = news.sample.rate_bytes * 1'000'000 / news.sample.rate_interval_us;
  if (!news.sample.is_app_limited || rate > t.delivery_rate) t.delivery_rate = rate;
}

void mark_lost(Tcb& tcb, SendNode* node) {
  Transfer& t = *tcb.transfer;
  if (node->is_lost || node->is_sacked) return;
  t.in_time.remove(node);
  node->is_lost = true;
  t.lost_bytes += node->length;
  ++t.total_lost;
  if (t.lost_hint == nullptr || node->seq.is_before(t.lost_hint->seq)) t.lost_hint = node;
}

void unmark_lost(Tcb& tcb) {
  Transfer& t = *tcb.transfer;
  // Those sent once stand in the order of their times: one walk puts them all back.
  SendNode* put_last = nullptr;
  while (SendNode* const node = first_lost(tcb)) {
    node->is_lost = false;
    t.lost_bytes -= node->length;
    if (node->was_resent) {
      t.in_time.push(node);
    } else {
      t.in_time.put_back(node, put_last);
      put_last = node;
    }
  }
}

void forget_sacks(Tcb& tcb) {
  Transfer& t = *tcb.transfer;
  for (SendNode* node = tcb.send_queue.front(); node != nullptr && node->is_sent;
       node = tcb.send_queue.after(node)) {
    node->is_sacked = false;
  }
  t.sacked_bytes = 0;
  t.sack_hint = nullptr;
  t.seen_sack_count = 0;
}

SendNode* first_lost(Tcb& tcb) {
  Transfer& t = *tcb.transfer;
  SendNode* node = t.lost_bytes == 0 ? nullptr : t.lost_hint;
  while (node != nullptr && !node->is_lost) node = tcb.send_queue.after(node);
  t.lost_hint = node;
  return node;
}

void note_sent(Tcb& tcb, SendNode* node, const Context& context) {
  Transfer& t = *tcb.transfer;
  if (node->is_lost) {
    node->is_lost = false;
    t.lost_bytes -= node->length;
  }
  if (node->is_sent) {
    node->was_resent = true;
    ++t.total_retrans;
    if (t.recovery == Recovery::fast || t.recovery == Recovery::loss) {
      ++t.resent_segments;
      if (t.first_resent_ts == 0) t.first_resent_ts = context.timestamp;
    }
  } else {
    // Nothing was in flight: a new interval of sending begins.
    if (tcb.snd_una == tcb.snd_nxt) t.first_sent_us = t.delivered_us = context.now_us;
  }
  node->is_sent = true;
  node->sent_us = context.now_us;
  node->sent_ts = context.timestamp;
  node->delivered = t.delivered;
  node->delivered_us = t.delivered_us;
  node->first_sent_us = t.first_sent_us;
  node->was_app_limited = t.delivered < t.app_limited_until;
  t.in_time.remove(node);
  t.in_time.push(node);
}

bool split(Tcb& tcb, SendNode* node, std::uint32_t length, Context& context) {
  // What is cut off stays in the queue, as if it had been queued now. The oldest may have more:
  // what it has cut off comes back with its acknowledgement.
  const bool is_oldest = node == tcb.send_queue.front();
  if (is_oldest ? !context.packets.can_answer() : context.packets.is_low()) return false;
  base::Packet packet;
  if (!context.packets.allocate(packet)) return false;
  SendNode* const rest = make_send_node(packet, node->seq + length);
  rest->length = node->length - length;
  std::memcpy(rest->text, node->text + length, rest->length);
  rest->is_sent = node->is_sent;
  rest->is_lost = node->is_lost;
  rest->was_resent = node->was_resent;
  rest->sent_us = node->sent_us;
  rest->sent_ts = node->sent_ts;
  node->length = length;
  tcb.send_queue.insert_after(node, rest);
  return true;
}

}  // namespace handfast::tcp
