// HyStart++ (RFC 9406): slow start that ends when a round's shortest round trip rises, before the
// queue overflows. When it rises, Conservative Slow Start (CSS) goes on at a quarter of the speed
// for five rounds; if the round trip falls again meanwhile, it was jitter and slow start resumes.
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
  static constexpr std::uint32_t kNoRtt = 0xffffffff;

  Seq round_end;  // windowEnd
  std::uint32_t last_round_rtt_us = kNoRtt;
  std::uint32_t round_rtt_us = kNoRtt;
  std::uint32_t css_baseline_us = kNoRtt;
  std::uint8_t samples = 0;     // of this round
  std::uint8_t css_rounds = 0;  // begun, the one in which CSS was entered among them
  bool in_css = false;
};

// The bytes of sample.acked that slow start may count, HyStart++'s or the standard's: as
// slow_start(), it returns what is left for congestion avoidance.
std::uint32_t slow_start(Tcb& tcb, HyStart& hystart, const AckSample& sample);

}  // namespace handfast::tcp
