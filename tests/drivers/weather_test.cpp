// What an ImpairedPath does beyond losing and delaying: bursts of loss, a line of limited rate, its
// queue and congestion marks. (impair_test.cpp has the rest, by way of an ImpairDevice.)
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "drivers/impair/congestion_mark.hpp"
#include "drivers/impair/impair.hpp"
#include "drivers/link/link.hpp"
#include "tests/drivers/frames.hpp"
#include "wire/checksum.hpp"
#include "wire/ethernet.hpp"
#include "wire/ip.hpp"

namespace handfast::drivers {
namespace {

using namespace std::chrono_literals;

struct Arrival {
  Instant time;
  std::uint32_t number;
  bool operator==(const Arrival&) const = default;
};

// A path with a pool of its own. Frames are numbered as they are sent.
struct Line {
  explicit Line(const Impairment& impairment, std::uint64_t seed = 1, std::size_t held_max = 4096)
      : path(impairment, seed, held_max, pool) {}
  SimPool pool{4096};
  ImpairedPath path;
  std::uint32_t sent = 0;

  void send(Instant now, std::uint32_t length = 60) {
    path.admit(now, make_frame(pool, mac_of(2), mac_of(1), sent++, length));
  }
  // Each frame at the time it is released, until nothing is left.
  std::vector<Arrival> drain() {
    std::vector<Arrival> arrivals;
    while (!path.next_release().is_never()) {
      const Instant now = path.next_release();
      base::Packet packet;
      EXPECT_EQ(path.release(now, {&packet, 1}), 1u);
      arrivals.push_back({now, base::load_be32(packet.data + kNumberAt)});
      pool.free({&packet, 1});
    }
    return arrivals;
  }
};

// Which of `frames` frames were lost.
std::vector<bool> losses(const Impairment& impairment, std::uint64_t seed, std::uint32_t frames) {
  Line line(impairment, seed);
  std::vector<bool> is_lost(frames, true);
  for (std::uint32_t i = 0; i < frames; ++i) {
    line.send(at(i * 1us));
    for (const Arrival& arrival : line.drain()) is_lost[arrival.number] = false;
  }
  EXPECT_EQ(line.path.counters().dropped,
            static_cast<std::uint64_t>(std::ranges::count(is_lost, true)));
  return is_lost;
}

double mean_run_of_losses(const std::vector<bool>& is_lost) {
  std::size_t runs = 0;
  for (std::size_t i = 0; i < is_lost.size(); ++i) {
    runs += is_lost[i] && (i == 0 || !is_lost[i - 1]) ? 1 : 0;
  }
  return static_cast<double>(std::ranges::count(is_lost, true)) / static_cast<double>(runs);
}

// 2% to bad and 25% back: p / (p + r) = 2/27 of the frames meet a bad line, and a bad time, in
// which all is lost, lasts 1 / r = 4 frames. With 200,000 frames there are some 3700 bad times: the
// mean length of 4 +- 3.5 has a standard error of 0.06, and the share one of 0.0016.
TEST(BurstLoss, HasTheMeanLossAndTheMeanBurstOfItsModel) {
  const auto is_lost = losses({.bursts = {.p = 0.02, .r = 0.25}}, 5, 200'000);
  const auto share = static_cast<double>(std::ranges::count(is_lost, true)) / 200'000;
  EXPECT_NEAR(share, 2.0 / 27, 0.008);
  EXPECT_NEAR(mean_run_of_losses(is_lost), 4, 0.3);
}

TEST(BurstLoss, EachStateLosesItsOwnShare) {
  const GilbertElliott bursts{.p = 0.1, .r = 0.1, .loss_good = 0.01, .loss_bad = 0.5};
  const auto is_lost = losses({.bursts = bursts}, 6, 200'000);
  const auto share = static_cast<double>(std::ranges::count(is_lost, true)) / 200'000;
  EXPECT_NEAR(share, (0.01 + 0.5) / 2, 0.015);
}

TEST(BurstLoss, ComesOnTopOfRandomLoss) {
  const auto is_lost = losses({.drop = 0.5, .bursts = {.p = 0.5, .r = 0.5}}, 7, 50'000);
  const auto share = static_cast<double>(std::ranges::count(is_lost, true)) / 50'000;
  EXPECT_NEAR(share, 1 - 0.5 * 0.5, 0.02);
}

TEST(BurstLoss, IsTheSeedsAlone) {
  const Impairment bursts{.bursts = {.p = 0.02, .r = 0.25}};
  EXPECT_EQ(losses(bursts, 5, 10'000), losses(bursts, 5, 10'000));
  EXPECT_NE(losses(bursts, 5, 10'000), losses(bursts, 6, 10'000));
}

TEST(BurstLoss, OffDrawsNoNumbers) {
  const Impairment plain{.drop = 0.1};
  const Impairment off{.drop = 0.1, .bursts = {.p = 0, .r = 0.5, .loss_good = 1, .loss_bad = 1}};
  EXPECT_EQ(losses(plain, 9, 10'000), losses(off, 9, 10'000));
}

TEST(Rate, SpacesFramesExactly) {
  Line line({.delay = 10ms, .bits_per_second = 1'000'000'000});
  for (int i = 0; i < 100; ++i) line.send(at(0ns), 1514);
  const auto arrivals = line.drain();
  ASSERT_EQ(arrivals.size(), 100u);
  for (std::uint32_t i = 0; i < 100; ++i) {
    EXPECT_EQ(arrivals[i], (Arrival{at(10ms + (i + 1) * 12112ns), i}));
  }
}

// 60 bytes at 7 Mbit/s are 68,571 3/7 ns: seven frames later it is whole again.
TEST(Rate, DoesNotDriftWhereItDoesNotDivide) {
  Line line({.bits_per_second = 7'000'000});
  for (int i = 0; i < 700; ++i) line.send(at(0ns));
  const auto arrivals = line.drain();
  EXPECT_EQ(arrivals[0].time, at(68'571ns));
  EXPECT_EQ(arrivals[6].time, at(480'000ns));
  EXPECT_EQ(arrivals[699].time, at(48ms));
}

TEST(Rate, AnIdleLineSavesNothingUp) {
  Line line({.bits_per_second = 8'000'000});  // a byte a microsecond
  line.send(at(0ns), 100);
  line.send(at(50us), 100);
  line.send(at(1ms), 100);
  EXPECT_EQ(line.drain(), (std::vector<Arrival>{{at(100us), 0}, {at(200us), 1}, {at(1100us), 2}}));
}

TEST(Rate, ALostFrameTakesNoTimeAndACopyTakesItsOwn) {
  Line lossy({.drop = 1, .bits_per_second = 8'000'000});
  lossy.send(at(0ns), 100);
  EXPECT_EQ(lossy.path.counters().queue_peak.frames, 0u);
  Line doubling({.duplicate = 1, .bits_per_second = 8'000'000});
  doubling.send(at(0ns), 100);
  EXPECT_EQ(doubling.drain(), (std::vector<Arrival>{{at(100us), 0}, {at(200us), 0}}));
}

TEST(Queue, DropsWhatDoesNotFitInBytes) {
  Line line({.bits_per_second = 8'000'000, .queue_max = {.bytes = 1000}});
  for (int i = 0; i < 12; ++i) line.send(at(0ns), 100);
  EXPECT_EQ(line.path.counters().dropped_queue, 2u);
  line.send(at(99us), 100);  // the first is on the line still
  EXPECT_EQ(line.path.counters().dropped_queue, 3u);
  line.send(at(100us), 100);
  EXPECT_EQ(line.path.counters().dropped_queue, 3u);
  line.send(at(200us), 60);
  line.send(at(200us), 60);  // 40 bytes are free
  EXPECT_EQ(line.path.counters().dropped_queue, 4u);
  EXPECT_EQ(line.path.counters().queue_peak.bytes, 1000u);
  EXPECT_EQ(line.path.counters().queue_peak.frames, 10u);
  EXPECT_EQ(line.drain().size(), 12u);
  EXPECT_EQ(line.pool.outstanding(), 0u);
}

TEST(Queue, DropsWhatDoesNotFitInFrames) {
  Line line({.bits_per_second = 8'000'000, .queue_max = {.frames = 4}});
  for (int i = 0; i < 7; ++i) line.send(at(0ns), 1000);
  EXPECT_EQ(line.path.counters().dropped_queue, 3u);
  EXPECT_EQ(line.drain().size(), 4u);
}

// Delay comes behind the queue: what is in the air takes no room in it.
TEST(Queue, IsEmptyWhileFramesAreInTheAir) {
  Line line({.delay = 1s, .bits_per_second = 8'000'000, .queue_max = {.frames = 1}});
  for (int i = 0; i < 50; ++i) line.send(at(i * 100us), 100);
  EXPECT_EQ(line.path.counters().dropped_queue, 0u);
  EXPECT_EQ(line.path.held(), 50u);
}

enum class Ecn : std::uint8_t { not_capable = 0, ect_1 = 1, ect_0 = 2, experienced = 3 };

constexpr std::size_t kIpAt = wire::kEthernetHeaderSize;
constexpr std::uint8_t kDscp = 0xb8;

// An Ethernet frame with a TCP/IP header of this version, and nothing in it.
base::Packet make_ip_frame(base::PacketPool& pool, int version, Ecn ecn, unsigned vlan_tags = 0) {
  base::Packet frame = make_frame(pool, mac_of(2), mac_of(1), 0, 14);
  frame.length = 12;
  for (unsigned i = 0; i < vlan_tags; ++i) {
    base::store_be16(frame.data + frame.length, i + 1 < vlan_tags ? 0x88a8 : 0x8100);
    base::store_be16(frame.data + frame.length + 2, 7);
    frame.length += 4;
  }
  base::store_be16(frame.data + frame.length, version == 4 ? 0x0800 : 0x86dd);
  frame.length += 2;
  const auto parse = [](const char* text) { return *Address::parse(text); };
  const wire::IpFields ip{
      .source = parse(version == 4 ? "198.18.0.1" : "2001:db8::1"),
      .destination = parse(version == 4 ? "198.18.0.2" : "2001:db8::2"),
      .traffic_class = static_cast<std::uint8_t>(kDscp | static_cast<unsigned>(ecn)),
      .flow_label = 0xabcde};
  std::byte* const end =
      wire::emit_ip(frame.data + frame.length, wire::kProtocolTcp, ip, 20, false);
  std::memset(end, 0, 20);
  frame.length = static_cast<std::uint32_t>(end - frame.data) + 20;
  return frame;
}

std::vector<std::byte> bytes_of(const base::Packet& packet) {
  return {packet.data, packet.data + packet.length};
}

// The frame that a congested router would have sent on is the one that its sender would have made
// with CE in the first place: header checksum and all.
TEST(CongestionMark, IsWhatTheSenderWouldHaveWritten) {
  SimPool pool(4);
  for (const int version : {4, 6}) {
    for (const Ecn capable : {Ecn::ect_0, Ecn::ect_1}) {
      for (const unsigned tags : {0u, 1u, 2u}) {
        base::Packet marked = make_ip_frame(pool, version, capable, tags);
        base::Packet expected = make_ip_frame(pool, version, Ecn::experienced, tags);
        EXPECT_TRUE(mark_congestion(marked));
        EXPECT_EQ(bytes_of(marked), bytes_of(expected)) << version << " tags " << tags;
        pool.free({&marked, 1});
        pool.free({&expected, 1});
      }
    }
  }
}

// Every value that the first word and the checksum field can have together.
TEST(CongestionMark, KeepsAnyChecksumRightOrWrong) {
  SimPool pool(2);
  base::Packet frame = make_ip_frame(pool, 4, Ecn::ect_0);
  std::byte* const ip = frame.data + kIpAt;
  for (unsigned identification = 0; identification < 0x10000; ++identification) {
    ip[1] = std::byte{kDscp | 2};
    base::store_be16(ip + 4, static_cast<std::uint16_t>(identification));
    base::store_be16(ip + 10, 0);
    wire::store_checksum(ip + 10, wire::fold(wire::sum({ip, 20})));
    ASSERT_TRUE(mark_congestion(frame));
    ASSERT_EQ(wire::fold(wire::sum({ip, 20})), 0) << identification;
  }
  ip[1] = std::byte{2};
  base::store_be16(ip + 10, static_cast<std::uint16_t>(base::load_be16(ip + 10) ^ 0x400));
  ASSERT_TRUE(mark_congestion(frame));
  EXPECT_NE(wire::fold(wire::sum({ip, 20})), 0);
  pool.free({&frame, 1});
}

TEST(CongestionMark, LeavesEverythingElseAlone) {
  SimPool pool(1);
  const auto expect_untouched = [](base::Packet& frame) {
    const auto before = bytes_of(frame);
    EXPECT_FALSE(mark_congestion(frame));
    EXPECT_EQ(bytes_of(frame), before);
  };
  for (const int version : {4, 6}) {
    for (const Ecn other : {Ecn::not_capable, Ecn::experienced}) {
      base::Packet frame = make_ip_frame(pool, version, other);
      expect_untouched(frame);
      pool.free({&frame, 1});
    }
    base::Packet frame = make_ip_frame(pool, version, Ecn::ect_0, 3);  // a tag too many
    expect_untouched(frame);
    pool.free({&frame, 1});
    frame = make_ip_frame(pool, version, Ecn::ect_0);
    frame.data[kIpAt] ^= std::byte{0x70};  // says another version than the Ethernet header
    expect_untouched(frame);
    for (frame.length = 0; frame.length < kIpAt + 20; ++frame.length) expect_untouched(frame);
    pool.free({&frame, 1});
  }
}

TEST(CongestionMark, ComesAboveTheThresholdAndBeforeTheDrop) {
  const Impairment impairment{
      .bits_per_second = 8'000'000, .queue_max = {.frames = 8}, .ce_threshold = {.frames = 3}};
  Line line(impairment);
  for (int i = 0; i < 10; ++i) {
    line.path.admit(at(0ns), make_ip_frame(line.pool, 4, Ecn::ect_0));
  }
  // Met a queue of 0, 1, 2, 3: unmarked. Of 4 to 7: marked. Of 8: no room.
  EXPECT_EQ(line.path.counters().ce_marked, 4u);
  EXPECT_EQ(line.path.counters().dropped_queue, 2u);
  std::vector<bool> is_marked;
  base::Packet packet;
  while (line.path.release(at(1s), {&packet, 1}) == 1) {
    is_marked.push_back((packet.data[kIpAt + 1] & std::byte{3}) == std::byte{3});
    EXPECT_EQ(wire::fold(wire::sum({packet.data + kIpAt, 20})), 0);
    line.pool.free({&packet, 1});
  }
  EXPECT_EQ(is_marked, (std::vector<bool>{false, false, false, false, true, true, true, true}));
}

TEST(CongestionMark, FramesThatCannotHearItPassUnmarkedUntilTheQueueIsFull) {
  Line line(
      {.bits_per_second = 8'000'000, .queue_max = {.frames = 8}, .ce_threshold = {.bytes = 1}});
  for (int i = 0; i < 10; ++i) {
    line.path.admit(at(0ns), make_ip_frame(line.pool, 4, Ecn::not_capable));
  }
  EXPECT_EQ(line.path.counters().ce_marked, 0u);
  EXPECT_EQ(line.path.counters().dropped_queue, 2u);
  EXPECT_EQ(line.drain().size(), 8u);
}

// What a sender keeps for retransmission is neither written to nor kept waiting.
TEST(SharedFrame, IsHeldAsACopy) {
  Line line({.corrupt = 1, .delay = 1ms});
  const base::Packet kept = make_frame(line.pool, mac_of(2), mac_of(1), 77);
  const auto before = bytes_of(kept);
  line.pool.share(kept);
  line.path.admit(at(0ns), kept);
  EXPECT_FALSE(line.pool.is_shared(kept));
  EXPECT_EQ(bytes_of(kept), before);
  base::Packet received;
  ASSERT_EQ(line.path.release(at(1ms), {&received, 1}), 1u);
  EXPECT_NE(received.data, kept.data);
  EXPECT_NE(bytes_of(received), before);
  line.pool.free({&kept, 1});
  line.pool.free({&received, 1});
  EXPECT_EQ(line.pool.outstanding(), 0u);
}

TEST(SharedFrame, IsDroppedAndCountedWhenThePoolIsDry) {
  SimPool pool(1);
  ImpairedPath path({}, 1, 16, pool);
  const base::Packet kept = make_frame(pool, mac_of(2), mac_of(1), 1);
  pool.share(kept);
  path.admit(at(0ns), kept);
  EXPECT_EQ(path.counters().dropped_pool, 1u);
  EXPECT_EQ(path.held(), 0u);
  EXPECT_FALSE(pool.is_shared(kept));
  pool.free({&kept, 1});
  EXPECT_EQ(pool.outstanding(), 0u);
}

// The whole weather at once: the same seed gives the same frames at the same times, and every frame
// that came in is accounted for.
TEST(Weather, IsReproducibleAndItsBooksAgree) {
  const Impairment weather{.drop = 0.01,
                           .duplicate = 0.02,
                           .reorder = 0.05,
                           .corrupt = 0.01,
                           .delay = 2ms,
                           .jitter = 300us,
                           .reorder_delay = 400us,
                           .bursts = {.p = 0.01, .r = 0.3},
                           .bits_per_second = 50'000'000,
                           .queue_max = {.bytes = 20'000},
                           .ce_threshold = {.bytes = 5'000}};
  const auto pass = [&](std::uint64_t seed) {
    Line line(weather, seed);
    std::vector<Arrival> arrivals;
    for (int burst = 0; burst < 100; ++burst) {
      for (int i = 0; i < 30; ++i) line.send(at(burst * 10ms), 1000);
      std::ranges::copy(line.drain(), std::back_inserter(arrivals));
    }
    const ImpairCounters& counters = line.path.counters();
    EXPECT_EQ(counters.frames, 3000u);
    EXPECT_EQ(counters.bytes, 3'000'000u);
    EXPECT_EQ(counters.released, arrivals.size());
    EXPECT_EQ(counters.frames + counters.duplicated,
              counters.released + counters.dropped + counters.dropped_queue);
    EXPECT_GT(counters.dropped_queue, 0u);
    EXPECT_GT(counters.reordered, 0u);
    return arrivals;
  };
  const auto first = pass(11);
  EXPECT_EQ(first, pass(11));
  EXPECT_NE(first, pass(12));
}

TEST(Weather, ADeviceHasItInEitherDirection) {
  SimPool pool_a(64);
  SimPool pool_b(64);
  Link link;
  LinkPort& a = link.add_port(pool_a, {.mac = mac_of(1)});
  LinkPort& b = link.add_port(pool_b, {.mac = mac_of(2)});
  ImpairDevice impaired(a, {.send = {.bits_per_second = 8'000'000, .queue_max = {.frames = 2}}});
  for (std::uint32_t i = 0; i < 4; ++i) {
    send_one(impaired, at(0ns), make_frame(pool_a, mac_of(2), mac_of(1), i, 100));
    send_one(b, at(0ns), make_frame(pool_b, mac_of(1), mac_of(2), i, 100));
  }
  EXPECT_EQ(receive_numbers(impaired, at(0ns)).size(), 4u);
  EXPECT_EQ(impaired.next_arrival(), at(100us));
  receive_numbers(impaired, at(100us));
  EXPECT_EQ(receive_numbers(b, at(100us)), std::vector<std::uint32_t>{0});
  receive_numbers(impaired, at(200us));
  EXPECT_EQ(receive_numbers(b, at(200us)), std::vector<std::uint32_t>{1});
  EXPECT_EQ(impaired.sent().dropped_queue, 2u);
  EXPECT_EQ(impaired.received().dropped_queue, 0u);
}

}  // namespace
}  // namespace handfast::drivers
