// World: two hosts, the network between them, what the network may still do wrong, and the time.
// It says what can happen next and does one of these things; it chooses nothing itself.
//
// Time passes only when nothing stands in a queue of the network and no burst goes on, and then to
// the earliest of: an end's timer, the end of a stray's life. So a segment is late only as a stray,
// and that costs a reordering: a stray can be overtaken by timers as well as by segments.
#pragma once

#include <optional>
#include <string>

#include "tests/explore/host.hpp"
#include "tests/explore/image.hpp"

namespace handfast::explore {

enum class Move : std::uint8_t {
  deliver,         // the first of a queue arrives
  lose,            // it never does
  lose_and_tell,   // it never does, and who sent it hears so by ICMP
  duplicate,       // it arrives, and a copy becomes a stray
  hold_back,       // it becomes a stray
  join,            // it arrives, and the burst that it is in goes on
  end_burst,       // an end sends what it owes for a burst
  deliver_late,    // a stray arrives
  duplicate_late,  // it arrives, and a copy stays
  call,            // the application's next call
  timer,           // an end's timer
  expire,          // strays have lived long enough
};

struct Action {
  Move move;
  std::uint8_t end;    // who sent it, calls, or has the timer
  std::uint8_t index;  // of the stray
};
inline constexpr std::size_t kActionsMax = 128;
using Actions = ShortList<Action, kActionsMax>;

struct Setting {
  const Scenario* scenario;
  Budget budget;
  Without without = Without::nothing;
  bool timestamps = false;
};

class World {
 public:
  explicit World(const Setting& setting);

  // To the scenario's beginning.
  void begin();
  void store(Image& image) const;
  void load(const Image& image);

  // None: it has come to an end.
  void list_actions(Actions& out) const;
  void act(const Action& action);
  // What is wrong with the state as it is, a step's own faults included.
  Fault fault(bool is_at_end) const;

  const Host& host(std::size_t end) const { return end == 0 ? a_ : b_; }
  const Network& network() const { return network_; }
  Instant now() const { return Instant::from_ns(std::int64_t{tick_} << base::kTickShift); }
  // Since the world began.
  Duration elapsed() const;

 private:
  Host& host(std::size_t end) { return end == 0 ? a_ : b_; }
  Host& begin_turn(std::size_t end);
  void open_as_asked();
  void deliver(std::size_t sender, const Flight& flight);
  void make_stray(std::size_t sender, Flight flight);
  void expire();
  base::Tick next_expiry() const;
  void list_faults_of_network(std::size_t sender, Actions& out) const;
  void list_time(Actions& out) const;
  bool is_done() const;
  Fault fault_at_end() const;
  bool has_disagreement() const;

  Setting setting_;
  tcp::Parameters parameters_;
  Rules rules_;
  Host a_;
  Host b_;
  Network network_;
  Budget left_{};
  std::uint8_t arrivals_ = 0;  // since time last passed
  base::Tick tick_ = 0;
};

}  // namespace handfast::explore
