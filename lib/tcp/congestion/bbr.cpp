// BBR version 1, as in draft-cardwell-iccrg-bbr-congestion-control-00 (named "section" below) and
// the paper of 2016. It keeps a model of the path, the bottleneck's bandwidth and the round trip
// without a queue, and sends at that rate with about that much in flight; loss and marks hardly
// count. Versions 2 and 3, which do count them, are not here; nor are the long-term sampling and
// the aggregation of ACKs that Linux added to version 1.
//
//   STARTUP --bandwidth grows no more--> DRAIN --in flight: one BDP--> PROBE_BW <--> PROBE_RTT
//
// The model lives in the Transfer: a connection that has been idle begins at STARTUP again, with
// the restart window, where the draft would go on at the old rate.
#include <algorithm>
#include <array>

#include "base/flow_key.hpp"
#include "tcp/congestion/congestion.hpp"
#include "tcp/scoreboard.hpp"

namespace handfast::tcp {

namespace {

constexpr double kHighGain = 2.885;                  // 2 / ln 2: doubles each round
constexpr double kDrainGain = 1 / kHighGain;         // section 4.3.3
constexpr double kProbeCwndGain = 2;                 // section 4.3.4.1: for delayed, stretched ACKs
constexpr std::uint32_t kBandwidthRounds = 10;       // BtlBwFilterLen
constexpr std::uint32_t kMinRttTimeUs = 10'000'000;  // RTpropFilterLen
constexpr std::uint32_t kProbeRttTimeUs = 200'000;   // ProbeRTTDuration
constexpr std::uint32_t kMinPipeSegments = 4;        // BBRMinPipeCwnd
constexpr std::uint8_t kFullRounds = 3;              // without growth: the pipe is full
constexpr double kFullGrowth = 1.25;
constexpr std::uint32_t kStartRttUs = 1'000;  // where no round trip is known, for the first rate

constexpr std::array<double, 8> kProbeGains = {1.25, 0.75, 1, 1, 1, 1, 1, 1};

enum class Mode : std::uint8_t { startup, drain, probe_bw, probe_rtt };

struct Bbr {
  // The best rate, bytes a second, of each of the last rounds in which one was taken; the newest
  // is `rate_round`, at rate_round % 10.
  std::array<std::uint64_t, kBandwidthRounds> rates;
  std::uint64_t round_end;  // Transfer::delivered of the next round's first segment
  std::uint64_t full_rate;  // what growth is measured against
  std::uint32_t round;
  std::uint32_t rate_round;
  std::uint32_t min_rtt_us;  // RTprop; 0: unknown
  std::uint32_t min_rtt_taken_us;
  std::uint32_t phase_began_us;
  std::uint32_t probe_rtt_ends_us;  // when is_probe_rtt_timed
  std::uint32_t prior_cwnd;         // before recovery or PROBE_RTT
  Mode mode;
  std::uint8_t phase;        // of kProbeGains
  std::uint8_t full_rounds;  // without growth
  bool has_full_pipe : 1;
  bool is_round_start : 1;
  bool is_in_recovery : 1;
  bool conserves_packets : 1;
  bool is_probe_rtt_timed : 1;
  bool was_probe_rtt_round : 1;  // one has passed in PROBE_RTT

  std::uint64_t bandwidth() const { return std::ranges::max(rates); }  // BtlBw
};

double pacing_gain(const Bbr& bbr) {
  switch (bbr.mode) {
    case Mode::startup:
      return kHighGain;
    case Mode::drain:
      return kDrainGain;
    case Mode::probe_bw:
      return kProbeGains[bbr.phase];
    case Mode::probe_rtt:
      break;
  }
  return 1;
}

double cwnd_gain(const Bbr& bbr) {
  if (bbr.mode == Mode::startup || bbr.mode == Mode::drain) return kHighGain;
  return bbr.mode == Mode::probe_bw ? kProbeCwndGain : 1;
}

// Section 4.2.2: what leaves at once, a millisecond's worth where the rate allows.
std::uint32_t send_quantum(const Tcb& tcb) {
  const std::uint64_t rate = tcb.transfer->pacing_rate;
  if (rate < 150'000) return tcb.snd_mss;
  if (rate < 3'000'000) return 2U * tcb.snd_mss;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(rate / 1000, 65'536));
}

// Section 4.2.3.2, BBRInflight: `gain` BDPs, and room for bursts.
std::uint32_t inflight(const Bbr& bbr, const Tcb& tcb, double gain) {
  const std::uint64_t bandwidth = bbr.bandwidth();
  if (bbr.min_rtt_us == 0 || bandwidth == 0) return initial_window(tcb.snd_mss);
  const double bdp = static_cast<double>(bandwidth) * bbr.min_rtt_us / 1e6;
  return static_cast<std::uint32_t>(
      std::min<double>(gain * bdp + 3.0 * send_quantum(tcb), kCwndMax));
}

std::uint32_t min_pipe(const Tcb& tcb) {
  return kMinPipeSegments * tcb.snd_mss;
}

bool is_after(std::uint32_t a_us, std::uint32_t b_us) {
  return static_cast<std::int32_t>(a_us - b_us) > 0;
}

// --- the model (section 4.1)

void update_round(Bbr& bbr, const Transfer& t, const AckSample& sample) {
  bbr.is_round_start = sample.prior_delivered >= bbr.round_end;
  if (!bbr.is_round_start) return;
  bbr.round_end = t.delivered;
  ++bbr.round;
  bbr.conserves_packets = false;  // recovery's first round is over
}

// A maximum over ten rounds. An application's pause only makes samples smaller, so those below the
// maximum are left out, and rounds without a sample do not make the others old.
void update_bandwidth(Bbr& bbr, const AckSample& sample) {
  if (sample.rate_interval_us == 0) return;
  const std::uint64_t rate = sample.rate_bytes * 1'000'000 / sample.rate_interval_us;
  if (sample.is_app_limited && rate < bbr.bandwidth()) return;
  const std::uint32_t passed = std::min(bbr.round - bbr.rate_round, kBandwidthRounds);
  for (std::uint32_t i = 0; i < passed; ++i) bbr.rates[(bbr.round - i) % kBandwidthRounds] = 0;
  bbr.rate_round = bbr.round;
  std::uint64_t& best = bbr.rates[bbr.round % kBandwidthRounds];
  best = std::max(best, rate);
}

// True: ten seconds have brought no round trip as short as the shortest.
bool update_min_rtt(Bbr& bbr, const AckSample& sample, const Context& context) {
  const bool has_expired = context.now_us - bbr.min_rtt_taken_us > kMinRttTimeUs;
  if (sample.rtt_us != 0 &&
      (bbr.min_rtt_us == 0 || sample.rtt_us <= bbr.min_rtt_us || has_expired)) {
    bbr.min_rtt_us = sample.rtt_us;
    bbr.min_rtt_taken_us = context.now_us;
  }
  return has_expired;
}

// --- the states (section 4.3)

// Phases begin anywhere but at 0.75, whatever a clock and two ports make of it, so that flows which
// share a bottleneck do not probe in step.
void enter_probe_bw(Bbr& bbr, const Tcb& tcb, const Context& context) {
  const std::uint64_t ports = std::uint64_t{tcb.key.local_port} << 16 | tcb.key.remote_port;
  const base::HashSecret odd;
  const std::uint64_t any = base::fold_multiply(context.now_us ^ odd.a, ports ^ odd.b);
  bbr.mode = Mode::probe_bw;
  bbr.phase = static_cast<std::uint8_t>((2 + any % (kProbeGains.size() - 1)) % kProbeGains.size());
  bbr.phase_began_us = context.now_us;
}

void check_phase(Bbr& bbr, const Tcb& tcb, const AckSample& sample, const Context& context) {
  if (bbr.mode != Mode::probe_bw) return;
  bool is_over = context.now_us - bbr.phase_began_us > bbr.min_rtt_us;
  const double gain = kProbeGains[bbr.phase];
  if (gain > 1) {
    is_over = is_over && (sample.lost > 0 || sample.prior_flight >= inflight(bbr, tcb, gain));
  } else if (gain < 1) {
    is_over = is_over || sample.prior_flight <= inflight(bbr, tcb, 1);
  }
  if (!is_over) return;
  bbr.phase = static_cast<std::uint8_t>((bbr.phase + 1) % kProbeGains.size());
  bbr.phase_began_us = context.now_us;
}

void check_full_pipe(Bbr& bbr, const AckSample& sample) {
  if (bbr.has_full_pipe || !bbr.is_round_start || sample.is_app_limited) return;
  const auto bandwidth = static_cast<double>(bbr.bandwidth());
  if (bandwidth >= static_cast<double>(bbr.full_rate) * kFullGrowth) {
    bbr.full_rate = bbr.bandwidth();
    bbr.full_rounds = 0;
    return;
  }
  bbr.has_full_pipe = ++bbr.full_rounds >= kFullRounds;
}

void check_drain(Bbr& bbr, const Tcb& tcb, const Context& context) {
  if (bbr.mode == Mode::startup && bbr.has_full_pipe) bbr.mode = Mode::drain;
  if (bbr.mode == Mode::drain && pipe(tcb) <= inflight(bbr, tcb, 1)) {
    enter_probe_bw(bbr, tcb, context);
  }
}

// Section 4.2.3.4: BBRSaveCwnd, BBRRestoreCwnd.
void save_cwnd(Bbr& bbr, const Tcb& tcb) {
  const bool is_reduced = bbr.is_in_recovery || bbr.mode == Mode::probe_rtt;
  bbr.prior_cwnd = is_reduced ? std::max(bbr.prior_cwnd, tcb.cwnd) : tcb.cwnd;
}

void restore_cwnd(const Bbr& bbr, Tcb& tcb) {
  tcb.cwnd = std::max(tcb.cwnd, bbr.prior_cwnd);
}

// Four segments for 200 ms and a round trip: the queue empties and shows the path's own delay.
void stay_in_probe_rtt(Bbr& bbr, Tcb& tcb, const Context& context) {
  Transfer& t = *tcb.transfer;
  t.app_limited_until = t.delivered + std::max(pipe(tcb), 1U);  // by our choice, not the path's
  if (!bbr.is_probe_rtt_timed) {
    if (pipe(tcb) > min_pipe(tcb)) return;
    bbr.is_probe_rtt_timed = true;
    bbr.was_probe_rtt_round = false;
    bbr.probe_rtt_ends_us = context.now_us + kProbeRttTimeUs;
    bbr.round_end = t.delivered;
    return;
  }
  if (bbr.is_round_start) bbr.was_probe_rtt_round = true;
  if (!bbr.was_probe_rtt_round || !is_after(context.now_us, bbr.probe_rtt_ends_us)) return;
  bbr.min_rtt_taken_us = context.now_us;
  restore_cwnd(bbr, tcb);
  if (bbr.has_full_pipe) {
    enter_probe_bw(bbr, tcb, context);
  } else {
    bbr.mode = Mode::startup;
  }
}

void check_probe_rtt(Bbr& bbr, Tcb& tcb, bool has_expired, const Context& context) {
  if (has_expired && bbr.mode != Mode::probe_rtt) {
    save_cwnd(bbr, tcb);
    bbr.mode = Mode::probe_rtt;
    bbr.is_probe_rtt_timed = false;
  }
  if (bbr.mode == Mode::probe_rtt) stay_in_probe_rtt(bbr, tcb, context);
}

// --- what comes of it (section 4.2)

void set_pacing_rate(const Bbr& bbr, Transfer& t) {
  const double rate = pacing_gain(bbr) * static_cast<double>(bbr.bandwidth());
  // Before the pipe is full samples are small for want of window, not of bandwidth.
  if (bbr.has_full_pipe || rate > static_cast<double>(t.pacing_rate)) {
    t.pacing_rate = std::max<std::uint64_t>(static_cast<std::uint64_t>(rate), 1);
  }
}

void leave_recovery(Bbr& bbr, Tcb& tcb) {
  bbr.is_in_recovery = false;
  bbr.conserves_packets = false;
  restore_cwnd(bbr, tcb);
}

// Section 4.2.3.3: in recovery's first round no more leaves than arrives.
void modulate_for_recovery(Bbr& bbr, Tcb& tcb, const AckSample& sample) {
  Transfer& t = *tcb.transfer;
  const std::uint32_t mss = tcb.snd_mss;
  const bool is_lossy = t.recovery == Recovery::fast || t.recovery == Recovery::loss;
  if (is_lossy && !bbr.is_in_recovery) {
    save_cwnd(bbr, tcb);
    bbr.is_in_recovery = true;
    bbr.conserves_packets = true;
    bbr.round_end = t.delivered;
    tcb.cwnd = pipe(tcb) + std::max(sample.delivered, mss);
    return;
  }
  if (!is_lossy && bbr.is_in_recovery) leave_recovery(bbr, tcb);
  if (sample.lost > 0) tcb.cwnd = tcb.cwnd > sample.lost + mss ? tcb.cwnd - sample.lost : mss;
  if (bbr.conserves_packets) tcb.cwnd = std::max(tcb.cwnd, pipe(tcb) + sample.delivered);
}

void set_cwnd(Bbr& bbr, Tcb& tcb, const AckSample& sample) {
  modulate_for_recovery(bbr, tcb, sample);
  if (!bbr.conserves_packets) {
    const std::uint32_t target = inflight(bbr, tcb, cwnd_gain(bbr));
    if (bbr.has_full_pipe) {
      tcb.cwnd = std::min(tcb.cwnd + sample.delivered, target);
    } else if (tcb.cwnd < target || tcb.transfer->delivered < initial_window(tcb.snd_mss)) {
      tcb.cwnd += sample.delivered;
    }
    tcb.cwnd = std::max(tcb.cwnd, min_pipe(tcb));
  }
  tcb.cwnd = std::min(tcb.cwnd, bbr.mode == Mode::probe_rtt ? min_pipe(tcb) : kCwndMax);
}

void start(Tcb& tcb, const Context& context) {
  Bbr& bbr = new_state_of<Bbr>(*tcb.transfer);
  bbr.min_rtt_us = tcb.srtt_us;
  bbr.min_rtt_taken_us = context.now_us;
  // Section 4.2.1, BBRInitPacingRate.
  const std::uint32_t rtt_us = tcb.srtt_us != 0 ? tcb.srtt_us : kStartRttUs;
  tcb.transfer->pacing_rate = static_cast<std::uint64_t>(kHighGain * tcb.cwnd / (rtt_us / 1e6));
}

void on_ack(Tcb& tcb, const AckSample& sample, const Context& context) {
  Transfer& t = *tcb.transfer;
  Bbr& bbr = state_of<Bbr>(t);
  update_round(bbr, t, sample);
  update_bandwidth(bbr, sample);
  check_phase(bbr, tcb, sample, context);
  check_full_pipe(bbr, sample);
  check_drain(bbr, tcb, context);
  const bool has_expired = update_min_rtt(bbr, sample, context);
  check_probe_rtt(bbr, tcb, has_expired, context);
  set_pacing_rate(bbr, t);
  set_cwnd(bbr, tcb, sample);
}

// ssthresh means nothing here.
std::uint32_t same_ssthresh(Tcb& tcb, std::uint32_t, const Context&) {
  return tcb.ssthresh;
}

// Section 4.2.3.4: one segment, then as the ACKs come back.
void on_timeout(Tcb& tcb, const Context&) {
  Bbr& bbr = state_of<Bbr>(*tcb.transfer);
  save_cwnd(bbr, tcb);
  bbr.is_in_recovery = true;
  bbr.conserves_packets = false;
  tcb.cwnd = tcb.snd_mss;
}

void on_recovered(Tcb& tcb, const Context&) {
  Bbr& bbr = state_of<Bbr>(*tcb.transfer);
  if (bbr.is_in_recovery) leave_recovery(bbr, tcb);
}

}  // namespace

const Congestion kBbr = {
    .name = "bbr",
    .owns_window = true,
    .start = start,
    .observe = [](Tcb&, const AckSample&, const Context&) {},
    .on_ack = on_ack,
    .reduced_window = same_ssthresh,
    .marked_window = same_ssthresh,
    .on_timeout = on_timeout,
    .on_recovered = on_recovered,
    .on_undo = on_recovered,
};

}  // namespace handfast::tcp
