// ScriptedDevice: wraps a host's device and does to each frame that it sends just what a script
// says: pass, lose, or hold for a while. Where drivers/impair draws lots, this one is told; it
// also shows every frame, both ways, as a capture at this host would. For traces and tests.
#pragma once

#include <functional>
#include <map>

#include "base/device.hpp"

namespace handfast::sim {

// What becomes of a frame.
struct Fate {
  bool is_lost = false;
  Duration held{0};
};

class ScriptedDevice final : public base::Device {
 public:
  using Script = std::function<Fate(Instant, base::Packet)>;
  // `fate` is null for a frame that arrived.
  using Observer = std::function<void(Instant, const base::Packet&, const Fate* fate)>;

  // `inner` is borrowed and must outlive this. `observer` may be empty.
  ScriptedDevice(base::Device& inner, Script script, Observer observer);
  ~ScriptedDevice() override;

  // The inner device's, without what it would do to frames: they are to be seen whole.
  const base::DeviceInfo& info() const override { return info_; }
  base::PacketPool& pool() override { return inner_.pool(); }
  // Also passes on the frames that were held until now.
  std::size_t receive(Instant now, std::span<base::Packet> out) override;
  // Takes them all.
  std::size_t send(Instant now, std::span<const base::Packet> frames) override;
  Instant next_arrival() const override;

 private:
  void pass_on(Instant now);

  base::Device& inner_;
  base::DeviceInfo info_;
  Script script_;
  Observer observer_;
  std::multimap<Instant, base::Packet> held_;  // by when they go on; equal ones in order
};

}  // namespace handfast::sim
