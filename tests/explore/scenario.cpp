#include "tests/explore/scenario.hpp"

#include <algorithm>

namespace handfast::explore {

namespace {

constexpr std::array<Call, 0> kNothing{};
constexpr auto kOpenClose = std::to_array({Call::open, Call::close});
constexpr auto kClose = std::to_array({Call::close});
constexpr auto kCloseAfterPeer = std::to_array({Call::close_after_peer});
constexpr auto kSendSendClose = std::to_array({Call::send, Call::send, Call::close});
constexpr auto kSendClose = std::to_array({Call::send, Call::close});
constexpr auto kOpenSendClose = std::to_array({Call::open, Call::send, Call::close});
constexpr auto kTwice = std::to_array(
    {Call::open, Call::send, Call::send, Call::close, Call::open, Call::send, Call::close});
constexpr auto kTwiceShort =
    std::to_array({Call::open, Call::send, Call::close, Call::open, Call::send, Call::close});
constexpr auto kTwiceAfterPeer = std::to_array({Call::open, Call::send, Call::close_after_peer,
                                                Call::open, Call::send, Call::close_after_peer});

constexpr auto kSendAndClose = std::to_array({Call::send_and_close});
constexpr auto kThreeClose = std::to_array({Call::send_three, Call::close});
constexpr auto kOpenThreesClose =
    std::to_array({Call::open, Call::send_three, Call::send_three, Call::close});
constexpr auto kReadClose = std::to_array({Call::read, Call::close_after_peer});

// Of the connection that begins with 100 and 300. In the window but at no number that comes next: a
// RST, a SYN, and text with an acknowledgement of what was never sent (RFC 5961 sections 3 to 5).
// Outside it: a RST.
constexpr auto kForged = std::to_array<Forged>({
    {.end = 0, .flags = base::kRst, .seq = 600, .ack = 0, .has_text = false},
    {.end = 1, .flags = base::kRst, .seq = 301 + 32'768 + 100, .ack = 0, .has_text = false},
    {.end = 0, .flags = base::kSyn, .seq = 600, .ack = 0, .has_text = false},
    {.end = 1, .flags = base::kAck, .seq = 301, .ack = 1000, .has_text = true},
});

constexpr std::array kScenarios = {
    Scenario{.name = "open",
             .about = "A opens, B listens; A closes first",
             .calls = {kOpenClose, kCloseAfterPeer}},
    Scenario{.name = "simultaneous-open",
             .about = "both open at once; either closes when it likes",
             .begin = Begin::both_open,
             .listens = {false, false},
             .calls = {kClose, kClose}},
    Scenario{.name = "old-syn",
             .about = "A opens while an old SYN of its own is on its way",
             .old_syn = true,
             .calls = {kOpenClose, kCloseAfterPeer}},
    Scenario{.name = "old-syn-alone",
             .about = "A wants nothing, but an old SYN of its own is on its way",
             .old_syn = true,
             .calls = {kNothing, kCloseAfterPeer}},
    Scenario{.name = "close",
             .about = "an open connection; either closes when it likes, both at once too",
             .begin = Begin::established,
             .calls = {kClose, kClose}},
    Scenario{.name = "half-close",
             .about = "an open connection; A closes, B still has text to send",
             .begin = Begin::established,
             .calls = {kClose, kSendSendClose}},
    Scenario{.name = "close-with-text",
             .about = "an open connection; both send and close when they like",
             .begin = Begin::established,
             .calls = {kSendClose, kSendClose}},
    Scenario{.name = "whole",
             .about = "A opens, both send and close when they like",
             .calls = {kOpenSendClose, kSendClose}},
    Scenario{.name = "again",
             .about = "A opens, sends and closes, and then again with numbers that overlap",
             .calls = {kTwice, kCloseAfterPeer}},
    Scenario{.name = "same-numbers",
             .about = "A opens, sends and closes, and then again with the very number of before",
             .second_iss = SecondIss::same,
             .calls = {kTwiceShort, kCloseAfterPeer}},
    Scenario{.name = "reopen",
             .about = "B closes first and is in TIME-WAIT; A opens again with higher numbers",
             .second_iss = SecondIss::beyond,
             .calls = {kTwiceAfterPeer, kClose}},
    Scenario{
        .name = "text-with-fin",
        .about = "an open connection; each sends text and FIN in one segment, both at once too",
        .begin = Begin::established,
        .calls = {kSendAndClose, kSendAndClose}},
    Scenario{.name = "closed-window",
             .about = "an open connection; B has room for two bytes and reads when it likes",
             .begin = Begin::established,
             .receive_buffer = 2,
             .calls = {kThreeClose, kReadClose}},
    Scenario{.name = "scaled-window",
             .about = "A opens; windows count pairs of bytes, and B has room for two of them",
             .receive_buffer = 4,
             .window_scaling = true,
             .calls = {kOpenThreesClose, kReadClose}},
    Scenario{.name = "unreachable",
             .about = "A opens; of what is lost a router says that the host cannot be reached",
             .icmp = Icmp::host_unreachable,
             .calls = {kOpenSendClose, kCloseAfterPeer}},
    Scenario{.name = "refused",
             .about = "A opens; of what is lost it is said that the port is closed",
             .icmp = Icmp::port_unreachable,
             .calls = {kOpenSendClose, kCloseAfterPeer}},
    Scenario{.name = "forged",
             .about = "an open connection, while RST, SYN and text of a stranger arrive",
             .begin = Begin::established,
             .forged = kForged,
             .calls = {kSendClose, kCloseAfterPeer}},
};

constexpr std::array kExpectations = {
    Expectation{.scenario = "old-syn-alone",
                .without = Without::third_segment,
                .fault = Fault::half_open_stays,
                .budget = {.losses = 1}},
    Expectation{.scenario = "open",
                .without = Without::third_segment,
                .fault = Fault::half_open_stays,
                .budget = {.losses = 1}},
    Expectation{.scenario = "again",
                .without = Without::time_wait,
                .fault = Fault::old_byte,
                .budget = {.duplicates = 1}},
    Expectation{.scenario = "close",
                .without = Without::time_wait,
                .fault = Fault::left_in_last_ack,
                .budget = {.losses = 1}},
    // TIME-WAIT alone does not prevent it; a clock that never gives a number twice does.
    Expectation{.scenario = "same-numbers",
                .without = Without::nothing,
                .fault = Fault::ended_badly,
                .budget = {.duplicates = 1, .reorderings = 1}},
};

}  // namespace

std::span<const Scenario> scenarios() {
  return kScenarios;
}

const Scenario* find_scenario(std::string_view name) {
  const auto found = std::ranges::find(kScenarios, name, &Scenario::name);
  return found == kScenarios.end() ? nullptr : &*found;
}

std::span<const Expectation> expectations() {
  return kExpectations;
}

const Expectation* expectation_of(const Scenario& scenario, Without without, const Budget& budget) {
  for (const Expectation& e : kExpectations) {
    const bool is_enough = budget.losses >= e.budget.losses &&
                           budget.duplicates >= e.budget.duplicates &&
                           budget.reorderings >= e.budget.reorderings;
    if (e.scenario == scenario.name && e.without == without && is_enough) return &e;
  }
  return nullptr;
}

FaultSet faults_looked_for(Without without) {
  switch (without) {
    case Without::third_segment:
      return {Fault::half_open_stays};
    case Without::time_wait:
      return {Fault::old_byte, Fault::left_in_last_ack};
    case Without::nothing:
      break;
  }
  FaultSet all;
  for (std::size_t i = 1; i < kFaults; ++i) all.add(static_cast<Fault>(i));
  return all;
}

std::string_view to_string(Fault fault) {
  switch (fault) {
    case Fault::none:
      return "none";
    case Fault::half_open_stays:
      return "half-open-stays";
    case Fault::deadlock:
      return "deadlock";
    case Fault::livelock:
      return "livelock";
    case Fault::old_byte:
      return "old-byte";
    case Fault::wrong_byte:
      return "wrong-byte";
    case Fault::missing_byte:
      return "missing-byte";
    case Fault::disagreement:
      return "disagreement";
    case Fault::left_in_last_ack:
      return "left-in-last-ack";
    case Fault::ended_badly:
      return "ended-badly";
    case Fault::not_closed_once:
      return "not-closed-once";
  }
  return "?";
}

std::string_view meaning_of(Fault fault) {
  switch (fault) {
    case Fault::none:
      return "nothing is wrong";
    case Fault::half_open_stays:
      return "one end has a connection that the other knows nothing of, and nothing will end it";
    case Fault::deadlock:
      return "nothing can happen any more, and not everything is done";
    case Fault::livelock:
      return "segments go to and fro without end, while no time passes or for longer than an hour";
    case Fault::old_byte:
      return "a byte of the old connection was delivered in the new one";
    case Fault::wrong_byte:
      return "a byte was delivered that should not have come next";
    case Fault::missing_byte:
      return "the connection has finished, and not all of its text was delivered";
    case Fault::disagreement:
      return "both ends are open and do not agree on what has been sent and received";
    case Fault::left_in_last_ack:
      return "the end that waited for the last ACK was told of a reset instead";
    case Fault::ended_badly:
      return "the connection ended otherwise than by two FINs, though nobody aborted it";
    case Fault::not_closed_once:
      return "a connection was opened and not closed exactly once";
  }
  return "?";
}

}  // namespace handfast::explore
