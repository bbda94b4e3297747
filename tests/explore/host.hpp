// Host: one end of the world. It holds the real records of one flow (at most one at a time, as in
// lib/stack's flow table) and does with them what lib/stack does, and no more: listener, half-open,
// connection, TIME-WAIT, RST for no connection. Its application follows a script and keeps books of
// what it was told. World calls it; nothing here chooses between possibilities.
#pragma once

#include <optional>

#include "base/packet.hpp"
#include "base/slab.hpp"
#include "stack/record_ref.hpp"
#include "tcp/half_open.hpp"
#include "tcp/parameters.hpp"
#include "tcp/segment_arrives.hpp"
#include "tcp/tcb.hpp"
#include "tcp/time_wait.hpp"
#include "tcp/transfer.hpp"
#include "tests/explore/buffer_pool.hpp"
#include "tests/explore/flight.hpp"
#include "tests/explore/scenario.hpp"

namespace handfast::explore {

using stack::RecordKind;

inline constexpr std::uint8_t kOpeningsMax = 2;

// What does not change while a world is explored. A is end 0 and B end 1.
struct Rules {
  const Scenario* scenario;
  Without without = Without::nothing;
  const tcp::Parameters* parameters;
  std::uint32_t msl;  // ticks
  FaultSet looked_for;

  // The initial sequence number of an end's n-th connection, from 1.
  base::Seq iss_of(std::size_t end, unsigned opening) const;
  base::Seq old_iss() const { return base::Seq{90}; }
};

// The byte at `index` of what an end sends in its n-th connection: a, b, ... from A and p, q, ...
// from B, capital letters in the second.
std::uint8_t byte_of(std::size_t end, unsigned opening, unsigned index);

// What the glue and the application know beside the record.
struct Books {
  base::Seq iss;  // of the record that stands
  base::Seq irs;
  RecordKind kind = RecordKind::none;
  std::uint8_t drawn = 0;    // initial sequence numbers
  std::uint8_t opening = 0;  // which of A's connections this is; 0: none that A knows
  std::uint8_t call = 0;     // the script's position
  std::uint8_t announced = 0;
  std::uint8_t closed = 0;
  std::uint8_t is_told_of_fin = 0;
  Fault fault = Fault::none;
  std::uint8_t owes_output = 0;  // the burst goes on: what is to be sent waits
  std::uint8_t zero = 0;
  std::array<std::uint8_t, 3> sent{};  // by opening
  std::array<std::uint8_t, 3> received{};
};
static_assert(std::has_unique_object_representations_v<Books>);

class Host {
 public:
  Host(std::size_t end, const Rules& rules);
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  ~Host() { clear(); }

  // As before anything was opened.
  void clear();
  // Before each of the next: the time, where to send, and how many connections the peer has opened.
  void begin(Instant now, ShortList<Flight, 32>& out, const Host& peer);

  void arrive(const Flight& flight);
  // The same while more of its burst is to come: a connection sends nothing yet.
  void arrive_in_burst(const Flight& flight);
  bool owes_output() const { return books_.owes_output != 0; }
  void open();
  bool may_call() const;
  Call next_call() const { return script()[books_.call]; }
  void call();
  bool may_read() const { return may_call() && next_call() == Call::read; }
  // By ICMP.
  void hear_of_loss(const Flight& flight);
  void timer();
  // The burst has ended: what is to be sent is sent.
  void output();
  base::Tick deadline() const;

  const Books& books() const { return books_; }
  State state() const;
  bool is_script_done() const { return books_.call >= script().size(); }
  bool listens() const { return rules_->scenario->listens[end_]; }
  const tcp::Tcb& tcb() const { return tcb_; }
  // What the application was given in this turn.
  const ShortList<char, 32>& taken() const { return taken_; }
  tcp::TimerIs timer_is() const { return tcb_.timer_is; }

 private:
  friend class HostImage;

  std::span<const Call> script() const { return rules_->scenario->calls[end_]; }
  void found(Fault fault) {
    if (books_.fault == Fault::none && rules_->looked_for.has(fault)) books_.fault = fault;
  }
  base::FlowKey key() const;
  base::Seq draw_iss();
  unsigned opening_of(base::Seq irs) const;
  void emit(const base::Segment& segment) { out_->push(flight_of(segment)); }
  void answer_with_reset(const base::Segment& segment);

  void at_listener(const base::Segment& segment);
  void open_half(const base::Segment& syn, base::Seq iss);
  void at_half_open(const base::Segment& segment, const base::Packet& packet);
  void establish(const base::Segment& segment, const base::Packet& packet);
  void at_connection(const base::Segment& segment, const base::Packet& packet);
  void at_time_wait(const base::Segment& segment);
  // Returns whether the packet was kept.
  bool tell(const tcp::Arrival& arrival, State before, const base::Packet& packet);
  bool reads_by_call() const;
  void take_queued();
  void hear_of_fin();
  void read();
  void send(unsigned bytes);
  void take(std::span<const std::byte> text);
  void announce();
  void enter_time_wait();
  void end(CloseReason reason, State before);
  void release_connection();
  void drop_record();
  void fresh_connection();
  void take_third_segment_as_come(const base::Segment& syn);

  std::size_t end_;
  const Rules* rules_;
  BufferPool pool_;
  std::optional<base::PacketCache> packets_;
  base::LiveCounters counters_;
  base::Slab<tcp::Transfer> transfers_;
  std::optional<tcp::Context> context_;
  ShortList<Flight, 32>* out_ = nullptr;
  const Host* peer_ = nullptr;
  ShortList<char, 32> taken_;
  bool burst_goes_on_ = false;

  Books books_;
  tcp::HalfOpen half_{};
  tcp::Tcb tcb_{};
  tcp::TimeWait time_wait_{};
  base::Tick time_wait_ends_ = base::kNoTick;
};

}  // namespace handfast::explore
