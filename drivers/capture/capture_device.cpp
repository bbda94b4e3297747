#include "drivers/capture/capture_device.hpp"

#include <algorithm>

namespace handfast::drivers {

CaptureDevice::CaptureDevice(base::Device& inner, std::shared_ptr<CaptureFile> file)
    : inner_(&inner),
      file_(std::move(file)),
      slot_(base::kPacketHeadroom + inner.pool().data_room()),
      bytes_(slot_ * kBurst) {}

std::size_t CaptureDevice::receive(Instant now, std::span<base::Packet> out) {
  const std::size_t count = inner_->receive(now, out);
  if (count != 0) file_->write(now, out.first(count));
  return count;
}

std::size_t CaptureDevice::send(Instant now, std::span<const base::Packet> frames) {
  std::size_t sent = 0;
  while (sent < frames.size()) {
    const auto burst = whole_frames(frames.subspan(sent));
    keep_copies(burst);
    const std::size_t taken = inner_->send(now, burst);
    file_->write(now, std::span{copies_}.first(taken));
    sent += taken;
    if (taken < burst.size()) break;
  }
  return sent;
}

// As many of the first as the copies have slots for.
std::span<const base::Packet> CaptureDevice::whole_frames(std::span<const base::Packet> frames) {
  std::size_t count = 0;
  while (count < frames.size()) {
    const std::size_t packets = base::first_frame(frames.subspan(count)).size();
    if (count + packets > kBurst) break;
    count += packets;
  }
  return frames.first(count);
}

void CaptureDevice::keep_copies(std::span<const base::Packet> frames) {
  for (std::size_t i = 0; i < frames.size(); ++i) {
    copies_[i] = frames[i];
    copies_[i].data = bytes_.data() + i * slot_;
    copies_[i].length = std::min(frames[i].length, static_cast<std::uint32_t>(slot_));
    std::copy_n(frames[i].data, copies_[i].length, copies_[i].data);
  }
}

}  // namespace handfast::drivers
