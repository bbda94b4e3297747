// HyStart++ (RFC 9406): slow start that ends when a round's shortest round trip rises, before the
// queue overflows. When it rises, Conservative Slow Start (CSS) goes on at a quarter of the speed
// for five rounds; if the round trip falls again meanwhile, it was jitter and slow start resumes.
//
// A round's shortest round trip is that of its first ACKs, before which the queue has run empty, as
// long as the window is below two bandwidth-delay products: by the time that it rises, the window
// is three, and where the queue holds no more than one, thousands of segments are lost. So the
// other half of the first HyStart is here as well (Ha and Rhee, "Taming the elephants: New TCP slow
// start", 2011): when the ACKs of one round have come in a row for half of the shortest round trip,
// the path is nearly full, and CSS begins; jitter does not end that. (Linux ends slow start there,
// which leaves too small a window where ACKs come in lumps.) Once round trips stay above the
// shortest of all by the same threshold, for a quarter of it, slow start is over: more would only
// fill the queue till it overflows.
//
// For the initial slow start only, while Tcb::ssthresh is kNeverLost (section 4.3); its callers are
// NewReno and CUBIC. It ends slow start by setting ssthresh to cwnd.
#pragma once

#include <cstdint>

#include "tcp/congestion/congestion.hpp"

namespace handfast::tcp {

struct HyStart {
  // Section 4.3's recommended constants; those the text names but does not use are left out.
  static constexpr std::uint32_t kMinRttThresholdUs = 4'000;
  static constexpr std::uint32_t kMaxRttThresholdUs = 16'000;
  static constexpr std::uint32_t kMinRttDivisor = 8;
  static constexpr std::uint8_t kRttSamples = 8;         // N_RTT_SAMPLE
  static constexpr std::uint32_t kCssGrowthDivisor = 4;  // CSS_GROWTH_DIVISOR
  static constexpr std::uint8_t kCssRounds = 5;          // CSS_ROUNDS
  static constexpr std::uint32_t kGrowthLimit = 8;       // L, segments an ACK, where not paced
  // ACKs that lie no further apart than this, or a quarter of the shortest round trip, are a train:
  // a busy machine handles them in lumps. On paths with shorter round trips none is looked for, as
  // no rise of the delay is: there, slow start is over soon in any case.
  static constexpr std::uint32_t kTrainGapMinUs = 2'000;
  static constexpr std::uint32_t kTrainRttMinUs = 4'000;
  static constexpr std::uint32_t kNoRtt = 0xffffffff;
  static constexpr std::uint32_t kTrainBaseline = 0;  // css_baseline_us of what a train entered

  Seq round_end;  // windowEnd
  std::uint32_t last_round_rtt_us = kNoRtt;
  std::uint32_t round_rtt_us = kNoRtt;
  std::uint32_t css_baseline_us = kNoRtt;
  std::uint32_t round_began_us = 0;  // moved on by what does not count of it
  std::uint32_t train_us = 0;        // when the last ACK of the round's train came
  std::uint8_t samples = 0;          // of this round
  std::uint8_t css_rounds = 0;       // begun, the one in which CSS was entered among them
  bool in_css = false;
};

// The bytes of sample.acked that slow start may count, HyStart++'s or the standard's: as
// slow_start(), it returns what is left for congestion avoidance.
std::uint32_t slow_start(Tcb& tcb, HyStart& hystart, const AckSample& sample,
                         const Context& context);

}  // namespace handfast::tcp
