// RecordCheck: what must hold of a stack's records between any two of its turns: the laws of
// sequence numbers, queues that add up, timers that stand where something is owed, TIME-WAIT that
// lasts. Looks through stack::Inspector and changes nothing.
#pragma once

#include <vector>

#include "stack/inspector.hpp"
#include "tests/sim/soak/books.hpp"
#include "tests/sim/soak/journal.hpp"

namespace handfast::sim {

class RecordCheck {
 public:
  // All are borrowed; the books tell which flows may be in TIME-WAIT, and are told when it is over.
  RecordCheck(std::size_t host, Books& books, Journal& journal)
      : host_(host), books_(books), journal_(journal) {}

  // After each turn of `stack`, the host's.
  void check(const stack::Stack& stack);
  // When all connections have ended and 2MSL has passed: nothing may be left.
  void check_empty(const stack::Stack& stack);
  // The host's stack is another one from now on.
  void forget();

 private:
  // A record as it was when last seen.
  struct Seen {
    std::uint32_t generation = 0;
    State state = State::closed;
    base::Seq snd_una;
    base::Seq snd_nxt;
    base::Seq snd_max;
    base::Seq rcv_nxt;
    base::Seq rcv_adv;
  };
  struct Waiting {
    base::FlowKey key;
    Instant since;  // of the host
  };

  void check_connection(const stack::Inspector& in, std::uint32_t index, const tcp::Tcb& tcb);
  void check_progress(std::uint32_t index, const tcp::Tcb& tcb);
  void check_send_queue(const stack::Inspector& in, const tcp::Tcb& tcb);
  void check_receive_queue(const stack::Inspector& in, const tcp::Tcb& tcb);
  void check_reassembly(const stack::Inspector& in, const tcp::Tcb& tcb);
  void check_timer(const stack::Inspector& in, const tcp::Tcb& tcb);
  void check_half_open(const stack::Inspector& in, const tcp::HalfOpen& half);
  void check_tables(const stack::Stack& stack, const stack::Inspector& in);
  void check_time_waits(const stack::Stack& stack, const stack::Inspector& in);
  void note_time_wait_over(const base::FlowKey& key);
  void fail(const tcp::Tcb& tcb, const char* what, std::uint64_t a, std::uint64_t b);

  std::size_t host_;
  Books& books_;
  Journal& journal_;
  std::vector<Seen> seen_;
  std::vector<Waiting> waiting_;
  std::uint64_t time_waits_entered_ = 0;
  std::uint64_t time_waits_given_up_ = 0;
};

}  // namespace handfast::sim
