// Traces: four small transfers to each of which one thing happens, at a known place: what recovery
// does about it can be read segment by segment, and asserted. Used by sim_weather --trace, which
// makes docs/recovery.md's pictures, and by tests. 100 Mbit/s, 10 ms each way, nothing random.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/packet.hpp"
#include "handfast/config.hpp"
#include "handfast/counters.hpp"
#include "tests/sim/scripted_device.hpp"

namespace handfast::sim {

struct Trace {
  std::string_view name;
  std::string_view what;   // one sentence
  std::uint32_t segments;  // of full size, sent in all
  // Text segments sent for the first time are numbered from 0. Those from `first` on, `count` of
  // them, are lost...
  std::uint32_t first;
  std::uint32_t count;
  // ...or, if this is not zero, late by so much;
  Duration late{0};
  // ...or else, if this is not zero, everything sent for so long after the first of them is late
  // until then.
  Duration outage{0};
};

std::span<const Trace> all_traces();
// Null: none has this name.
const Trace* find_trace(std::string_view name);

struct TraceReport {
  std::vector<std::string> failures;
  Duration took{0};  // from the SYN to the last byte at the receiver
  Counters sender;
  Counters receiver;
};

// `observer` sees the sender's frames as they leave, with their fate, and the receiver's as they
// arrive.
TraceReport run_trace(const Trace& trace, CongestionControl algorithm,
                      const ScriptedDevice::Observer& observer);

}  // namespace handfast::sim
