#include "drivers/impair/impair.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "drivers/link/link.hpp"
#include "tests/drivers/frames.hpp"

namespace handfast::drivers {
namespace {

using namespace std::chrono_literals;

// Frames go from `a`, whose device is impaired, to `b`, or the other way.
struct ImpairedPair {
  explicit ImpairedPair(const ImpairConfig& config, std::size_t blocks = 1024)
      : pool_a(blocks), pool_b(blocks), impaired(a, config) {}
  SimPool pool_a;
  SimPool pool_b;
  Link link;
  LinkPort& a = link.add_port(pool_a, {.mac = mac_of(1)});
  LinkPort& b = link.add_port(pool_b, {.mac = mac_of(2)});
  ImpairDevice impaired;

  void send(Instant now, std::uint32_t number) {
    send_one(impaired, now, make_frame(pool_a, mac_of(2), mac_of(1), number));
  }
  void send_back(Instant now, std::uint32_t number) {
    send_one(b, now, make_frame(pool_b, mac_of(1), mac_of(2), number));
  }
};

struct Passage {
  Numbers there;
  Numbers back;
  ImpairCounters sent;
  ImpairCounters received;
  std::size_t outstanding = 0;
};

// `frames` each way, one a microsecond.
Passage pass(const ImpairConfig& config, std::uint32_t frames) {
  ImpairedPair pair(config, 16'384);
  Passage out;
  const auto collect = [&](Instant now) {
    std::ranges::copy(receive_numbers(pair.impaired, now), std::back_inserter(out.back));
    std::ranges::copy(receive_numbers(pair.b, now), std::back_inserter(out.there));
  };
  for (std::uint32_t i = 0; i < frames; ++i) {
    const Instant now = at(i * 1us);
    pair.send(now, i);
    pair.send_back(now, i);
    collect(now);
  }
  collect(at(frames * 1us + 1s));
  out.sent = pair.impaired.sent();
  out.received = pair.impaired.received();
  out.outstanding = pair.pool_a.outstanding() + pair.pool_b.outstanding();
  return out;
}

constexpr Impairment kBad{.drop = 0.1,
                          .duplicate = 0.05,
                          .reorder = 0.05,
                          .corrupt = 0.02,
                          .delay = 100us,
                          .jitter = 50us,
                          .reorder_delay = 500us};

std::size_t count_descents(const Numbers& numbers) {
  std::size_t descents = 0;
  for (std::size_t i = 1; i < numbers.size(); ++i) descents += numbers[i] < numbers[i - 1];
  return descents;
}

TEST(Impair, WithoutImpairmentNothingChanges) {
  const Passage passage = pass({}, 100'000);
  EXPECT_EQ(passage.there.size(), 100'000u);
  EXPECT_EQ(passage.back.size(), 100'000u);
  EXPECT_TRUE(std::ranges::is_sorted(passage.there));
  EXPECT_TRUE(std::ranges::is_sorted(passage.back));
  EXPECT_EQ(passage.sent.frames, 100'000u);
  EXPECT_EQ(passage.sent.dropped + passage.sent.duplicated + passage.sent.reordered, 0u);
  EXPECT_EQ(passage.outstanding, 0u);
}

TEST(Impair, TheSameSeedGivesTheSameOutcome) {
  const ImpairConfig config{.send = kBad, .receive = kBad, .seed = 7};
  const Passage first = pass(config, 20'000);
  const Passage second = pass(config, 20'000);
  EXPECT_EQ(first.there, second.there);
  EXPECT_EQ(first.back, second.back);
  EXPECT_NE(first.there, first.back);
  ImpairConfig other = config;
  other.seed = 8;
  EXPECT_NE(pass(other, 20'000).there, first.there);
}

// Four standard deviations: sqrt(100,000 p (1 - p)) is 95 for p = 0.1, 69 for 0.05, 44 for 0.02.
TEST(Impair, RatesAreAsAsked) {
  const Passage passage = pass({.send = kBad, .receive = kBad, .seed = 3}, 100'000);
  for (const ImpairCounters& seen : {passage.sent, passage.received}) {
    EXPECT_EQ(seen.frames, 100'000u);
    EXPECT_NEAR(static_cast<double>(seen.dropped), 10'000, 380);
    EXPECT_NEAR(static_cast<double>(seen.duplicated), 90'000 * 0.05, 270);
    EXPECT_NEAR(static_cast<double>(seen.reordered), 94'500 * 0.05, 270);
    EXPECT_NEAR(static_cast<double>(seen.corrupted), 94'500 * 0.02, 180);
    EXPECT_EQ(seen.duplicates_failed, 0u);
  }
  EXPECT_EQ(passage.there.size(), 100'000 - passage.sent.dropped + passage.sent.duplicated);
  EXPECT_EQ(passage.outstanding, 0u);
}

TEST(Impair, OnlyTheImpairedDirectionSuffers) {
  const Passage passage = pass({.receive = {.drop = 0.5}}, 1000);
  EXPECT_EQ(passage.there.size(), 1000u);
  EXPECT_EQ(passage.back.size(), 1000 - passage.received.dropped);
  EXPECT_GT(passage.received.dropped, 400u);
}

TEST(Impair, DelaysExactly) {
  ImpairedPair pair({.send = {.delay = 100us}, .receive = {.delay = 30us}});
  pair.send(at(10us), 1);
  EXPECT_EQ(pair.pool_a.outstanding(), 1u);
  EXPECT_EQ(pair.impaired.next_arrival(), at(110us));
  EXPECT_EQ(receive_numbers(pair.impaired, at(110us - 1ns)), Numbers{});
  EXPECT_EQ(pair.link.counters().sent, 0u);
  EXPECT_EQ(receive_numbers(pair.impaired, at(110us)), Numbers{});  // passes the frame on
  EXPECT_EQ(receive_numbers(pair.b, at(110us)), Numbers{1});
  EXPECT_EQ(pair.pool_a.outstanding(), 0u);

  pair.send_back(at(200us), 2);
  EXPECT_EQ(pair.impaired.next_arrival(), at(200us));
  EXPECT_EQ(receive_numbers(pair.impaired, at(200us)), Numbers{});
  EXPECT_EQ(pair.impaired.next_arrival(), at(230us));
  EXPECT_EQ(receive_numbers(pair.impaired, at(230us - 1ns)), Numbers{});
  EXPECT_EQ(receive_numbers(pair.impaired, at(230us)), Numbers{2});
  EXPECT_EQ(pair.impaired.next_arrival(), Instant::never());
}

TEST(Impair, JitterStaysInBoundsAndInOrder) {
  const Passage passage = pass({.send = {.delay = 10us, .jitter = 200us}}, 10'000);
  EXPECT_EQ(passage.there.size(), 10'000u);
  EXPECT_TRUE(std::ranges::is_sorted(passage.there));

  ImpairedPair pair({.send = {.delay = 10us, .jitter = 200us}});
  Duration shortest = 1s;
  Duration longest{0};
  for (std::uint32_t i = 0; i < 1000; ++i) {
    const Instant now = at(i * 1ms);
    pair.send(now, i);
    const Duration delay = pair.impaired.next_arrival() - now;
    shortest = std::min(shortest, delay);
    longest = std::max(longest, delay);
    receive_numbers(pair.impaired, now + 500us);
    receive_numbers(pair.b, now + 500us);
  }
  EXPECT_GE(shortest, 10us);
  EXPECT_LT(shortest, 15us);
  EXPECT_LE(longest, 210us);
  EXPECT_GT(longest, 205us);
}

TEST(Impair, AReorderedFrameIsOvertaken) {
  ImpairedPair pair({.send = {.reorder = 1, .delay = 10us, .reorder_delay = 100us}});
  pair.send(at(0ns), 1);
  EXPECT_EQ(pair.impaired.next_arrival(), at(110us));
  const Passage passage = pass({.send = {.reorder = 0.05, .reorder_delay = 100us}}, 10'000);
  EXPECT_EQ(passage.there.size(), 10'000u);
  EXPECT_GT(count_descents(passage.there), 400u);
  EXPECT_LT(count_descents(passage.there), 600u);
  Numbers sorted = passage.there;
  std::ranges::sort(sorted);
  EXPECT_EQ(std::ranges::unique(sorted).size(), 0u);
}

TEST(Impair, ADuplicateIsTheSameFrameRightBehind) {
  ImpairedPair pair({.send = {.duplicate = 1}});
  for (std::uint32_t i = 0; i < 3; ++i) pair.send(at(0ns), i);
  EXPECT_EQ(receive_numbers(pair.b, at(0ns)), (Numbers{0, 0, 1, 1, 2, 2}));
  EXPECT_EQ(pair.pool_a.outstanding(), 0u);
}

TEST(Impair, ADryPoolMakesNoDuplicate) {
  ImpairedPair pair({.send = {.duplicate = 1}}, 1);
  pair.send(at(0ns), 5);
  EXPECT_EQ(receive_numbers(pair.b, at(0ns)), Numbers{5});
  EXPECT_EQ(pair.impaired.sent().duplicated, 0u);
  EXPECT_EQ(pair.impaired.sent().duplicates_failed, 1u);
}

TEST(Impair, CorruptionFlipsExactlyOneBitAnywhere) {
  ImpairedPair pair({.send = {.corrupt = 1}});
  constexpr std::uint32_t kLength = 60;
  std::vector<int> hits(kLength * 8);
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    const base::Packet sent = make_frame(pair.pool_a, mac_of(2), mac_of(1), i);
    const std::vector<std::byte> before(sent.data, sent.data + kLength);
    send_one(pair.impaired, at(0ns), sent);
    base::Packet received;
    ASSERT_EQ(pair.b.receive(at(0ns), {&received, 1}), 1u);
    int flipped = 0;
    for (std::size_t byte = 0; byte < kLength; ++byte) {
      const auto difference = std::to_integer<unsigned>(before[byte] ^ received.data[byte]);
      flipped += std::popcount(difference);
      if (difference != 0)
        ++hits[byte * 8 + static_cast<std::size_t>(std::countr_zero(difference))];
    }
    ASSERT_EQ(flipped, 1);
    pair.pool_b.free({&received, 1});
  }
  EXPECT_EQ(std::ranges::count(hits, 0), 0);
}

// Hands out one frame that it says it has verified.
class VerifyingDevice final : public base::Device {
 public:
  const base::DeviceInfo& info() const override { return info_; }
  base::PacketPool& pool() override { return pool_; }
  std::size_t receive(Instant, std::span<base::Packet> out) override {
    out[0] = make_frame(pool_, mac_of(1), mac_of(2), 1);
    out[0].flags = base::kIpChecksumGood | base::kL4ChecksumGood;
    return 1;
  }
  // Has room for `send_room` frames in all.
  std::size_t send(Instant, std::span<const base::Packet> frames) override {
    const std::size_t count = std::min(frames.size(), send_room);
    for (const base::Packet& packet : frames.first(count)) {
      sent.push_back(base::load_be32(packet.data + kNumberAt));
    }
    pool_.free(frames.first(count));
    send_room -= count;
    return count;
  }
  std::size_t send_room = 0;
  Numbers sent;

 private:
  base::DeviceInfo info_{
      .mac = mac_of(1), .offload_ip_checksum = true, .offload_tcp_checksum = true};
  SimPool pool_{256};
};

TEST(Impair, ACorruptFrameIsNoLongerCalledVerified) {
  VerifyingDevice inner;
  base::Packet packet;
  ImpairDevice intact(inner, {});
  ASSERT_EQ(intact.receive(at(0ns), {&packet, 1}), 1u);
  EXPECT_EQ(packet.flags, base::kIpChecksumGood | base::kL4ChecksumGood);
  inner.pool().free({&packet, 1});
  ImpairDevice corrupting(inner, {.receive = {.corrupt = 1}});
  ASSERT_EQ(corrupting.receive(at(0ns), {&packet, 1}), 1u);
  EXPECT_EQ(packet.flags, 0u);
  inner.pool().free({&packet, 1});
}

TEST(Impair, OffersNoChecksumOffloads) {
  VerifyingDevice inner;
  const ImpairDevice device(inner, {});
  EXPECT_EQ(device.info().mac, mac_of(1));
  EXPECT_FALSE(device.info().offload_ip_checksum);
  EXPECT_FALSE(device.info().offload_tcp_checksum);
}

TEST(Impair, ADeviceWithoutRoomGetsTheFramesLaterInOrder) {
  VerifyingDevice inner;
  ImpairDevice device(inner, {.held_max = 100});
  Numbers expected;
  std::uint32_t number = 0;
  for (;; ++number) {
    const base::Packet packet = make_frame(inner.pool(), mac_of(2), mac_of(1), number);
    if (device.send(at(0ns), {&packet, 1}) == 0) {
      inner.pool().free({&packet, 1});
      break;
    }
    expected.push_back(number);
  }
  EXPECT_GE(number, 99u);
  EXPECT_LE(number, 164u);  // held_max and a burst on its way
  inner.send_room = 10;
  base::Packet packet;
  device.receive(at(1us), {&packet, 1});
  inner.pool().free({&packet, 1});
  EXPECT_EQ(inner.sent.size(), 10u);
  inner.send_room = 1000;
  device.receive(at(2us), {&packet, 1});
  inner.pool().free({&packet, 1});
  EXPECT_EQ(inner.sent, expected);
}

TEST(Impair, WhenFullItLeavesFramesWithTheInnerDevice) {
  ImpairedPair pair({.receive = {.delay = 1ms}, .held_max = 10});
  for (std::uint32_t i = 0; i < 12; ++i) pair.send_back(at(0ns), i);
  for (int poll = 0; poll < 8; ++poll) receive_numbers(pair.impaired, at(0ns));
  EXPECT_EQ(pair.pool_a.outstanding(), 9u);
  EXPECT_EQ(pair.impaired.next_arrival(), at(1ms));
  EXPECT_EQ(receive_numbers(pair.impaired, at(1ms)).size(), 9u);
  EXPECT_EQ(receive_numbers(pair.impaired, at(2ms)), (Numbers{9, 10, 11}));
}

TEST(Impair, HeldFramesAreFreedAtTheEnd) {
  SimPool pool(16);
  Link link;
  LinkPort& port = link.add_port(pool, {.mac = mac_of(1)});
  {
    ImpairDevice device(port, {.send = {.reorder = 0.5, .delay = 1ms}});
    for (std::uint32_t i = 0; i < 10; ++i) {
      send_one(device, at(0ns), make_frame(pool, mac_of(2), mac_of(1), i));
    }
    EXPECT_EQ(pool.outstanding(), 10u);
  }
  EXPECT_EQ(pool.outstanding(), 0u);
}

}  // namespace
}  // namespace handfast::drivers
