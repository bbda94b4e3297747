#include "tests/sim/soak/judge.hpp"

#include <algorithm>

namespace handfast::sim {

void Judge::expect(bool holds, std::size_t number, std::size_t end, const char* what) const {
  if (holds) return;
  const EndBook& book = books_.at(number, end);
  journal_.fail("{} (port {}): {}; opened {}, closed {} ({}), sent {}, received {}",
                Books::name_of(number, end), book.key.local_port, what, book.opened, book.closed,
                to_string(book.reason), book.sent, book.received);
}

void Judge::judge_all() const {
  for (std::size_t number = 0; number < books_.size(); ++number) {
    judge_end(number, kClientEnd);
    judge_end(number, kServerEnd);
    if (!plan_.is_hostile) judge_undisturbed(number);
  }
}

void Judge::judge_end(std::size_t number, std::size_t end) const {
  const EndBook& book = books_.at(number, end);
  if (book.is_lost) return;
  if (!book.is_active && book.opened == 0) {
    return expect(book.closed == 0, number, end, "closed, and was never announced");
  }
  expect(book.closed == 1, number, end, "not closed once");
  expect(!book.was_complained_of || ask_boxes(number, &drivers::MiddleboxDevice::has_complained),
         number, end, "believed a forged ICMP error");
  if (book.closed != 1) return;
  const bool is_mutual = plan_.connections[number].is_mutual;
  switch (book.reason) {
    case CloseReason::finished:
      return judge_finished(number, end);
    case CloseReason::reset:
      return expect(has_cause_for_reset(number, end), number, end, "reset by nobody");
    case CloseReason::refused:
      expect(book.is_active && book.opened == 0, number, end, "refused when it was open");
      return expect(is_mutual || plan_.is_hostile || was_let_go(number, end), number, end,
                    "refused by nobody");
    case CloseReason::timed_out:
      return expect(plan_.is_hostile, number, end, "timed out");
    case CloseReason::aborted:
      return expect(book.abort_called, number, end, "aborted by nobody");
    case CloseReason::stopped:
      return expect(fates_[book.host].stopped, number, end, "stopped by nobody");
    case CloseReason::unreachable:
      return expect(ask_boxes(number, &drivers::MiddleboxDevice::has_refused), number, end,
                    "unreachable, and nobody said so");
  }
}

// The other end, opened by a SYN with text (RFC 7413), was aborted before the handshake was done.
bool Judge::was_let_go(std::size_t number, std::size_t end) const {
  const EndBook& peer = books_.at(number, 1 - end);
  return peer.is_fast && peer.opened > 0 && peer.abort_called;
}

void Judge::judge_finished(std::size_t number, std::size_t end) const {
  const EndBook& book = books_.at(number, end);
  const EndBook& peer = books_.at(number, 1 - end);
  expect(book.opened == 1, number, end, "finished, and was not open");
  expect(book.close_called, number, end, "finished, and did not close");
  expect(book.peer_finished == 1, number, end, "finished before the peer");
  expect(peer.close_called, number, end, "finished, and the peer did not close");
  expect(book.received == peer.sent, number, end, "finished without all that the peer sent");
  if (peer.closed == 1 && peer.reason == CloseReason::finished) {
    expect(peer.received == book.sent, number, end, "both finished, and the peer lacks text");
  }
}

bool Judge::was_reset_on_the_way(std::size_t number) const {
  return ask_boxes(number, &drivers::MiddleboxDevice::has_reset);
}

bool Judge::ask_boxes(std::size_t number,
                      bool (drivers::MiddleboxDevice::*question)(const base::FlowKey&)
                          const) const {
  const EndBook& client = books_.at(number, kClientEnd);
  const base::FlowKey key = client.key == base::FlowKey{}
                                ? drivers::reversed(books_.at(number, kServerEnd).key)
                                : client.key;
  // A switch that does not know the way sends a frame everywhere: past other hosts' boxes, too.
  return std::ranges::any_of(fates_, [&](const HostFate& fate) {
    return fate.box != nullptr &&
           ((fate.box->*question)(key) || (fate.box->*question)(drivers::reversed(key)));
  });
}

// A SYN in the window returns a passive open to LISTEN (RFC 9293 section 3.10.7.4, fourth step).
bool Judge::has_forged_syns() const {
  return std::ranges::any_of(
      plan_.hosts, [](const HostPlan& host) { return host.has_box && host.box.blind_segment > 0; });
}

bool Judge::has_cause_for_reset(std::size_t number, std::size_t end) const {
  const EndBook& book = books_.at(number, end);
  const EndBook& peer = books_.at(number, 1 - end);
  const HostFate& there = fates_[peer.host];
  if (peer.abort_called || peer.is_lost || there.restarted || there.stopped) return true;
  if (was_reset_on_the_way(number)) return true;
  // That each was reset by the other is no cause.
  if (peer.closed == 1 && peer.reason == CloseReason::reset) return plan_.is_hostile;
  if (peer.closed == 1 && peer.reason != CloseReason::finished) return true;
  // A handshake that the peer gave up, or had no record for.
  if (peer.opened == 0) {
    return plan_.is_hostile || plan_.connections[number].is_mutual || has_forged_syns();
  }
  // Our last FIN came when its TIME-WAIT was over, or had made way. With a short MSL that may be
  // soon: an application that reads late hears of the end when most of 2MSL has gone by.
  return peer.closed == 1 &&
         (there.time_waits_given_up > 0 || peer.time_wait_over_at <= book.closed_at);
}

// In a plan that is not hostile, what nobody aborts comes to its end at both ends.
void Judge::judge_undisturbed(std::size_t number) const {
  const EndBook& client = books_.at(number, kClientEnd);
  const EndBook& server = books_.at(number, kServerEnd);
  if (plan_.connections[number].is_mutual || !client.is_active) return;
  if (client.abort_called || server.abort_called) return;
  if (server.opened == 0 && has_forged_syns()) return;
  for (const std::size_t end : {kClientEnd, kServerEnd}) {
    const EndBook& book = books_.at(number, end);
    const EndBook& peer = books_.at(number, 1 - end);
    const bool is_late = book.reason == CloseReason::reset && has_cause_for_reset(number, end);
    expect(book.opened == 1, number, end, "never opened");
    expect(book.reason == CloseReason::finished || is_late, number, end, "did not finish");
    expect(book.received == peer.sent, number, end, "has not received all");
    expect(book.sent <= book.plan.bytes, number, end, "has sent too much");
  }
}

bool Judge::is_stuck(std::size_t number, std::size_t end) const {
  const EndBook& book = books_.at(number, end);
  const EndBook& peer = books_.at(number, 1 - end);
  if (!book.is_live() || plan_.is_hostile) return false;
  // The RST of a peer that has gone may be lost; who then has nothing to send waits for ever.
  return peer.is_live() || (peer.opened == 0 && !peer.is_active);
}

}  // namespace handfast::sim
