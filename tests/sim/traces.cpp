#include "tests/sim/traces.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include "tests/sim/bulk.hpp"
#include "tests/sim/world.hpp"

namespace handfast::sim {
namespace {

using namespace std::chrono_literals;

constexpr Address kSender = Address::v4(0x0a000001);
constexpr Endpoint kTraced{Address::v4(0x0a000002), 7000};
constexpr std::uint16_t kSourcePort = 10'000;
constexpr std::uint64_t kSegmentBytes = 1448;  // of an MTU of 1500, with timestamps
constexpr std::uint32_t kFullFrameMin = 1400;

constexpr std::array<Trace, 4> kTraces = {{
    {.name = "lost-segment",
     .what = "Segment 12 of 30 is lost; others follow it.",
     .segments = 30,
     .first = 12,
     .count = 1},
    {.name = "lost-tail",
     .what = "The last two of 10 segments are lost: no later one tells of it.",
     .segments = 10,
     .first = 8,
     .count = 2},
    {.name = "reordering",
     .what = "Segment 12 of 30 comes 1 ms late, behind eight others; nothing is lost.",
     .segments = 30,
     .first = 12,
     .count = 1,
     .late = 1ms},
    {.name = "spurious-timeout",
     .what = "From segment 20 of 60 on, the line stands still for 400 ms; nothing is lost.",
     .segments = 60,
     .first = 20,
     .count = 1,
     .outage = 400ms},
}};

HostConfig host_at(const Address& address, CongestionControl algorithm, std::uint64_t seed) {
  HostConfig host{.seed = seed};
  host.stack.interface.addresses = {{address, 24}};
  host.stack.max_connections = 16;
  host.stack.max_half_open = 16;
  host.stack.congestion_control = algorithm;
  return host;
}

// What the trace says about each frame, in the order in which they are sent.
class Script {
 public:
  explicit Script(const Trace& trace) : trace_(trace) {}

  Fate operator()(Instant now, const base::Packet& frame) {
    const bool is_chosen = frame.length >= kFullFrameMin && is_chosen_text();
    if (trace_.outage > Duration{0}) {
      if (is_chosen && !outage_end_) outage_end_ = now + trace_.outage;
      return {.held = std::max(Duration{0}, outage_end_.value_or(now) - now)};
    }
    if (!is_chosen) return {};
    return {.is_lost = trace_.late == Duration{0}, .held = trace_.late};
  }

 private:
  // The chosen ones are sent before anything is sent again, so counting is enough.
  bool is_chosen_text() {
    const std::uint32_t number = next_++;
    return number >= trace_.first && number - trace_.first < trace_.count;
  }

  const Trace& trace_;
  std::uint32_t next_ = 0;
  std::optional<Instant> outage_end_;
};

}  // namespace

std::span<const Trace> all_traces() {
  return kTraces;
}

const Trace* find_trace(std::string_view name) {
  const auto found = std::ranges::find(kTraces, name, &Trace::name);
  return found == kTraces.end() ? nullptr : &*found;
}

TraceReport run_trace(const Trace& trace, CongestionControl algorithm,
                      const ScriptedDevice::Observer& observer) {
  BulkFlows flows;
  flows.flows.resize(1, BulkFlow{.bytes = trace.segments * kSegmentBytes});
  BulkSender sender(flows);
  BulkReceiver receiver(flows, kSourcePort);
  World world({.latency = 10ms, .bits_per_second = 100'000'000});
  HostConfig sending = host_at(kSender, algorithm, 1);
  sending.wrap = [&](base::Device& port) {
    return std::make_unique<ScriptedDevice>(port, Script(trace), observer);
  };
  const std::size_t sender_host = world.add_host(sending);
  const std::size_t receiver_host = world.add_host(host_at(kTraced.address, algorithm, 2));
  const Instant start = world.now();
  const bool is_listening = world.worker(receiver_host).listen(kTraced, receiver).has_value();
  const auto connection =
      world.worker(sender_host).connect(kTraced, sender, {.source_port = kSourcePort});
  if (!is_listening || !connection) flows.fail(0, "could not begin");
  if (!world.run_until([&] { return flows.through_count == 1; }, 60s)) flows.fail(0, "hangs");
  world.run_for(1s);  // the close, and what is late
  TraceReport report{.failures = flows.failures,
                     .took = flows.flows[0].through_at - start,
                     .sender = world.worker(sender_host).counters(),
                     .receiver = world.worker(receiver_host).counters()};
  if (world.shut_down() != 0) report.failures.emplace_back("a pool misses packets");
  return report;
}

}  // namespace handfast::sim
