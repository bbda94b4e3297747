// DCTCP (RFC 8257): the window comes down by how much of it was marked, not by half. Growth and the
// reaction to loss are NewReno's (sections 3.3 and 3.5). After idleness alpha begins at 1 again,
// the careful side: the first mark halves.
#include <algorithm>

#include "tcp/congestion/congestion.hpp"
#include "tcp/congestion/standard_growth.hpp"

namespace handfast::tcp {

namespace {

constexpr double kGain = 1.0 / 16;  // g, section 4.2

struct Dctcp {
  double alpha;             // DCTCP.Alpha: the share of marked bytes, smoothed
  std::uint64_t delivered;  // DCTCP.BytesAcked
  std::uint64_t marked;     // DCTCP.BytesMarked
  Seq window_end;           // DCTCP.WindowEnd
  std::uint32_t counted;    // of the current window, in congestion avoidance
};

void start(Tcb& tcb, const Context&) {
  Dctcp& dctcp = new_state_of<Dctcp>(*tcb.transfer);
  dctcp.alpha = 1;  // section 3.3: SHOULD
  dctcp.window_end = tcb.snd_una;
}

// Section 3.3 steps 1 to 8. Also while recovery steers the window: a marked window is one.
void observe(Tcb& tcb, const AckSample& sample, const Context&) {
  Dctcp& dctcp = state_of<Dctcp>(*tcb.transfer);
  dctcp.delivered += sample.delivered;
  if (sample.ece) dctcp.marked += sample.delivered;
  if (tcb.snd_una.is_at_or_before(dctcp.window_end) || dctcp.delivered == 0) return;
  const double share = static_cast<double>(dctcp.marked) / static_cast<double>(dctcp.delivered);
  dctcp.alpha += kGain * (share - dctcp.alpha);
  dctcp.delivered = 0;
  dctcp.marked = 0;
  dctcp.window_end = tcb.snd_nxt;
}

void on_ack(Tcb& tcb, const AckSample& sample, const Context&) {
  if (!may_grow(tcb, sample)) return;
  std::uint32_t acked = sample.acked;
  if (in_slow_start(tcb)) {
    acked = slow_start(tcb, counted_in_slow_start(tcb, acked_in_slow_start(tcb, sample)));
  }
  if (acked != 0) increase_additively(tcb, state_of<Dctcp>(*tcb.transfer).counted, acked);
}

std::uint32_t reduced_window(Tcb& tcb, std::uint32_t flight, const Context&) {
  state_of<Dctcp>(*tcb.transfer).counted = 0;
  return half_of_flight(tcb, flight);
}

// Section 3.3 step 9: cwnd = cwnd * (1 - DCTCP.Alpha / 2).
std::uint32_t marked_window(Tcb& tcb, std::uint32_t, const Context&) {
  Dctcp& dctcp = state_of<Dctcp>(*tcb.transfer);
  dctcp.counted = 0;
  const double window = tcb.cwnd * (1 - dctcp.alpha / 2);
  return std::max(static_cast<std::uint32_t>(window), 2U * tcb.snd_mss);
}

}  // namespace

const Congestion kDctcp = {
    .name = "dctcp",
    .needs_ecn = true,
    .start = start,
    .observe = observe,
    .on_ack = on_ack,
    .reduced_window = reduced_window,
    .marked_window = marked_window,
    .on_timeout = [](Tcb&, const Context&) {},
    .on_recovered = [](Tcb&, const Context&) {},
    .on_undo = [](Tcb&, const Context&) {},
};

}  // namespace handfast::tcp
