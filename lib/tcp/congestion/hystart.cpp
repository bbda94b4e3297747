#include "tcp/congestion/hystart.hpp"

#include <algorithm>

#include "tcp/congestion/standard_growth.hpp"

namespace handfast::tcp {

namespace {

std::uint32_t threshold_of(std::uint32_t rtt_us) {
  return std::clamp(rtt_us / HyStart::kMinRttDivisor, HyStart::kMinRttThresholdUs,
                    HyStart::kMaxRttThresholdUs);
}

// Both signs at once: ACKs in a row filled the path, and its queue does not run empty any more. Not
// by a round's first ACKs alone: a busy machine delays them.
bool is_path_full(const HyStart& h, const Tcb& tcb, std::uint32_t now_us) {
  if (!h.in_css || h.css_baseline_us != HyStart::kTrainBaseline) return false;
  const std::uint32_t shortest = tcb.transfer->min_rtt_us;
  return h.samples == HyStart::kRttSamples && now_us - h.round_began_us >= shortest / 4 &&
         h.round_rtt_us >= shortest + threshold_of(shortest);
}

// Section 4.2: a round ends when what was sent by its beginning is acknowledged.
void begin_round(HyStart& h, Tcb& tcb, std::uint32_t now_us) {
  h.round_began_us = h.train_us = now_us;
  h.last_round_rtt_us = h.round_rtt_us;
  h.round_rtt_us = HyStart::kNoRtt;
  h.samples = 0;
  h.round_end = tcb.snd_nxt;
  if (!h.in_css) return;
  if (h.css_rounds == HyStart::kCssRounds) {
    tcb.ssthresh = tcb.cwnd;  // congestion avoidance
  } else {
    ++h.css_rounds;
  }
}

void take_sample(HyStart& h, std::uint32_t rtt_us) {
  if (rtt_us == 0) return;
  h.round_rtt_us = std::min(h.round_rtt_us, rtt_us);
  if (h.samples < HyStart::kRttSamples) ++h.samples;
}

void enter_css(HyStart& h, std::uint32_t baseline_us) {
  h.css_baseline_us = baseline_us;
  h.in_css = true;
  h.css_rounds = 1;
}

void look_at_delay(HyStart& h) {
  if (h.samples < HyStart::kRttSamples) return;
  if (h.in_css) {
    if (h.round_rtt_us >= h.css_baseline_us) return;
    h.css_baseline_us = HyStart::kNoRtt;
    h.in_css = false;  // jitter: slow start resumes
    return;
  }
  if (h.last_round_rtt_us == HyStart::kNoRtt) return;
  if (h.round_rtt_us < h.last_round_rtt_us + threshold_of(h.last_round_rtt_us)) return;
  enter_css(h, h.round_rtt_us);
}

// Half of the round trip: what a path holds on its way there arrives in that time. A gap does not
// count: it may be the machine's.
bool train_fills_path(HyStart& h, const Tcb& tcb, std::uint32_t now_us) {
  const std::uint32_t shortest = tcb.transfer->min_rtt_us;
  const std::uint32_t gap = now_us - h.train_us;
  h.train_us = now_us;
  if (gap > std::max(HyStart::kTrainGapMinUs, shortest / 4)) h.round_began_us += gap;
  return shortest >= HyStart::kTrainRttMinUs && now_us - h.round_began_us > shortest / 2;
}

}  // namespace

std::uint32_t slow_start(Tcb& tcb, HyStart& hystart, const AckSample& sample,
                         const Context& context) {
  const std::uint32_t acked = acked_in_slow_start(tcb, sample);
  if (tcb.ssthresh != kNeverLost) return slow_start(tcb, counted_in_slow_start(tcb, acked));
  // Beyond the end of the round: this ACK is the first for what was sent in the next. The ACK at
  // the very end still measures the old one.
  if (tcb.snd_una.is_after(hystart.round_end)) begin_round(hystart, tcb, context.now_us);
  if (tcb.ssthresh != kNeverLost) return sample.acked;
  take_sample(hystart, sample.rtt_us);
  if (is_path_full(hystart, tcb, context.now_us)) {
    tcb.ssthresh = tcb.cwnd;
    return sample.acked;
  }
  look_at_delay(hystart);
  if (train_fills_path(hystart, tcb, context.now_us) && !hystart.in_css) {
    enter_css(hystart, HyStart::kTrainBaseline);
  }
  std::uint32_t step = acked;
  if (tcb.transfer->pacing_rate == 0) step = std::min(step, HyStart::kGrowthLimit * tcb.snd_mss);
  if (hystart.in_css) step /= HyStart::kCssGrowthDivisor;
  grow(tcb, step);
  return 0;
}

}  // namespace handfast::tcp
