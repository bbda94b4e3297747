// Weather: bulk transfers over one bad line, in virtual time. Senders on hosts of their own share
// the line to one receiver; it has a rate, a queue, a delay, and loses, reorders, duplicates and
// corrupts as asked, both ways. Every byte is compared. Used by sim_weather and by the recovery
// table. One configuration makes one run, to the last frame.
//
//   sender 0 --+                                         each direction: loss, queue of
//   sender 1 --+-- switch ==== ImpairDevice ==== receiver   bounded bytes, rate, delay
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "drivers/impair/impairment.hpp"
#include "handfast/config.hpp"
#include "handfast/counters.hpp"

namespace handfast::sim {

// A host, and how many flows start from it.
struct WeatherSender {
  CongestionControl algorithm = CongestionControl::cubic;
  std::uint32_t flows = 1;
};

struct WeatherConfig {
  static constexpr std::size_t kSendersMax = 16;
  static constexpr std::uint32_t kFlowsMax = 64;  // of one sender

  std::uint64_t seed = 1;
  std::vector<WeatherSender> senders = std::vector<WeatherSender>(1);
  std::uint64_t bytes = 32'000'000;  // of each flow
  // Flows that are not through by then are aborted.
  Duration limit = std::chrono::seconds(30);
  // Each flow starts so long after the one before it; goodput counts from `measured_from` on.
  Duration stagger{0};
  Duration measured_from{0};

  // The rate must not be 0. `line.queue_max` and `line.ce_threshold` are of the way to the
  // receiver; 0 bytes of queue stand for one bandwidth-delay product.
  drivers::Impairment line{.delay = std::chrono::milliseconds(10), .bits_per_second = 100'000'000};

  std::uint64_t bdp_bytes() const;
  std::uint64_t queue_bytes() const;
};

struct WeatherReport {
  // What went wrong, one sentence each; empty: all is well.
  std::vector<std::string> failures;
  bool is_complete = false;  // every flow was through before the limit
  Duration measured{0};      // from `measured_from` to the last byte, or the limit
  // Delivered in that time, of each flow: those of the first sender first.
  std::vector<std::uint64_t> bytes;
  Counters senders;  // of all of them together
  Counters receiver;
  drivers::ImpairCounters line;  // towards the receiver
  std::uint64_t digest = 0;      // of all frames in order, with their time

  // Of all flows together. Integers, so that a printed table is the same everywhere.
  std::uint64_t goodput_kbps() const;
  // Jain's index: 1 when all flows got the same, 1 / flows when one got all.
  double fairness() const;
};

// `tap`, when given, sees every frame where the senders are: their own as they send them, also
// those lost on the way, and the receiver's as they arrive.
WeatherReport run_weather(const WeatherConfig& config,
                          const std::function<void(Instant, base::Bytes)>& tap = {});

}  // namespace handfast::sim
