// The capture file is read back with libpcap, as tcpdump would.
#include <gtest/gtest.h>
#include <pcap/pcap.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <thread>

#include "drivers/capture/capture_device.hpp"
#include "drivers/link/sim_pool.hpp"
#include "tests/drivers/frames.hpp"

namespace handfast::drivers {
namespace {

// Takes `accepts` frames a call and throws them away; receives what was queued for it.
class StubDevice final : public base::Device {
 public:
  const base::DeviceInfo& info() const override { return info_; }
  base::PacketPool& pool() override { return pool_; }
  std::size_t receive(Instant, std::span<base::Packet> out) override {
    const auto count = std::min(out.size(), arrived.size());
    std::copy_n(arrived.begin(), count, out.begin());
    arrived.erase(arrived.begin(), arrived.begin() + static_cast<std::ptrdiff_t>(count));
    return count;
  }
  std::size_t send(Instant, std::span<const base::Packet> frames) override {
    const auto count = std::min(frames.size(), accepts);
    // As another worker may do at once: the bytes are gone when send() returns.
    for (const auto& frame : frames.first(count)) std::memset(frame.data, 0xee, frame.length);
    pool_.free(frames.first(count));
    return count;
  }

  std::size_t accepts = 1000;
  std::vector<base::Packet> arrived;

 private:
  base::DeviceInfo info_;
  SimPool pool_{256};
};

struct Captured {
  std::int64_t ns = 0;
  std::vector<std::byte> bytes;
  std::uint32_t number() const { return base::load_be32(bytes.data() + kNumberAt); }
};

std::vector<Captured> read_capture(const std::string& path) {
  char error[PCAP_ERRBUF_SIZE];
  pcap_t* const handle =
      pcap_open_offline_with_tstamp_precision(path.c_str(), PCAP_TSTAMP_PRECISION_NANO, error);
  EXPECT_NE(handle, nullptr) << error;
  std::vector<Captured> frames;
  if (handle == nullptr) return frames;
  pcap_pkthdr* header = nullptr;
  const u_char* data = nullptr;
  while (pcap_next_ex(handle, &header, &data) == 1) {
    const auto* const bytes = reinterpret_cast<const std::byte*>(data);
    frames.push_back({.ns = header->ts.tv_sec * 1'000'000'000 + header->ts.tv_usec,
                      .bytes = {bytes, bytes + header->caplen}});
  }
  pcap_close(handle);
  return frames;
}

class CaptureTest : public testing::Test {
 protected:
  CaptureTest() { path_ += std::to_string(::getpid()) + ".pcap"; }
  ~CaptureTest() override { ::unlink(path_.c_str()); }

  std::shared_ptr<CaptureFile> open(std::uint64_t frames_max) {
    auto file = CaptureFile::create(path_, frames_max, kOrigin);
    EXPECT_TRUE(file.has_value());
    return *file;
  }
  base::Packet frame(std::uint32_t number) {
    return make_frame(device_.pool(), mac_of(1), mac_of(2), number);
  }

  static constexpr std::int64_t kOrigin = 1'700'000'000'000'000'000;
  std::string path_ = testing::TempDir() + "handfast-capture-";
  StubDevice device_;
};

TEST_F(CaptureTest, BothDirectionsWithNanoseconds) {
  {
    CaptureDevice capture(device_, open(100));
    send_one(capture, Instant::from_ns(1), frame(7));
    device_.arrived.push_back(frame(8));
    EXPECT_EQ(receive_numbers(capture, Instant::from_ns(2)), (std::vector<std::uint32_t>{8}));
  }
  const auto frames = read_capture(path_);
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].number(), 7U);
  EXPECT_EQ(frames[0].ns, kOrigin + 1);
  EXPECT_EQ(frames[0].bytes.size(), 60U);
  EXPECT_EQ(frames[1].number(), 8U);
  EXPECT_EQ(frames[1].ns, kOrigin + 2);
}

TEST_F(CaptureTest, FrameRefusedByTheDeviceIsWrittenWhenItLeaves) {
  {
    CaptureDevice capture(device_, open(100));
    std::array<base::Packet, 3> burst = {frame(1), frame(2), frame(3)};
    device_.accepts = 2;
    ASSERT_EQ(capture.send({}, burst), 2U);
    ASSERT_EQ(capture.send({}, std::span{burst}.subspan(2)), 1U);
  }
  const auto frames = read_capture(path_);
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(frames[2].number(), 3U);
}

TEST_F(CaptureTest, BurstsBeyondTheCopyBufferAreWhole) {
  {
    CaptureDevice capture(device_, open(1000));
    std::vector<base::Packet> burst;
    for (std::uint32_t i = 0; i < 200; ++i) burst.push_back(frame(i));
    ASSERT_EQ(capture.send({}, burst), 200U);
  }
  const auto frames = read_capture(path_);
  ASSERT_EQ(frames.size(), 200U);
  EXPECT_EQ(frames[199].number(), 199U);
}

TEST_F(CaptureTest, StopsAtItsBoundAndTheDeviceDoesNot) {
  const auto file = open(2);
  CaptureDevice capture(device_, file);
  for (std::uint32_t i = 0; i < 5; ++i) send_one(capture, {}, frame(i));
  EXPECT_EQ(file->frames_written(), 2U);
}

TEST_F(CaptureTest, PendingChecksumsAreCompleted) {
  base::Packet packet = frame(0);
  packet.length = 54;
  std::memset(packet.data + 14, 0, 40);
  base::store_be16(packet.data + 12, 0x0800);
  packet.data[14] = std::byte{0x45};
  packet.data[23] = std::byte{6};
  base::store_be16(packet.data + 16, 40);
  packet.data[46] = std::byte{0x50};
  base::store_be16(packet.data + 50, 0x1234);  // the pseudo-header's sum
  packet.flags = base::kOffloadIpChecksum | base::kOffloadL4Checksum;
  {
    CaptureDevice capture(device_, open(1));
    send_one(capture, {}, packet);
  }
  const auto frames = read_capture(path_);
  ASSERT_EQ(frames.size(), 1U);
  // 0x4500 + 40 + 6 and 0x5000 + 0x1234, complemented.
  EXPECT_EQ(base::load_be16(&frames[0].bytes[24]), 0xffff - (0x4500 + 40 + 6));
  EXPECT_EQ(base::load_be16(&frames[0].bytes[50]), 0xffff - (0x5000 + 0x1234));
}

TEST_F(CaptureTest, FrameOfSeveralPacketsIsOne) {
  {
    CaptureDevice capture(device_, open(100));
    // 66 packets: the frame of the last three does not fit the copies behind the others.
    std::vector<base::Packet> burst;
    for (std::uint32_t i = 0; i < 66; ++i) burst.push_back(frame(i));
    burst[63].flags = burst[64].flags = base::kContinues;
    ASSERT_EQ(capture.send({}, burst), 66U);
  }
  const auto frames = read_capture(path_);
  ASSERT_EQ(frames.size(), 64U);
  EXPECT_EQ(frames[62].bytes.size(), 60U);
  ASSERT_EQ(frames[63].bytes.size(), 180U);
  EXPECT_EQ(base::load_be32(&frames[63].bytes[120 + kNumberAt]), 65U);
}

TEST_F(CaptureTest, DevicesOfSeveralThreadsShareOneFile) {
  const auto file = open(10'000);
  constexpr std::uint32_t kFrames = 500;
  const auto send_all = [&] {
    StubDevice device;
    CaptureDevice capture(device, file);
    for (std::uint32_t i = 0; i < kFrames; ++i) {
      send_one(capture, {}, make_frame(device.pool(), mac_of(1), mac_of(2), i));
    }
  };
  std::thread first(send_all);
  std::thread second(send_all);
  first.join();
  second.join();
  EXPECT_EQ(file->frames_written(), 2 * kFrames);
}

TEST_F(CaptureTest, TcpdumpReadsIt) {
  if (std::system("command -v tcpdump >/dev/null") != 0) GTEST_SKIP() << "no tcpdump here";
  {
    CaptureDevice capture(device_, open(100));
    send_one(capture, Instant::from_ns(123), frame(1));
  }
  const auto command = "test $(tcpdump --nano -tt -n -r " + path_ +
                       " 2>/dev/null | grep -c '^1700000000.000000123 ') = 1";
  EXPECT_EQ(std::system(command.c_str()), 0);
}

TEST_F(CaptureTest, FileThatCannotBeWritten) {
  const auto file = CaptureFile::create("/nonexistent/x.pcap", 1, 0);
  ASSERT_FALSE(file.has_value());
  EXPECT_NE(file.error().find("/nonexistent/x.pcap"), std::string::npos) << file.error();
}

}  // namespace
}  // namespace handfast::drivers
