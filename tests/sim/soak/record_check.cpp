#include "tests/sim/soak/record_check.hpp"

#include <algorithm>

#include "tcp/output.hpp"
#include "tcp/receive_window.hpp"
#include "tcp/timeouts.hpp"

namespace handfast::sim {

using base::Seq;
using base::Tick;
using stack::Inspector;
using stack::RecordKind;
using tcp::Tcb;

namespace {

bool is_later(Tick a, Tick b) {
  return static_cast<std::int32_t>(a - b) > 0;
}

bool has_unsent(const Tcb& tcb) {
  return tcb.snd_end.is_after(tcb.snd_nxt) ||
         (tcb.fin_queued && tcb.snd_nxt.is_at_or_before(tcb.snd_end));
}

bool may_send(State state) {
  return state == State::established || state == State::close_wait || state == State::fin_wait_1 ||
         state == State::closing || state == State::last_ack;
}

// Whether the peer, or we, owe the other something.
bool owes(const Tcb& tcb) {
  if (tcb.state == State::syn_sent || tcb.state == State::syn_received) return true;
  return tcb.in_flight() > 0 || (has_unsent(tcb) && may_send(tcb.state));
}

}  // namespace

void RecordCheck::fail(const Tcb& tcb, const char* what, std::uint64_t a, std::uint64_t b) {
  journal_.fail("host {} port {} {}: {} ({}, {})", host_, tcb.key.local_port, to_string(tcb.state),
                what, a, b);
}

void RecordCheck::forget() {
  seen_.clear();
  waiting_.clear();
  time_waits_entered_ = time_waits_given_up_ = 0;
}

void RecordCheck::check(const stack::Stack& stack) {
  const Inspector in(stack);
  in.for_each_connection(
      [&](std::uint32_t index, const Tcb& tcb) { check_connection(in, index, tcb); });
  in.for_each_half_open(
      [&](std::uint32_t, const tcp::HalfOpen& half) { check_half_open(in, half); });
  check_tables(stack, in);
  check_time_waits(stack, in);
}

void RecordCheck::check_connection(const Inspector& in, std::uint32_t index, const Tcb& tcb) {
  check_progress(index, tcb);
  if (tcb.detached) return check_receive_queue(in, tcb);
  const Seq fin_end = tcb.snd_end + (tcb.fin_queued ? 1U : 0U);
  if (tcb.snd_una.is_after(tcb.snd_nxt))
    fail(tcb, "SND.UNA > SND.NXT", tcb.snd_una.raw(), tcb.snd_nxt.raw());
  if (tcb.snd_nxt.is_after(tcb.snd_max))
    fail(tcb, "SND.NXT > SND.MAX", tcb.snd_nxt.raw(), tcb.snd_max.raw());
  if (tcb.snd_max.is_after(fin_end))
    fail(tcb, "SND.MAX is beyond the data", tcb.snd_max.raw(), fin_end.raw());
  if (tcb.is_synchronized() && tcb.rcv_nxt.is_after(tcb.rcv_adv)) {
    fail(tcb, "RCV.NXT is beyond the window", tcb.rcv_nxt.raw(), tcb.rcv_adv.raw());
  }
  check_send_queue(in, tcb);
  check_receive_queue(in, tcb);
  check_reassembly(in, tcb);
  check_timer(in, tcb);
  if (in.kind_of(tcb.key) != RecordKind::connection) fail(tcb, "is not in the flow table", 0, 0);
}

// Numbers go forward only, and so does the right edge of our window.
void RecordCheck::check_progress(std::uint32_t index, const Tcb& tcb) {
  if (index >= seen_.size()) seen_.resize(index + 1);
  Seen& seen = seen_[index];
  if (seen.generation == tcb.generation) {
    if (tcb.snd_una.is_before(seen.snd_una))
      fail(tcb, "SND.UNA went back", seen.snd_una.raw(), tcb.snd_una.raw());
    // In SYN-SENT the peer's are not known yet, and of ours the text that its SYN-ACK does not take
    // leaves again as if it never had (RFC 7413 section 4.1.3).
    const bool is_known = seen.state != State::syn_sent;
    if (is_known && tcb.snd_nxt.is_before(seen.snd_nxt))
      fail(tcb, "SND.NXT went back", seen.snd_nxt.raw(), tcb.snd_nxt.raw());
    if (is_known && tcb.snd_max.is_before(seen.snd_max))
      fail(tcb, "SND.MAX went back", seen.snd_max.raw(), tcb.snd_max.raw());
    if (is_known && tcb.rcv_nxt.is_before(seen.rcv_nxt))
      fail(tcb, "RCV.NXT went back", seen.rcv_nxt.raw(), tcb.rcv_nxt.raw());
    if (is_known && tcb.rcv_adv.is_before(seen.rcv_adv))
      fail(tcb, "the window shrank", seen.rcv_adv.raw(), tcb.rcv_adv.raw());
  }
  seen = {.generation = tcb.generation,
          .state = tcb.state,
          .snd_una = tcb.snd_una,
          .snd_nxt = tcb.snd_nxt,
          .snd_max = tcb.snd_max,
          .rcv_nxt = tcb.rcv_nxt,
          .rcv_adv = tcb.rcv_adv};
}

void RecordCheck::check_send_queue(const Inspector& in, const Tcb& tcb) {
  if (tcb.transfer == nullptr) {
    if (!tcb.send_queue.is_empty()) fail(tcb, "text without a Transfer", 0, 0);
    return;
  }
  const tcp::Transfer& t = *tcb.transfer;
  std::uint32_t sacked = 0;
  std::uint32_t lost = 0;
  std::uint32_t held = 0;
  bool has_unsent_node = false;
  const tcp::SendNode* before = nullptr;
  for (const tcp::SendNode* node = tcb.send_queue.front(); node != nullptr;
       node = tcb.send_queue.after(node)) {
    if (before != nullptr && node->seq != before->end())
      fail(tcb, "a gap in the send queue", before->end().raw(), node->seq.raw());
    if (node == t.unsent) has_unsent_node = true;
    if (node->is_sent == has_unsent_node && node->length > 0)
      fail(tcb, "sent and unsent text are mixed", node->seq.raw(), 0);
    if (node->is_sacked) sacked += node->length;
    if (node->is_lost) lost += node->length;
    held += node->length;
    before = node;
  }
  if (sacked != t.sacked_bytes) fail(tcb, "sacked bytes do not add up", sacked, t.sacked_bytes);
  if (lost != t.lost_bytes) fail(tcb, "lost bytes do not add up", lost, t.lost_bytes);
  if ((t.unsent != nullptr) != has_unsent_node) fail(tcb, "unsent text is not in the queue", 0, 0);
  if (before != nullptr && before->end() != tcb.snd_end)
    fail(tcb, "the queue ends elsewhere", before->end().raw(), tcb.snd_end.raw());
  if (before != nullptr && tcb.send_queue.front()->seq.is_after(tcb.snd_una + 1))
    fail(tcb, "text that is owed is gone", tcb.send_queue.front()->seq.raw(), tcb.snd_una.raw());
  // One segment's beginning may be acknowledged and still be held.
  const std::uint32_t bound = in.parameters().send_buffer_max + 65'536;
  if (held > bound) fail(tcb, "too much in the send queue", held, bound);
}

void RecordCheck::check_receive_queue(const Inspector& in, const Tcb& tcb) {
  std::uint32_t held = 0;
  for (const tcp::QueuedPacket* node = tcb.receive_queue.front(); node != nullptr;
       node = tcb.receive_queue.after(node)) {
    held += node->length;
  }
  if (held != tcb.receive_held)
    fail(tcb, "the receive queue does not add up", held, tcb.receive_held);
  const std::uint32_t capacity = tcp::receive_capacity(tcb, in.parameters());
  // The header's window is rounded up to its unit, and a FIN needs no room.
  const std::uint32_t unit = (1U << tcb.receive_shift) + 1;
  if (held > capacity + unit) fail(tcb, "more received than may be held", held, capacity);
  if (!tcb.is_synchronized() || tcb.detached) return;
  if (tcb.rcv_wnd() > capacity + unit)
    fail(tcb, "a window larger than the buffer", tcb.rcv_wnd(), capacity);
}

void RecordCheck::check_reassembly(const Inspector& in, const Tcb& tcb) {
  std::uint32_t packets = 0;
  Seq end = tcb.rcv_nxt;
  for (const tcp::QueuedPacket* run = tcb.reassembly.lowest(); run != nullptr;
       run = tcb.reassembly.starting_after(run->seq)) {
    if (!run->seq.is_after(end)) fail(tcb, "runs that touch", end.raw(), run->seq.raw());
    packets += run->run_packets;
    end = run->run_end;
  }
  if (packets != tcb.reassembly_count)
    fail(tcb, "reassembly does not add up", packets, tcb.reassembly_count);
  if (packets > tcp::reassembly_packets_max(in.parameters()))
    fail(tcb, "too much in reassembly", packets, 0);
  // A FIN right behind a full window is let in.
  if (packets > 0 && end.is_after(tcb.rcv_adv + 1))
    fail(tcb, "kept what lies beyond the window", end.raw(), tcb.rcv_adv.raw());
}

void RecordCheck::check_timer(const Inspector& in, const Tcb& tcb) {
  if (tcb.scheduled) return;  // its turn comes: the pool may be dry
  const Tick deadline = tcp::next_deadline(tcb);
  const Tick now = in.context().tick;
  if (deadline == base::kNoTick) {
    if (owes(tcb)) fail(tcb, "no timer", tcb.in_flight(), static_cast<std::uint64_t>(tcb.timer_is));
    return;
  }
  // One that ran out while it was armed has its turn at once: the wheel's next deadline is now.
  if (base::is_due(deadline, now) && !base::is_due(in.wheel_deadline(), now)) {
    fail(tcb, "a timer is overdue by ticks", now - deadline,
         static_cast<std::uint64_t>(tcb.timer_is));
  }
  if (!tcb.timer.is_armed() || is_later(tcb.timer.deadline, deadline)) {
    fail(tcb, "the wheel knows of no deadline, or a later one", deadline, tcb.timer.deadline);
  } else if (tcb.timer.filed == base::kNoTick ||
             (is_later(tcb.timer.filed, tcb.timer.deadline) && is_later(tcb.timer.filed, now))) {
    fail(tcb, "the wheel looks too late", tcb.timer.filed, tcb.timer.deadline);
  }
  if (tcb.retransmit_at == base::kNoTick || tcb.waits_idly()) return;
  const auto longest = std::chrono::microseconds(std::max(in.parameters().rto_max_us, 3'000'000U));
  const std::uint32_t ahead = tcb.retransmit_at - now;
  if (is_later(tcb.retransmit_at, now) && ahead > base::ticks_in(longest) + 2)
    fail(tcb, "waits longer than RTO may be", ahead, base::ticks_in(longest));
}

void RecordCheck::check_half_open(const Inspector& in, const tcp::HalfOpen& half) {
  if (half.answer == tcp::HalfOpenAnswer::none && !half.timer.is_armed()) {
    journal_.fail("host {}: a half-open record without a timer", host_);
  }
  if (in.kind_of(half.key) != RecordKind::half_open) {
    journal_.fail("host {}: a half-open record is not in the flow table", host_);
  }
}

void RecordCheck::check_tables(const stack::Stack& stack, const Inspector& in) {
  std::size_t flows = std::size_t{stack.half_open_count()} + stack.time_wait_count();
  std::uint32_t transfers = 0;
  in.for_each_connection([&](std::uint32_t, const Tcb& tcb) {
    if (!tcb.detached) ++flows;
    if (tcb.transfer != nullptr) ++transfers;
  });
  if (flows != in.flows()) {
    journal_.fail("host {}: {} flows in the table, {} records", host_, in.flows(), flows);
  }
  if (transfers != in.transfers_in_use()) {
    journal_.fail("host {}: {} Transfers in use, {} of them by connections", host_,
                  in.transfers_in_use(), transfers);
  }
}

// Whoever is in TIME-WAIT stays so for 2MSL, unless a newer SYN is let in or the table is full.
void RecordCheck::check_time_waits(const stack::Stack& stack, const Inspector& in) {
  const Counters counters = stack.counters().snapshot();
  const std::uint64_t entered = counters.time_wait_entered;
  const std::uint64_t given_up = counters.time_wait_reused + counters.time_wait_cut_short;
  const Instant now = in.context().now;
  std::erase_if(waiting_, [&](const Waiting& one) {
    const Duration lasted = now - one.since;
    if (in.kind_of(one.key) == RecordKind::time_wait) {
      // A FIN that comes again begins 2MSL anew, and the record is looked at late by as much.
      if (lasted > 4 * in.time_wait() + std::chrono::seconds(20) &&
          counters.time_wait_restarted == 0) {
        journal_.fail("host {} port {}: TIME-WAIT lasts {} ms", host_, one.key.local_port,
                      lasted / std::chrono::milliseconds(1));
        return true;
      }
      return false;
    }
    // Time is counted in whole milliseconds.
    if (given_up == time_waits_given_up_ &&
        lasted + std::chrono::milliseconds(1) < in.time_wait()) {
      journal_.fail("host {} port {}: TIME-WAIT was over after {} ms", host_, one.key.local_port,
                    lasted / std::chrono::milliseconds(1));
    }
    note_time_wait_over(one.key);
    return true;
  });
  time_waits_given_up_ = given_up;
  if (entered == time_waits_entered_) return;
  time_waits_entered_ = entered;
  books_.for_each_end([&](std::size_t, std::size_t, const EndBook& book) {
    if (book.host != host_ || book.key == base::FlowKey{}) return;
    if (in.kind_of(book.key) != RecordKind::time_wait) return;
    if (std::ranges::find(waiting_, book.key, &Waiting::key) != waiting_.end()) return;
    waiting_.push_back({book.key, now});
  });
}

void RecordCheck::note_time_wait_over(const base::FlowKey& key) {
  books_.for_each_end([&](std::size_t, std::size_t, EndBook& book) {
    if (book.host == host_ && book.key == key) book.time_wait_over_at = journal_.now();
  });
}

void RecordCheck::check_empty(const stack::Stack& stack) {
  const Inspector in(stack);
  const auto expect_none = [this](std::uint64_t count, const char* what) {
    if (count != 0) journal_.fail("host {}: {} {} left at the end", host_, count, what);
  };
  expect_none(stack.open_count(), "connections");
  expect_none(stack.half_open_count(), "half-open records");
  expect_none(stack.time_wait_count(), "TIME-WAIT records");
  expect_none(in.transfers_in_use(), "Transfers");
  expect_none(in.flows(), "entries of the flow table");
}

}  // namespace handfast::sim
