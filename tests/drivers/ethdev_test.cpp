// DPDK ports without root: the ring pair, and ports that EAL makes of nothing (net_null, net_ring).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <thread>

#include "drivers/ethdev/ethdev_port.hpp"
#include "drivers/ethdev/ring_pair.hpp"
#include "runtime/eal.hpp"
#include "tests/drivers/frames.hpp"

namespace handfast::drivers {
namespace {

std::unique_ptr<EthdevPool> make_pool(const std::string& name, std::uint32_t packets = 512) {
  auto pool = EthdevPool::create(name, {.packets = packets, .cache = 32});
  HANDFAST_ASSERT(pool.has_value());
  return std::move(*pool);
}

class EthdevTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const auto started = runtime::start_eal(
        {.arguments = {"--vdev=net_null0", "--vdev=net_ring0"}, .memory_bytes = 64 << 20});
    ASSERT_TRUE(started.has_value()) << started.error();
  }
};

class PoolTest : public EthdevTest {};

TEST_F(PoolTest, FreshPacketsHaveTheRoomTheyPromise) {
  const auto pool = make_pool("fresh");
  std::array<base::Packet, 100> packets;
  ASSERT_EQ(pool->allocate(packets), packets.size());
  for (const auto& packet : packets) {
    EXPECT_EQ(packet.length, 0U);
    EXPECT_EQ(packet.flags, 0);
    std::memset(packet.data - base::kPacketHeadroom, 0x5a,
                base::kPacketHeadroom + pool->data_room());
  }
  pool->free(packets);
  EXPECT_EQ(pool->available(), pool->size());
}

TEST_F(PoolTest, GivesTheLastPacketThenNone) {
  const auto pool = make_pool("dry", 100);
  std::vector<base::Packet> packets(150);
  EXPECT_EQ(pool->allocate(packets), 100U);
  base::Packet one;
  EXPECT_EQ(pool->allocate({&one, 1}), 0U);
  pool->free(std::span{packets}.first(100));
  EXPECT_EQ(pool->available(), 100U);
  ASSERT_EQ(pool->allocate({&one, 1}), 1U);
  pool->free({&one, 1});
}

TEST_F(PoolTest, PacketsOfSeveralPoolsGoHomeInOneCall) {
  const auto first = make_pool("home1");
  const auto second = make_pool("home2");
  std::array<base::Packet, 80> packets;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    ASSERT_EQ((i % 3 == 0 ? first : second)->allocate({&packets[i], 1}), 1U);
  }
  first->free(packets);
  EXPECT_EQ(first->available(), first->size());
  EXPECT_EQ(second->available(), second->size());
}

TEST_F(PoolTest, TooLargeIsAnError) {
  const auto pool = EthdevPool::create("vast", {.packets = 10'000'000});
  ASSERT_FALSE(pool.has_value());
  EXPECT_NE(pool.error().find("10000000 packets"), std::string::npos) << pool.error();
}

class RingPairTest : public EthdevTest {
 protected:
  void open(unsigned queues, std::uint32_t ring_size = 1024) {
    std::vector<EthdevPool*> first;
    std::vector<EthdevPool*> second;
    for (unsigned q = 0; q < queues; ++q) {
      first.push_back(pools_.emplace_back(make_pool(fmt::format("a{}", q))).get());
      second.push_back(pools_.emplace_back(make_pool(fmt::format("b{}", q))).get());
    }
    auto pair = open_ring_pair({.ring_size = ring_size}, first, second);
    ASSERT_TRUE(pair.has_value()) << pair.error();
    pair_ = std::move(*pair);
  }
  void close() { pair_ = {}; }
  void expect_no_leak() {
    for (const auto& pool : pools_) EXPECT_EQ(pool->available(), pool->size());
  }

  std::vector<std::unique_ptr<EthdevPool>> pools_;
  PortPair pair_;
};

TEST_F(RingPairTest, EndsHaveDifferentLocalAddresses) {
  open(1);
  const auto first = pair_.first->queue(0).info().mac;
  const auto second = pair_.second->queue(0).info().mac;
  EXPECT_NE(first, second);
  EXPECT_EQ(first[0] & 3, 2) << "locally administered, unicast";
  EXPECT_EQ(second[0] & 3, 2);
  EXPECT_FALSE(pair_.first->queue(0).info().offload_tcp_checksum);
}

TEST_F(RingPairTest, FramesCrossBothWaysAndReturn) {
  open(2);
  for (std::size_t q = 0; q < 2; ++q) {
    auto& a = pair_.first->queue(q);
    auto& b = pair_.second->queue(q);
    for (std::uint32_t round = 0; round < 1000; ++round) {
      send_one(a, {}, make_frame(a.pool(), mac_of(1), mac_of(2), round));
      send_one(b, {}, make_frame(b.pool(), mac_of(2), mac_of(1), round + 5000, 1514));
      ASSERT_EQ(receive_numbers(b, {}), (std::vector{round}));
      ASSERT_EQ(receive_numbers(a, {}), (std::vector{round + 5000}));
    }
  }
  close();
  expect_no_leak();
}

TEST_F(RingPairTest, ReceivedFrameSaysNothingOfChecksumsAndCanBeSentBack) {
  open(1);
  auto& a = pair_.first->queue(0);
  auto& b = pair_.second->queue(0);
  base::Packet packet = make_frame(a.pool(), mac_of(1), mac_of(2), 9, 100);
  packet.data -= 20;  // a header put in front, as when a frame is answered in place
  packet.length += 20;
  std::memset(packet.data, 0x77, 20);
  send_one(a, {}, packet);
  base::Packet got;
  ASSERT_EQ(b.receive({}, {&got, 1}), 1U);
  EXPECT_EQ(got.length, 120U);
  EXPECT_EQ(got.flags, 0);
  EXPECT_EQ(got.data[19], std::byte{0x77});
  got.data += 20;
  got.length -= 20;
  send_one(b, {}, got);
  EXPECT_EQ(receive_numbers(a, {}), (std::vector<std::uint32_t>{9}));
  close();
  expect_no_leak();
}

TEST_F(RingPairTest, FullRingMakesSendShort) {
  open(1, 64);
  auto& a = pair_.first->queue(0);
  std::array<base::Packet, 100> burst;
  for (std::uint32_t i = 0; i < burst.size(); ++i) {
    burst[i] = make_frame(a.pool(), mac_of(1), mac_of(2), i);
  }
  const std::size_t sent = a.send({}, burst);
  EXPECT_EQ(sent, 63U);
  a.pool().free(std::span{burst}.subspan(sent));
  EXPECT_EQ(receive_numbers(pair_.second->queue(0), {}).size(), sent);
  close();
  expect_no_leak();
}

TEST_F(RingPairTest, FramesNobodyReceivedAreFreedOnClose) {
  open(1);
  auto& a = pair_.first->queue(0);
  for (std::uint32_t i = 0; i < 100; ++i) {
    send_one(a, {}, make_frame(a.pool(), mac_of(1), mac_of(2), i));
  }
  close();
  expect_no_leak();
}

TEST_F(RingPairTest, TwoThreadsExchangeFrames) {
  open(1);
  constexpr std::uint32_t kFrames = 20'000;
  std::thread sender([&] {
    auto& a = pair_.first->queue(0);
    for (std::uint32_t i = 0; i < kFrames;) {
      base::Packet packet;
      if (a.pool().allocate({&packet, 1}) == 0) continue;
      packet.length = 60;
      base::store_be32(packet.data + kNumberAt, i);
      while (a.send({}, {&packet, 1}) == 0) std::this_thread::yield();
      ++i;
    }
  });
  std::uint32_t expected = 0;
  while (expected < kFrames) {
    for (const auto number : receive_numbers(pair_.second->queue(0), {})) {
      ASSERT_EQ(number, expected++);
    }
    std::this_thread::yield();
  }
  sender.join();
  close();
  expect_no_leak();
}

TEST_F(RingPairTest, UnequalEndsAreAnError) {
  const auto pool = make_pool("unequal");
  std::array<EthdevPool*, 1> one = {pool.get()};
  std::array<EthdevPool*, 2> two = {pool.get(), pool.get()};
  EXPECT_FALSE(open_ring_pair({}, one, two).has_value());
}

class OpenPortTest : public EthdevTest {};

TEST_F(OpenPortTest, UnknownNameSaysWhatThereIs) {
  const auto pool = make_pool("unknown");
  std::array<EthdevPool*, 1> pools = {pool.get()};
  const auto port = open_port("net_tap7", {}, pools);
  ASSERT_FALSE(port.has_value());
  EXPECT_EQ(port.error(), "port net_tap7 does not exist; EAL has: net_null0, net_ring0");
}

TEST_F(OpenPortTest, TooFewPacketsForItsDescriptors) {
  const auto pool = make_pool("few", 100);
  std::array<EthdevPool*, 1> pools = {pool.get()};
  const auto port = open_port("net_null0", {}, pools);
  ASSERT_FALSE(port.has_value());
  EXPECT_NE(port.error().find("at least 2048"), std::string::npos) << port.error();
}

TEST_F(OpenPortTest, PortOfEalByName) {
  const auto pool = make_pool("named", 4096);
  {
    std::array<EthdevPool*, 1> pools = {pool.get()};
    const auto port = open_port("net_ring0", {}, pools);
    ASSERT_TRUE(port.has_value()) << port.error();
    auto& queue = (*port)->queue(0);
    EXPECT_NE(queue.info().mac, base::MacAddress{});
    // net_ring0 made by EAL receives what it sends.
    send_one(queue, {}, make_frame(*pool, mac_of(1), mac_of(2), 3));
    EXPECT_EQ(receive_numbers(queue, {}), (std::vector<std::uint32_t>{3}));
  }
  EXPECT_EQ(pool->available(), pool->size());
}

}  // namespace
}  // namespace handfast::drivers
