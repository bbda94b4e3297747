// NewReno's window: RFC 5681 section 3.1, with HyStart++ (RFC 9406) in the initial slow start. What
// RFC 6582 adds to it is recovery's.
#include "tcp/congestion/congestion.hpp"
#include "tcp/congestion/hystart.hpp"
#include "tcp/congestion/standard_growth.hpp"

namespace handfast::tcp {

namespace {

struct NewReno {
  HyStart hystart;
  std::uint32_t counted;  // of the current window, in congestion avoidance
};

void start(Tcb& tcb, const Context&) {
  new_state_of<NewReno>(*tcb.transfer).hystart.round_end = tcb.snd_una;
}

void on_ack(Tcb& tcb, const AckSample& sample, const Context& context) {
  if (!may_grow(tcb, sample)) return;
  NewReno& reno = state_of<NewReno>(*tcb.transfer);
  std::uint32_t acked = sample.acked;
  if (in_slow_start(tcb)) acked = slow_start(tcb, reno.hystart, sample, context);
  if (acked != 0) increase_additively(tcb, reno.counted, acked);
}

std::uint32_t reduced_window(Tcb& tcb, std::uint32_t flight, const Context&) {
  state_of<NewReno>(*tcb.transfer).counted = 0;
  return half_of_flight(tcb, flight);
}

}  // namespace

const Congestion kNewReno = {
    .name = "new_reno",
    .start = start,
    .observe = [](Tcb&, const AckSample&, const Context&) {},
    .on_ack = on_ack,
    .reduced_window = reduced_window,
    .marked_window = reduced_window,
    .on_timeout = [](Tcb&, const Context&) {},
    .on_recovered = [](Tcb&, const Context&) {},
    .on_undo = [](Tcb&, const Context&) {},
};

}  // namespace handfast::tcp
