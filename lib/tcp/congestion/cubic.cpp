// CUBIC (RFC 9438), with HyStart++ (RFC 9406) in the initial slow start. Windows are bytes here,
// segments in the RFC: C, and the increase of W_est, are therefore multiplied by the MSS.
#include <algorithm>
#include <cmath>

#include "tcp/congestion/congestion.hpp"
#include "tcp/congestion/hystart.hpp"
#include "tcp/congestion/standard_growth.hpp"

namespace handfast::tcp {

namespace {

constexpr double kC = 0.4;                                      // section 5.1
constexpr double kBeta = 0.7;                                   // section 4.6
constexpr double kAlpha = 3.0 * (1.0 - kBeta) / (1.0 + kBeta);  // section 4.3

// One congestion avoidance stage; what a spurious congestion event brings back (section 4.9).
struct Stage {
  double w_est;              // the window that Reno would have
  std::uint32_t w_max;       // 0: undefined, nothing was lost since slow start began
  std::uint32_t cwnd_prior;  // cwnd before the last reduction
  std::uint32_t k_us;        // K
  std::uint32_t epoch_us;    // t_epoch, moved on by the time that does not count
  bool has_begun;
};

struct Cubic {
  Stage stage;
  Stage undo;
  double fraction;        // of a byte, not in cwnd yet
  std::uint32_t last_us;  // of the last ACK
  HyStart hystart;
};

void start(Tcb& tcb, const Context&) {
  new_state_of<Cubic>(*tcb.transfer).hystart.round_end = tcb.snd_una;
}

// Section 4.2: K is how long it takes to be back at W_max. Where that is undefined, after HyStart++
// or a time-out, the stage begins on the plateau: K = 0, W_max = cwnd (sections 4.8 and 4.10).
void begin_stage(Cubic& cubic, const Tcb& tcb, const Context& context) {
  Stage& stage = cubic.stage;
  stage.has_begun = true;
  stage.epoch_us = context.now_us;
  stage.w_est = tcb.cwnd;
  cubic.fraction = 0;
  if (stage.cwnd_prior == 0) stage.cwnd_prior = tcb.cwnd;
  if (stage.w_max <= tcb.cwnd) {
    stage.w_max = tcb.cwnd;
    stage.k_us = 0;
    return;
  }
  const double segments = static_cast<double>(stage.w_max - tcb.cwnd) / tcb.snd_mss;
  stage.k_us = static_cast<std::uint32_t>(std::cbrt(segments / kC) * 1e6);
}

// W_cubic(t), equation 1.
double w_cubic(const Stage& stage, const Tcb& tcb, double t_us) {
  const double s = (t_us - stage.k_us) / 1e6;
  return kC * s * s * s * tcb.snd_mss + stage.w_max;
}

// Sections 4.3 to 4.5.
void avoid_congestion(Cubic& cubic, Tcb& tcb, std::uint32_t acked, const Context& context) {
  Stage& stage = cubic.stage;
  if (!stage.has_begun) begin_stage(cubic, tcb, context);
  const double cwnd = tcb.cwnd;
  // One ACK may cover more than a window where it ends a recovery: that is no second round trip.
  const double share = std::min(acked, tcb.cwnd) / cwnd;
  const double alpha = stage.w_est >= stage.cwnd_prior ? 1.0 : kAlpha;
  stage.w_est = std::min<double>(stage.w_est + alpha * share * tcb.snd_mss, kCwndMax);

  const double t = context.now_us - stage.epoch_us;
  if (w_cubic(stage, tcb, t) < stage.w_est) {
    // Reno-friendly. cwnd may have passed W_est on the way to an earlier target: it does not
    // shrink without a congestion event.
    if (stage.w_est > cwnd) tcb.cwnd = static_cast<std::uint32_t>(stage.w_est);
    return;
  }
  const double target = std::clamp(w_cubic(stage, tcb, t + tcb.srtt_us), cwnd, 1.5 * cwnd);
  cubic.fraction += (target - cwnd) * share;
  const double whole = std::floor(cubic.fraction);
  cubic.fraction -= whole;
  grow(tcb, static_cast<std::uint32_t>(whole));
}

void on_ack(Tcb& tcb, const AckSample& sample, const Context& context) {
  Cubic& cubic = state_of<Cubic>(*tcb.transfer);
  const std::uint32_t passed_us = context.now_us - cubic.last_us;
  cubic.last_us = context.now_us;
  const bool grows = may_grow(tcb, sample);
  // Section 5.8: time in which the window could not grow, because the application or the peer's
  // window was the limit, does not count in t. Longer than an RTO without an ACK is idleness.
  if (!grows || passed_us > tcb.rto_us) cubic.stage.epoch_us += passed_us;
  if (!grows) return;
  std::uint32_t acked = sample.acked;
  if (in_slow_start(tcb)) acked = slow_start(tcb, cubic.hystart, sample, context);
  if (acked != 0) avoid_congestion(cubic, tcb, acked, context);
}

// Sections 4.6 and 4.7. From cwnd, not FlightSize, as section 4.6 allows where an idle window does
// not grow.
std::uint32_t reduced_window(Tcb& tcb, std::uint32_t, const Context&) {
  Cubic& cubic = state_of<Cubic>(*tcb.transfer);
  Stage& stage = cubic.stage;
  cubic.undo = stage;
  const bool is_losing_ground = tcb.cwnd < stage.w_max;
  stage.w_max =
      is_losing_ground ? static_cast<std::uint32_t>(tcb.cwnd * (1 + kBeta) / 2) : tcb.cwnd;
  stage.cwnd_prior = tcb.cwnd;
  stage.has_begun = false;
  return std::max(static_cast<std::uint32_t>(tcb.cwnd * kBeta), 2U * tcb.snd_mss);
}

// Section 4.8.
void on_timeout(Tcb& tcb, const Context&) {
  Stage& stage = state_of<Cubic>(*tcb.transfer).stage;
  stage.w_max = 0;
  stage.has_begun = false;
}

void on_undo(Tcb& tcb, const Context& context) {
  Cubic& cubic = state_of<Cubic>(*tcb.transfer);
  cubic.stage = cubic.undo;
  cubic.last_us = context.now_us;
}

}  // namespace

const Congestion kCubic = {
    .name = "cubic",
    .start = start,
    .observe = [](Tcb&, const AckSample&, const Context&) {},
    .on_ack = on_ack,
    .reduced_window = reduced_window,
    .marked_window = reduced_window,
    .on_timeout = on_timeout,
    .on_recovered = [](Tcb&, const Context&) {},
    .on_undo = on_undo,
};

}  // namespace handfast::tcp
