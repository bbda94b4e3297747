// ImpairDevice: wraps any device and does to its frames, in both directions, what bad networks do:
// lose, duplicate, reorder, corrupt, delay, queue and mark. Every choice comes from the seed: same
// seed and same input, same outcome. Frames that it holds count against the wrapped device's pool.
// Driven by a worker, or a simulator, as any device is; each direction is an ImpairedPath.
#pragma once

#include <array>
#include <cstdint>

#include "base/device.hpp"
#include "drivers/impair/impaired_path.hpp"

namespace handfast::drivers {

struct ImpairConfig {
  static constexpr std::size_t kHeldMax = 8192;

  Impairment send;
  Impairment receive;
  std::uint64_t seed = 1;
  // Frames held in one direction. When reached, send() takes no more and receive() leaves them with
  // the wrapped device: the bound itself loses nothing.
  std::size_t held_max = kHeldMax;
};

class ImpairDevice final : public base::Device {
 public:
  // `inner` is borrowed and must outlive this.
  ImpairDevice(base::Device& inner, const ImpairConfig& config);
  ~ImpairDevice() override;

  // The inner device's address and MTU, and none of its offloads: a frame must be complete, and in
  // one packet, before it is corrupted, copied or measured.
  const base::DeviceInfo& info() const override { return info_; }
  base::PacketPool& pool() override { return inner_.pool(); }
  // Also passes on the frames to send that have become due: a worker's poll drives both directions.
  std::size_t receive(Instant now, std::span<base::Packet> out) override;
  std::size_t send(Instant now, std::span<const base::Packet> frames) override;
  // The next time anything happens here, to send or to receive.
  Instant next_arrival() const override;

  const ImpairCounters& sent() const { return outgoing_.counters(); }
  const ImpairCounters& received() const { return incoming_.counters(); }

 private:
  static constexpr std::size_t kBurst = 64;
  void pass_on(Instant now);

  base::Device& inner_;
  base::DeviceInfo info_;
  ImpairedPath outgoing_;
  ImpairedPath incoming_;
  std::array<base::Packet, kBurst> refused_{};  // due, but the inner device had no room
  std::size_t refused_count_ = 0;
};

}  // namespace handfast::drivers
