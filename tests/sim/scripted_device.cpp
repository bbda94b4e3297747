#include "tests/sim/scripted_device.hpp"

#include <algorithm>
#include <cstring>

#include "base/assert.hpp"

namespace handfast::sim {

ScriptedDevice::ScriptedDevice(base::Device& inner, Script script, Observer observer)
    : inner_(inner),
      info_({.mac = inner.info().mac, .mtu = inner.info().mtu}),
      script_(std::move(script)),
      observer_(std::move(observer)) {}

ScriptedDevice::~ScriptedDevice() {
  for (const auto& [due, packet] : held_) inner_.pool().free({&packet, 1});
}

std::size_t ScriptedDevice::receive(Instant now, std::span<base::Packet> out) {
  pass_on(now);
  const std::size_t count = inner_.receive(now, out);
  if (!observer_) return count;
  for (const base::Packet& packet : out.first(count)) observer_(now, packet, nullptr);
  return count;
}

std::size_t ScriptedDevice::send(Instant now, std::span<const base::Packet> frames) {
  for (const base::Packet& packet : frames) {
    const Fate fate = script_(now, packet);
    if (observer_) observer_(now, packet, &fate);
    if (fate.is_lost) {
      inner_.pool().free({&packet, 1});
    } else {
      held_.emplace(now + fate.held, packet);
    }
  }
  pass_on(now);
  return frames.size();
}

void ScriptedDevice::pass_on(Instant now) {
  while (!held_.empty() && held_.begin()->first <= now) {
    const base::Packet packet = held_.begin()->second;
    if (inner_.send(now, {&packet, 1}) == 0) return;
    held_.erase(held_.begin());
  }
}

Instant ScriptedDevice::next_arrival() const {
  const Instant due = held_.empty() ? Instant::never() : held_.begin()->first;
  return std::min(due, inner_.next_arrival());
}

}  // namespace handfast::sim
