// CaptureDevice: wraps a worker's device and writes every frame that passes, either way, to a
// CaptureFile. The worker uses it in place of the device it wraps, which must outlive it.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "base/device.hpp"
#include "drivers/capture/capture_file.hpp"

namespace handfast::drivers {

class CaptureDevice final : public base::Device {
 public:
  CaptureDevice(base::Device& inner, std::shared_ptr<CaptureFile> file);

  const base::DeviceInfo& info() const override { return inner_->info(); }
  base::PacketPool& pool() override { return inner_->pool(); }
  std::size_t receive(Instant now, std::span<base::Packet> out) override;
  std::size_t send(Instant now, std::span<const base::Packet> frames) override;
  void add_counters(Counters& out) const override { inner_->add_counters(out); }
  Instant next_arrival() const override { return inner_->next_arrival(); }

 private:
  static constexpr std::size_t kBurst = 64;
  static_assert(kBurst >= base::kFramePacketsMax);

  static std::span<const base::Packet> whole_frames(std::span<const base::Packet> frames);
  void keep_copies(std::span<const base::Packet> frames);

  base::Device* inner_;
  std::shared_ptr<CaptureFile> file_;
  // A frame that was sent is the peer's; what the device took is known only then. So the bytes are
  // copied before.
  std::size_t slot_;
  std::vector<std::byte> bytes_;
  std::array<base::Packet, kBurst> copies_;
};

}  // namespace handfast::drivers
