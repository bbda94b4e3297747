// WindowTest: one sender's Tcb and Transfer under one congestion control, and a test that plays
// loss recovery: it says what the ACKs say, in segments of kMss, and when. The application always
// has more to send, and the window is always full, unless the test says otherwise.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "base/packet.hpp"
#include "tcp/congestion/congestion.hpp"

namespace handfast::tcp {

inline constexpr std::uint32_t kMss = 1000;

class NoPackets : public base::PacketPool {
 public:
  std::size_t allocate(std::span<base::Packet>) override { return 0; }
  void free(std::span<const base::Packet>) override {}
  std::size_t data_room() const override { return 0; }
  void share(const base::Packet&) override {}
  bool is_shared(const base::Packet&) const override { return false; }
};

class WindowTest : public ::testing::Test {
 public:
  explicit WindowTest(const Congestion& algorithm) : congestion(algorithm) {
    tcb.transfer = &transfer;
    tcb.snd_mss = kMss;
    tcb.snd_una = tcb.snd_nxt = Seq{0xffff'f000};
    tcb.rto_us = 1'000'000;
    context.set_time(Instant::from_ns(1'000'000'000));
  }

  void begin(std::uint32_t cwnd_segments, std::uint32_t ssthresh = kNeverLost) {
    tcb.cwnd = cwnd_segments * kMss;
    tcb.ssthresh = ssthresh;
    congestion.start(tcb, context);
    fill();
  }
  void pass(std::uint64_t us) { context.set_time(context.now + std::chrono::microseconds(us)); }
  // Sends what the window has room for.
  void fill() {
    if (tcb.in_flight() < tcb.cwnd) tcb.snd_nxt = tcb.snd_una + tcb.cwnd;
    tcb.snd_max = tcb.snd_nxt;
  }

  AckSample sample_of(std::uint32_t segments, std::uint32_t rtt_us = 0) const {
    AckSample sample;
    sample.acked = sample.delivered = segments * kMss;
    sample.prior_flight = tcb.in_flight();
    sample.rtt_us = rtt_us;
    sample.is_cwnd_limited = true;
    return sample;
  }
  void take(const AckSample& sample) {
    tcb.snd_una += sample.acked;
    transfer.delivered += sample.delivered;
    congestion.observe(tcb, sample, context);
    congestion.on_ack(tcb, sample, context);
    fill();
  }
  void ack(std::uint32_t segments, std::uint32_t rtt_us = 0) { take(sample_of(segments, rtt_us)); }
  // All that is in flight now, every second segment acknowledged, a round trip later.
  void round_trip(std::uint32_t rtt_us) {
    pass(rtt_us);
    const Seq end = tcb.snd_nxt;
    while (tcb.snd_una.is_before(end)) {
      AckSample sample = sample_of(2, rtt_us);
      sample.acked = sample.delivered = std::min(sample.acked, end - tcb.snd_una);
      take(sample);
    }
  }
  // A loss and its recovery, which takes no time.
  void lose() {
    tcb.ssthresh = congestion.reduced_window(tcb, tcb.in_flight(), context);
    tcb.cwnd = tcb.ssthresh;
    congestion.on_recovered(tcb, context);
  }
  void time_out() {
    tcb.ssthresh = congestion.reduced_window(tcb, tcb.in_flight(), context);
    transfer.recovery = Recovery::loss;
    tcb.cwnd = kMss;
    congestion.on_timeout(tcb, context);
  }
  // What is left of the flight is gone, and the window sets the pace again.
  void flight_is_window() { tcb.snd_nxt = tcb.snd_max = tcb.snd_una + tcb.cwnd; }
  double window() const { return static_cast<double>(tcb.cwnd) / kMss; }

  const Congestion& congestion;
  Parameters parameters = Parameters::from(StackConfig{}, 0);
  NoPackets pool;
  base::PacketCache cache{pool};
  base::LiveCounters counters;
  base::Slab<Transfer> transfers;
  Context context{parameters, cache, counters, transfers, {}};
  Transfer transfer{};
  Tcb tcb{};
};

}  // namespace handfast::tcp
