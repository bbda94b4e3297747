// Player: plays a script's peer against one End, statement by statement, and stops at the first
// that goes otherwise than the script says.
#pragma once

#include <functional>
#include <map>

#include "tests/script/language/script.hpp"
#include "tests/script/runner/end.hpp"
#include "tests/script/runner/flow.hpp"

namespace handfast::script {

// Told of every statement, and of every segment of the stack's, for a reader.
using Trace = std::function<void(Duration, std::string_view)>;

class Player {
 public:
  // All are borrowed.
  Player(const Script& script, End& end, const Trace& trace);

  // Nothing when all went as written; else file, line, what was wanted, what was seen.
  Complaint play();

 private:
  Complaint play(const Statement& statement);
  Complaint perform(const Inject& inject);
  Complaint perform(const InjectIcmp& icmp);
  Complaint perform(const Expect& expect);
  Complaint perform(const ExpectNone& none);
  Complaint perform(const Wait& wait);
  Complaint perform(const Call& call);
  Complaint perform(const Event& event);
  Complaint perform(const StateIs& state);
  Complaint perform(const CounterIs& counter);
  Complaint perform(const InfoIs& info);
  Complaint perform(const UseFlow& use);

  // The first segment of the flow that no statement has had yet.
  Seen* await_segment(Duration until);
  Complaint receive(FrameAt frame);
  Complaint check_nothing_left();
  Complaint check_time(const Within& within, Duration at);
  Complaint check_data(const Event& event);
  Flow& flow() { return *flow_; }
  Flow& flow_of(const FlowPorts& ports);
  Duration deadline(Duration high) const;
  // The peer has done something: lower bounds count from here.
  void has_acted();

  const Script& script_;
  End& end_;
  const Trace& trace_;
  std::map<std::string, Flow> flows_;
  Flow* flow_ = nullptr;
  Duration mark_{0};   // when the statement before was over
  Duration acted_{0};  // when the runner itself last did something
  Duration lows_{0};   // least time that must have passed since then
  Complaint broken_;   // a frame that no TCP should have sent
};

}  // namespace handfast::script
