#include "drivers/capture/capture_file.hpp"

#include <pcap/pcap.h>

#include <algorithm>

#include "base/bytes.hpp"

namespace handfast::drivers {
namespace {

constexpr int kSnapLength = 65'535;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

// RFC 1071: the ones' complement sum of big-endian words, folded.
std::uint16_t ones_complement_sum(base::Bytes bytes) {
  std::uint64_t sum = 0;
  std::size_t i = 0;
  for (; i + 1 < bytes.size(); i += 2) sum += base::load_be16(&bytes[i]);
  if (i < bytes.size()) sum += std::to_integer<std::uint64_t>(bytes[i]) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

void complete_ip_checksum(base::MutableBytes header) {
  constexpr std::size_t kChecksumAt = 10;
  base::store_be16(&header[kChecksumAt], 0);
  const auto sum = ones_complement_sum(header);
  base::store_be16(&header[kChecksumAt], static_cast<std::uint16_t>(~sum));
}

// The field holds the pseudo-header's sum already, so that summing the segment as it is includes
// it.
void complete_tcp_checksum(base::MutableBytes segment) {
  constexpr std::size_t kChecksumAt = 16;
  const auto sum = ones_complement_sum(segment);
  base::store_be16(&segment[kChecksumAt], static_cast<std::uint16_t>(~sum));
}

// What the device would make of `frame`, in place. Padding behind the IP packet counts as zeroes.
void complete_checksums(base::MutableBytes frame, const base::Packet& packet) {
  const std::size_t l3 = packet.l2_length;
  const std::size_t l4 = l3 + packet.l3_length;
  if (frame.size() < l4 + packet.l4_length || packet.l3_length < 20 || packet.l4_length < 20)
    return;
  if ((packet.flags & base::kOffloadIpChecksum) != 0) {
    complete_ip_checksum(frame.subspan(l3, packet.l3_length));
  }
  if ((packet.flags & base::kOffloadL4Checksum) != 0) complete_tcp_checksum(frame.subspan(l4));
}

}  // namespace

std::expected<std::shared_ptr<CaptureFile>, std::string> CaptureFile::create(
    const std::string& path, std::uint64_t frames_max, std::int64_t origin_ns) {
  pcap* const handle =
      pcap_open_dead_with_tstamp_precision(DLT_EN10MB, kSnapLength, PCAP_TSTAMP_PRECISION_NANO);
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

void CaptureFile::write(Instant now, std::span<const base::Packet> frames) {
  const std::lock_guard lock(mutex_);
  const std::int64_t wall_ns = origin_ns_ + now.ns();
  const auto count = std::min<std::uint64_t>(frames.size(), frames_left_);
  for (const auto& frame : frames.first(count)) {
    pcap_pkthdr header{};
    header.ts.tv_sec = wall_ns / kNsPerSecond;
    header.ts.tv_usec = wall_ns % kNsPerSecond;  // nanoseconds, as the handle was opened for
    header.len = frame.length;
    header.caplen = std::min<std::uint32_t>(frame.length, kSnapLength);
    const std::byte* bytes = frame.data;
    if ((frame.flags & (base::kOffloadIpChecksum | base::kOffloadL4Checksum)) != 0) {
      std::copy_n(frame.data, header.caplen, scratch_.data());
      complete_checksums(std::span{scratch_}.first(header.caplen), frame);
      bytes = scratch_.data();
    }
    pcap_dump(reinterpret_cast<u_char*>(dumper_), &header, reinterpret_cast<const u_char*>(bytes));
  }
  frames_left_ -= count;
  frames_written_ += count;
}

std::uint64_t CaptureFile::frames_written() const {
  const std::lock_guard lock(mutex_);
  return frames_written_;
}

}  // namespace handfast::drivers
