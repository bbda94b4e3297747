#include "drivers/capture/capture_file.hpp"

#include <pcap/pcap.h>

#include <algorithm>

#include "wire/tcp_layout.hpp"

namespace handfast::drivers {
namespace {

// A frame to be cut up may be longer than any packet.
constexpr std::uint32_t kSnapLength = 1 << 17;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

constexpr unsigned kAnyOffload = base::kOffloadIpChecksum | base::kOffloadL4Checksum;

// What the device would make of `frame`, in place; one to be cut up is written uncut.
void complete_checksums(base::MutableBytes frame, const base::Packet& first) {
  const auto layout = wire::tcp_layout_of(frame);
  if (!layout) return;
  if ((first.flags & base::kOffloadIpChecksum) != 0) wire::complete_ip_checksum(frame, *layout);
  if ((first.flags & base::kOffloadL4Checksum) != 0) {
    wire::complete_tcp_checksum(frame, *layout, first.segment_size != 0);
  }
}

}  // namespace

std::expected<std::shared_ptr<CaptureFile>, std::string> CaptureFile::create(
    const std::string& path, std::uint64_t frames_max, std::int64_t origin_ns) {
  pcap* const handle = pcap_open_dead_with_tstamp_precision(
      DLT_EN10MB, static_cast<int>(kSnapLength), PCAP_TSTAMP_PRECISION_NANO);
  if (handle == nullptr) return std::unexpected("capture file " + path + ": no memory");
  pcap_dumper* const dumper = pcap_dump_open(handle, path.c_str());
  if (dumper == nullptr) {
    std::string reason = pcap_geterr(handle);  // names the path itself
    pcap_close(handle);
    return std::unexpected("capture file cannot be written: " + reason);
  }
  return std::shared_ptr<CaptureFile>(new CaptureFile(handle, dumper, frames_max, origin_ns));
}

CaptureFile::CaptureFile(pcap* handle, pcap_dumper* dumper, std::uint64_t frames_max,
                         std::int64_t origin_ns)
    : handle_(handle),
      dumper_(dumper),
      frames_left_(frames_max),
      origin_ns_(origin_ns),
      scratch_(kSnapLength) {}

CaptureFile::~CaptureFile() {
  pcap_dump_close(dumper_);
  pcap_close(handle_);
}

void CaptureFile::write(Instant now, std::span<const base::Packet> packets) {
  const std::lock_guard lock(mutex_);
  const std::int64_t wall_ns = origin_ns_ + now.ns();
  while (!packets.empty() && frames_left_ > 0) {
    const auto frame = base::first_frame(packets);
    packets = packets.subspan(frame.size());
    const base::Bytes bytes = bytes_of(frame);
    pcap_pkthdr header{};
    header.ts.tv_sec = wall_ns / kNsPerSecond;
    header.ts.tv_usec = wall_ns % kNsPerSecond;  // nanoseconds, as the handle was opened for
    header.len = static_cast<std::uint32_t>(base::frame_length(frame));
    header.caplen = static_cast<std::uint32_t>(bytes.size());
    pcap_dump(reinterpret_cast<u_char*>(dumper_), &header,
              reinterpret_cast<const u_char*>(bytes.data()));
    --frames_left_;
    ++frames_written_;
  }
}

// A frame as it is where it can be, else put together and completed in `scratch_`.
base::Bytes CaptureFile::bytes_of(std::span<const base::Packet> frame) {
  if (frame.size() == 1 && (frame[0].flags & kAnyOffload) == 0) {
    return frame[0].bytes().first(std::min(frame[0].length, kSnapLength));
  }
  std::size_t length = 0;
  for (const auto& packet : frame) {
    const std::size_t part = std::min<std::size_t>(packet.length, kSnapLength - length);
    std::copy_n(packet.data, part, &scratch_[length]);
    length += part;
  }
  const base::MutableBytes whole = std::span{scratch_}.first(length);
  complete_checksums(whole, frame[0]);
  return whole;
}

std::uint64_t CaptureFile::frames_written() const {
  const std::lock_guard lock(mutex_);
  return frames_written_;
}

}  // namespace handfast::drivers
