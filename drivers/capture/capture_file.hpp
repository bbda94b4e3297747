// CaptureFile: one pcap file with nanosecond timestamps, for tcpdump and Wireshark. Shared by the
// CaptureDevices of several workers: a write takes a lock, so capturing costs speed. Frames of one
// worker are in order; those of different workers may be a burst apart from it.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/packet.hpp"
#include "handfast/time.hpp"

struct pcap;
struct pcap_dumper;

namespace handfast::drivers {

class CaptureFile {
 public:
  // `origin_ns`: the wall clock (nanoseconds since 1970) at Instant 0. Overwrites the file. The
  // error names the file and why it cannot be written.
  static std::expected<std::shared_ptr<CaptureFile>, std::string> create(const std::string& path,
                                                                         std::uint64_t frames_max,
                                                                         std::int64_t origin_ns);
  CaptureFile(const CaptureFile&) = delete;
  CaptureFile& operator=(const CaptureFile&) = delete;
  ~CaptureFile();

  // Appends whole frames, of one packet or several, until the bound is reached. A frame that waits
  // for the device to fill in its checksums gets them in the file, as the wire will have them; one
  // that the device is to cut up (TSO) is one frame here. From any thread.
  void write(Instant now, std::span<const base::Packet> packets);
  std::uint64_t frames_written() const;

 private:
  CaptureFile(pcap* handle, pcap_dumper* dumper, std::uint64_t frames_max, std::int64_t origin_ns);

  base::Bytes bytes_of(std::span<const base::Packet> frame);

  mutable std::mutex mutex_;
  pcap* handle_;
  pcap_dumper* dumper_;
  std::uint64_t frames_left_;
  std::uint64_t frames_written_ = 0;
  std::int64_t origin_ns_;
  std::vector<std::byte> scratch_;  // a frame put together, its checksums completed
};

}  // namespace handfast::drivers
