#include "tests/fuzz/tcb_check.hpp"

#include "base/assert.hpp"
#include "tcp/timeouts.hpp"
#include "tcp/transfer.hpp"

namespace handfast::fuzz {

using base::Seq;
using tcp::SendNode;
using tcp::Tcb;

void check_sequence_numbers(const Tcb& tcb) {
  HANDFAST_ASSERT(tcb.snd_una.is_at_or_before(tcb.snd_nxt));
  HANDFAST_ASSERT(tcb.snd_nxt.is_at_or_before(tcb.snd_max));
  // What was sent was queued, and a FIN follows it.
  HANDFAST_ASSERT(tcb.snd_max.is_at_or_before(tcb.snd_end + (tcb.fin_queued ? 1 : 0)));
  if (tcb.state == State::syn_sent) return;
  HANDFAST_ASSERT(tcb.rcv_nxt.is_at_or_before(tcb.rcv_adv));
  HANDFAST_ASSERT(tcb.snd_mss != 0 && tcb.rto_us != 0);
  // Proportional rate reduction may let nothing leave for the moment.
  const tcp::Transfer* const t = tcb.transfer;
  const bool is_reducing =
      t != nullptr && (t->recovery == tcp::Recovery::fast || t->recovery == tcp::Recovery::cwr);
  if (tcb.is_synchronized() && !is_reducing) HANDFAST_ASSERT(tcb.cwnd != 0);
}

namespace {

struct Sums {
  std::uint32_t sacked = 0;
  std::uint32_t lost = 0;
  std::size_t in_time = 0;
};

// The nodes in order, without gaps, from SND.UNA to snd_end, what is sent before what is not.
Sums walk_nodes(const Tcb& tcb) {
  const tcp::Transfer& t = *tcb.transfer;
  Sums sums;
  const SendNode* const front = tcb.send_queue.front();
  Seq at = front != nullptr ? front->seq : tcb.snd_end;
  const SendNode* first_unsent = nullptr;
  for (const SendNode* node = front; node != nullptr; node = tcb.send_queue.after(node)) {
    HANDFAST_ASSERT(node->seq == at && node->length != 0);
    HANDFAST_ASSERT(!(node->is_sacked && node->is_lost));
    HANDFAST_ASSERT(!node->is_in_time || (node->is_sent && !node->is_sacked && !node->is_lost));
    if (!node->is_sent && first_unsent == nullptr) first_unsent = node;
    if (node->is_sent) HANDFAST_ASSERT(first_unsent == nullptr);
    sums.sacked += node->is_sacked ? node->length : 0;
    sums.lost += node->is_lost ? node->length : 0;
    sums.in_time += node->is_in_time ? 1 : 0;
    at = node->end();
  }
  HANDFAST_ASSERT(at == tcb.snd_end);
  HANDFAST_ASSERT(t.unsent == first_unsent);
  return sums;
}

void check_order_of_transmission(const Tcb& tcb, std::size_t expected) {
  const SendNode* earlier = nullptr;
  std::size_t count = 0;
  for (const SendNode* node = tcb.transfer->in_time.oldest(); node != nullptr; node = node->later) {
    HANDFAST_ASSERT(node->is_in_time && node->earlier == earlier);
    earlier = node;
    HANDFAST_ASSERT(++count <= expected);
  }
  HANDFAST_ASSERT(count == expected && tcb.transfer->in_time.newest() == earlier);
}

}  // namespace

void check_send_queue(const Tcb& tcb) {
  if (tcb.transfer == nullptr) {
    HANDFAST_ASSERT(tcb.send_queue.is_empty());
    return;
  }
  const bool has_synchronized = tcb.is_synchronized();
  const SendNode* const front = tcb.send_queue.front();
  if (front != nullptr && has_synchronized) HANDFAST_ASSERT(front->seq == tcb.snd_una);
  const Sums sums = walk_nodes(tcb);
  HANDFAST_ASSERT(sums.sacked == tcb.transfer->sacked_bytes);
  HANDFAST_ASSERT(sums.lost == tcb.transfer->lost_bytes);
  check_order_of_transmission(tcb, sums.in_time);
}

void check_receive_queue(const Tcb& tcb) {
  std::uint32_t held = 0;
  for (const auto* node = tcb.receive_queue.front(); node != nullptr;
       node = tcb.receive_queue.after(node)) {
    HANDFAST_ASSERT(node->length != 0);
    held += node->length;
  }
  HANDFAST_ASSERT(held == tcb.receive_held);
}

void check_reassembly(const Tcb& tcb) {
  std::size_t packets = 0;
  Seq end = tcb.rcv_nxt;
  bool is_behind_fin = false;
  for (const auto* run = tcb.reassembly.lowest(); run != nullptr;) {
    // Apart from RCV.NXT and from each other: else they would have been joined. What a peer that
    // lies has sent behind its own FIN is not joined to that.
    HANDFAST_ASSERT(is_behind_fin ? run->seq.is_at_or_after(end) : run->seq.is_after(end));
    HANDFAST_ASSERT(!run->run_end.is_after(tcb.rcv_adv + 1));
    Seq at = run->seq;
    std::size_t count = 0;
    const auto* node = run;
    while (true) {
      HANDFAST_ASSERT(node->seq == at);
      HANDFAST_ASSERT(node->length != 0 || node->fin);
      ++count;
      at = node->end();
      if (node == run->run_last) break;
      HANDFAST_ASSERT(!node->fin);
      node = node->next;
    }
    HANDFAST_ASSERT(count == run->run_packets);
    HANDFAST_ASSERT(run->run_end == at + (run->run_last->fin ? 1 : 0));
    packets += count;
    is_behind_fin = run->run_last->fin;
    end = run->run_end;
    run = tcb.reassembly.starting_after(run->seq);
  }
  HANDFAST_ASSERT(packets == tcb.reassembly_count);
}

void check_deadline(const Tcb& tcb) {
  if (tcb.state == State::closed || tcb.state == State::time_wait) return;
  const bool is_owed = tcb.in_flight() > 0 || tcb.snd_end.is_after(tcb.snd_nxt) ||
                       (tcb.fin_queued && !tcb.fin_acked()) || !tcb.is_synchronized();
  if (is_owed) HANDFAST_ASSERT(tcp::next_deadline(tcb) != base::kNoTick);
}

}  // namespace handfast::fuzz
