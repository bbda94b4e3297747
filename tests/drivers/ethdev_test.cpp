// DPDK ports without root: the ring pair, and ports that EAL makes of nothing (net_null, net_ring).
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <set>
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
    const std::string socket =
        fmt::format("{}handfast-ethdev-{}.sock", testing::TempDir(), ::getpid());
    const auto memif = [&](int number, const char* role) {
      return fmt::format("--vdev=net_memif{},role={},id={},socket={},socket-abstract=no", number,
                         role, number / 2, socket);
    };
    const auto started = runtime::start_eal(
        {.arguments = {"--vdev=net_null0", "--vdev=net_null1", "--vdev=net_null2",
                       "--vdev=net_null3", "--vdev=net_ring0", memif(0, "server"),
                       memif(1, "client"), memif(2, "server"), memif(3, "client")},
         .memory_bytes = 128 << 20});
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

// Few packets stay in cache; a pool that went through all it has would find each cold.
TEST_F(PoolTest, GoesRoundInFewPackets) {
  const auto pool = make_pool("round");
  std::set<void*> used;
  for (int turn = 0; turn < 50; ++turn) {
    std::array<base::Packet, 100> packets;
    ASSERT_EQ(pool->allocate(packets), packets.size());
    for (const auto& packet : packets) used.insert(packet.buffer);
    pool->free(packets);
  }
  EXPECT_LT(used.size(), 200U);
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

TEST_F(RingPairTest, SharedPacketLeavesAsACopy) {
  open(1, 64);
  auto& a = pair_.first->queue(0);
  auto& b = pair_.second->queue(0);
  EXPECT_EQ(a.info().frame_packets_max, 1U);
  std::array<base::Packet, 70> burst;
  for (std::uint32_t i = 0; i < burst.size(); ++i) {
    burst[i] = make_frame(a.pool(), mac_of(1), mac_of(2), i);
    if (i % 2 == 0) a.pool().share(burst[i]);
  }
  const std::size_t sent = a.send({}, burst);
  ASSERT_EQ(sent, 63U);
  // What was taken is ours alone again; what was not is as it was.
  EXPECT_FALSE(a.pool().is_shared(burst[0]));
  EXPECT_TRUE(a.pool().is_shared(burst[64]));
  std::array<base::Packet, 64> got;
  ASSERT_EQ(b.receive({}, got), 63U);
  EXPECT_NE(got[0].buffer, burst[0].buffer);
  EXPECT_EQ(got[1].buffer, burst[1].buffer);
  got[0].data[kNumberAt] = std::byte{0xff};
  EXPECT_EQ(burst[0].data[kNumberAt], std::byte{0});
  b.pool().free(std::span{got}.first(63));
  for (std::size_t i = 0; i < burst.size(); ++i) {
    if (i % 2 == 0) a.pool().free({&burst[i], 1});
    if (i >= sent) a.pool().free({&burst[i], 1});
  }
  close();
  expect_no_leak();
}

TEST_F(RingPairTest, SharedPacketWaitsWhenThereIsNoneToCopyInto) {
  open(1);
  auto& a = pair_.first->queue(0);
  const base::Packet packet = make_frame(a.pool(), mac_of(1), mac_of(2), 1);
  a.pool().share(packet);
  std::vector<base::Packet> rest(1000);
  rest.resize(a.pool().allocate(rest));
  EXPECT_EQ(a.send({}, {&packet, 1}), 0U);
  EXPECT_TRUE(a.pool().is_shared(packet));
  a.pool().free(rest);
  EXPECT_EQ(a.send({}, {&packet, 1}), 1U);
  EXPECT_FALSE(a.pool().is_shared(packet));
  a.pool().free({&packet, 1});
  close();
  expect_no_leak();
}

// Frames in several packets, some of them kept by their sender.
class ChainTest : public EthdevTest {
 protected:
  std::unique_ptr<EthdevPort> open(const std::string& name, EthdevPool& pool) {
    std::array<EthdevPool*, 1> pools = {&pool};
    auto port = open_port(name, {}, pools);
    EXPECT_TRUE(port.has_value()) << port.error();
    return std::move(*port);
  }
  // Two ends of memif in one process: what closing one frees, net_memif's interrupt thread may
  // still look at for the other (DPDK 22.11).
  static void close_both(std::unique_ptr<EthdevPort>& client, std::unique_ptr<EthdevPort>& server) {
    for (auto* const port : {&client, &server}) {
      port->reset();
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  static base::Packet part(EthdevPool& pool, std::uint8_t value, std::uint32_t length) {
    base::Packet packet;
    HANDFAST_ASSERT(pool.allocate({&packet, 1}) == 1);
    packet.length = length;
    std::memset(packet.data, value, length);
    return packet;
  }
};

TEST_F(ChainTest, KeptPartsGoHomeOneByOneAndCanBeSentAgain) {
  const auto pool = make_pool("chain", 4096);
  const auto port = open("net_null1", *pool);  // frees what it is given
  EthdevQueue& queue = port->queue(0);
  const std::size_t available = pool->available();
  std::array<base::Packet, 2> kept = {part(*pool, 1, 1000), part(*pool, 2, 500)};
  for (int round = 0; round < 3; ++round) {
    std::array<base::Packet, 3> frame = {part(*pool, 0, 54), kept[0], kept[1]};
    frame[0].flags = frame[1].flags = base::kContinues;
    for (const base::Packet& packet : kept) pool->share(packet);
    ASSERT_EQ(queue.send({}, frame), 3U);
    EXPECT_EQ(pool->available(), available - 2);
    EXPECT_FALSE(pool->is_shared(kept[0]));
    EXPECT_FALSE(pool->is_shared(kept[1]));
  }
  pool->share(kept[0]);
  ASSERT_EQ(queue.send({}, std::span{kept}.first(1)), 1U);  // alone, no longer linked
  EXPECT_EQ(pool->available(), available - 2);
  pool->free(std::span{kept}.first(1));
  EXPECT_EQ(pool->available(), available - 1) << "the other is still ours";
  pool->free(std::span{kept}.last(1));
  EXPECT_EQ(pool->available(), available);
}

TEST_F(ChainTest, LinkedPartThatIsFreedIsFitForAnotherUse) {
  const auto pool = make_pool("relink", 4096);
  const auto port = open("net_null2", *pool);
  EthdevQueue& queue = port->queue(0);
  std::array<base::Packet, 2> frame = {part(*pool, 0, 54), part(*pool, 1, 100)};
  frame[0].flags = base::kContinues;
  pool->share(frame[0]);
  ASSERT_EQ(queue.send({}, frame), 2U);
  pool->free(std::span{frame}.first(1));
  // Every packet of the pool once, alone: a link left behind would have freed another twice.
  std::vector<base::Packet> all(pool->size() + 1);
  all.resize(pool->allocate(all));
  EXPECT_EQ(all.size(), pool->size());
  for (base::Packet& packet : all) packet.length = 60;
  ASSERT_EQ(queue.send({}, all), all.size());
  EXPECT_EQ(pool->available(), pool->size());
}

TEST_F(ChainTest, ArrivesAsOneFrame) {
  const auto pool = make_pool("memif", 8192);
  {
    auto server = open("net_memif0", *pool);
    auto client = open("net_memif1", *pool);
    EthdevQueue& queue = client->queue(0);
    EXPECT_EQ(queue.info().frame_packets_max, base::kFramePacketsMax);
    // 66 packets in 33 frames, the burst's bound in the middle of one with three.
    std::vector<base::Packet> burst;
    for (std::uint8_t i = 0; i < 33; ++i) {
      burst.push_back(part(*pool, i, 54));
      burst.push_back(part(*pool, static_cast<std::uint8_t>(i + 100), 1000));
      burst[burst.size() - 2].flags = base::kContinues;
    }
    std::size_t sent = 0;
    std::vector<std::vector<std::byte>> frames;
    for (int tries = 0; tries < 5000 && frames.size() < 33; ++tries) {
      sent += queue.send({}, std::span{burst}.subspan(sent));
      std::array<base::Packet, 64> got;
      const std::size_t count = server->queue(0).receive({}, got);
      for (const auto& packet : std::span{got}.first(count)) {
        frames.emplace_back(packet.data, packet.data + packet.length);
      }
      pool->free(std::span{got}.first(count));
      if (count == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ASSERT_EQ(frames.size(), 33U);
    EXPECT_EQ(sent, 66U);
    for (std::size_t i = 0; i < frames.size(); ++i) {
      ASSERT_EQ(frames[i].size(), 1054U);
      EXPECT_EQ(std::to_integer<std::size_t>(frames[i][53]), i);
      EXPECT_EQ(std::to_integer<std::size_t>(frames[i][54]), i + 100);
    }
    close_both(client, server);
  }
  EXPECT_EQ(pool->available(), pool->size());
}

// A frame in parts that is longer than a buffer goes no further, and does not vanish unseen.
TEST_F(ChainTest, WhatFitsNoBufferIsCounted) {
  const auto pool = make_pool("parts", 8192);
  {
    auto server = open("net_memif2", *pool);
    auto client = open("net_memif3", *pool);
    std::array<base::Packet, 2> frame = {part(*pool, 1, 1500), part(*pool, 2, 1500)};
    frame[0].flags = base::kContinues;
    std::size_t sent = 0;
    Counters counters;
    for (int tries = 0; tries < 5000 && counters.port_too_long == 0; ++tries) {
      sent += client->queue(0).send({}, std::span{frame}.subspan(sent));
      base::Packet none;
      ASSERT_EQ(server->queue(0).receive({}, {&none, 1}), 0U);
      counters = {};
      server->queue(0).add_counters(counters);
      if (counters.port_too_long == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_EQ(sent, 2U);
    EXPECT_EQ(counters.port_too_long, 1U);
    EXPECT_EQ(counters.port_refused, 0U);
    close_both(client, server);
  }
  EXPECT_EQ(pool->available(), pool->size());
}

class OpenPortTest : public EthdevTest {};

TEST_F(OpenPortTest, UnknownNameSaysWhatThereIs) {
  const auto pool = make_pool("unknown");
  std::array<EthdevPool*, 1> pools = {pool.get()};
  const auto port = open_port("net_tap7", {}, pools);
  ASSERT_FALSE(port.has_value());
  EXPECT_NE(port.error().find("port net_tap7 does not exist; EAL has: net_null0, "),
            std::string::npos)
      << port.error();
}

TEST_F(OpenPortTest, TooFewPacketsForItsDescriptors) {
  const auto pool = make_pool("few", 100);
  std::array<EthdevPool*, 1> pools = {pool.get()};
  const auto port = open_port("net_null0", {}, pools);
  ASSERT_FALSE(port.has_value());
  EXPECT_NE(port.error().find("at least 2048"), std::string::npos) << port.error();
}

TEST_F(OpenPortTest, TsoIsAnErrorWhereItIsAskedForAndCannotBeHad) {
  const auto pool = make_pool("no_tso", 4096);
  std::array<EthdevPool*, 1> pools = {pool.get()};
  const auto refused = open_port("net_null3", {.tso = Offload::on}, pools);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error(),
            "port net_null3 cannot cut segments (TSO); turn that off, or to automatic");
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
