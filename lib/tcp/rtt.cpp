#include "tcp/rtt.hpp"

#include <algorithm>

namespace handfast::tcp {

void start_syn_measurement(Tcb& tcb, const Context& context) {
  tcb.timing = true;
  tcb.syn_sent_us = context.now_us;
}

void finish_syn_measurement(Tcb& tcb, const base::Segment& seg, const Context& context) {
  if (tcb.timing) {
    tcb.timing = false;
    return update_rto(tcb, context.now_us - tcb.syn_sent_us, context.parameters);
  }
  const std::uint32_t rtt_us = round_trip_by_timestamp(tcb, seg, context);
  if (rtt_us != 0) update_rto(tcb, rtt_us, context.parameters);
}

std::uint32_t round_trip_by_timestamp(const Tcb& tcb, const base::Segment& seg,
                                      const Context& context) {
  if (!tcb.timestamps || seg.options.ts_echo == 0) return 0;
  const std::uint32_t ms = context.timestamp - seg.options.ts_echo;
  constexpr std::uint32_t kLongestMs = 1'000'000;
  return ms < kLongestMs ? std::max(ms, 1U) * 1000 : 0;
}

void update_rto(Tcb& tcb, std::uint32_t sample_us, const Parameters& parameters) {
  // A sample of less than a microsecond still is a sample.
  const std::uint32_t r = std::max(sample_us, 1U);
  if (tcb.srtt_us == 0) {  // section 2.2
    tcb.srtt_us = r;
    tcb.rttvar_us = r / 2;
  } else {  // section 2.3: alpha 1/8, beta 1/4
    const std::uint32_t error = r > tcb.srtt_us ? r - tcb.srtt_us : tcb.srtt_us - r;
    tcb.rttvar_us = tcb.rttvar_us - tcb.rttvar_us / 4 + error / 4;
    tcb.srtt_us = std::max(tcb.srtt_us - tcb.srtt_us / 8 + r / 8, 1U);
  }
  const std::uint64_t rto = std::uint64_t{tcb.srtt_us} + 4 * std::uint64_t{tcb.rttvar_us};
  tcb.rto_us = static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(rto, parameters.rto_min_us, parameters.rto_max_us));
}

void back_off(Tcb& tcb, const Parameters& parameters) {
  tcb.rto_us = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(std::uint64_t{tcb.rto_us} * 2, parameters.rto_max_us));
  tcb.timing = false;
}

}  // namespace handfast::tcp
