// Scenario: what the two applications do and how the world begins; Budget: how often the network
// may do wrong; Without: what is taken away from the protocol to see what it is for. All three are
// the explorer's: lib/ knows nothing of them.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "tests/explore/flight.hpp"

namespace handfast::explore {

// What an application does next. It does it at any moment from when it may: each is explored.
enum class Call : std::uint8_t {
  open,              // when nothing is left of an earlier connection, TIME-WAIT included
  send,              // one byte, once SYN-SENT is left behind
  send_three,        // likewise
  send_and_close,    // likewise, a byte; both before anything leaves
  close,             // likewise
  close_after_peer,  // once the peer's FIN has arrived
  // All that waits, whenever something does, until the peer's FIN. What arrives at an end that has
  // this call waits for it; at others it is taken at once.
  read,
};

// What a sender may be told of a segment that is lost.
enum class Icmp : std::uint8_t { nothing, host_unreachable, port_unreachable };

// A segment that somebody else puts on the way: it may arrive at any time until its life is over,
// or never.
struct Forged {
  std::uint8_t end;  // whose it pretends to be
  std::uint8_t flags;
  std::uint32_t seq;
  std::uint32_t ack;
  bool has_text;
};

// How the world begins.
enum class Begin : std::uint8_t {
  closed,       // nobody has opened anything
  both_open,    // both have sent a SYN
  established,  // A has opened, B has accepted, nothing is in flight
};

// Of A's second connection.
enum class SecondIss : std::uint8_t {
  same,         // the very number of the first
  overlapping,  // the one behind it: what the first sent lies in the second's window
  beyond,       // higher than any that the first used, as a clock chooses it
};

struct Scenario {
  std::string_view name;
  std::string_view about;
  Begin begin = Begin::closed;
  bool old_syn = false;  // a SYN of a connection long gone is still on its way from A to B
  SecondIss second_iss = SecondIss::overlapping;
  std::array<bool, kEnds> listens{false, true};
  std::uint32_t receive_buffer = 32'768;
  bool window_scaling = false;  // by 1
  Icmp icmp = Icmp::nothing;
  std::span<const Forged> forged;
  // A listener's calls begin anew with each connection that it accepts.
  std::array<std::span<const Call>, kEnds> calls;
};

std::span<const Scenario> scenarios();
const Scenario* find_scenario(std::string_view name);

struct Budget {
  std::uint8_t losses = 0;
  std::uint8_t duplicates = 0;
  std::uint8_t reorderings = 0;
  std::uint8_t bursts = 0;  // segments that arrive in one burst with what comes behind them
  bool operator==(const Budget&) const = default;
};

enum class Without : std::uint8_t {
  nothing,
  third_segment,  // a listener takes the first segment for the third
  time_wait,      // 2MSL = 0
};

// What must never be. Each is a property of the whole world, checked in every state.
enum class Fault : std::uint8_t {
  none,
  half_open_stays,   // one end has a connection, the other none of it, and nothing will ever change
  deadlock,          // nothing can happen, and not everything is done
  livelock,          // segments are exchanged without end, whether or not time passes
  old_byte,          // a byte of an earlier connection was delivered in this one
  wrong_byte,        // a byte was delivered out of order, twice, or changed
  missing_byte,      // the connection finished and not all was delivered
  disagreement,      // both ends are open and do not mean the same connection, or not its numbers
  left_in_last_ack,  // an end whose peer had all it wanted was not told and ended with a reset
  ended_badly,       // a connection ended otherwise than by both FINs
  not_closed_once,   // opened and not closed, or closed twice
};
inline constexpr std::size_t kFaults = 11;
std::string_view to_string(Fault fault);

class FaultSet {
 public:
  constexpr FaultSet() = default;
  constexpr FaultSet(std::initializer_list<Fault> faults) {
    for (const Fault fault : faults) add(fault);
  }
  constexpr void add(Fault fault) { bits_ |= 1U << static_cast<unsigned>(fault); }
  constexpr bool has(Fault fault) const {
    return (bits_ >> static_cast<unsigned>(fault) & 1U) != 0;
  }
  constexpr bool is_empty() const { return bits_ == 0; }
  constexpr bool has_all_of(FaultSet others) const {
    return (bits_ & others.bits_) == others.bits_;
  }

 private:
  unsigned bits_ = 0;
};
// All; but with something taken away only what that was there to prevent.
FaultSet faults_looked_for(Without without);
// One sentence, for the foot of a diagram.
std::string_view meaning_of(Fault fault);

// What is known to be found, and must be, with a budget that is enough for it.
struct Expectation {
  std::string_view scenario;
  Without without;
  Fault fault;
  Budget budget;
};
std::span<const Expectation> expectations();
// Null: nothing may be found.
const Expectation* expectation_of(const Scenario& scenario, Without without, const Budget& budget);

}  // namespace handfast::explore
