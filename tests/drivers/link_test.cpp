#include "drivers/link/link.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "tests/drivers/frames.hpp"

namespace handfast::drivers {
namespace {

using namespace std::chrono_literals;

struct ThreePorts {
  explicit ThreePorts(const LinkConfig& config = {}) : link(config) {}
  SimPool pool_a{64}, pool_b{64}, pool_c{64};
  Link link;
  LinkPort& a = link.add_port(pool_a, {.mac = mac_of(1), .offload_tcp_checksum = true});
  LinkPort& b = link.add_port(pool_b, {.mac = mac_of(2)});
  LinkPort& c = link.add_port(pool_c, {.mac = mac_of(3)});

  void send(LinkPort& from, Instant now, const base::MacAddress& to, std::uint32_t number,
            std::uint32_t length = 60) {
    send_one(from, now, make_frame(from.pool(), to, from.info().mac, number, length));
  }
  void expect_no_packet_out() const {
    EXPECT_EQ(pool_a.outstanding(), 0u);
    EXPECT_EQ(pool_b.outstanding(), 0u);
    EXPECT_EQ(pool_c.outstanding(), 0u);
  }
};

TEST(SimPool, GivesItsBlocksAndNoMore) {
  SimPool pool(3);
  std::array<base::Packet, 5> packets;
  ASSERT_EQ(pool.allocate(packets), 3u);
  EXPECT_EQ(pool.outstanding(), 3u);
  for (const base::Packet& packet : std::span{packets}.first(3)) {
    EXPECT_EQ(packet.length, 0u);
    EXPECT_EQ(packet.flags, 0u);
    std::memset(packet.data - base::kPacketHeadroom, 0xff,
                base::kPacketHeadroom + pool.data_room());
  }
  base::Packet more;
  EXPECT_EQ(pool.allocate({&more, 1}), 0u);
  pool.free(std::span{packets}.first(3));
  EXPECT_EQ(pool.outstanding(), 0u);
  EXPECT_EQ(pool.allocate({&more, 1}), 1u);
  pool.free({&more, 1});
}

TEST(SimPool, GivesAForeignPacketBackToItsOwner) {
  SimPool owner(1);
  SimPool other(1);
  base::Packet packet;
  ASSERT_EQ(owner.allocate({&packet, 1}), 1u);
  other.free({&packet, 1});
  EXPECT_EQ(owner.outstanding(), 0u);
  EXPECT_EQ(other.outstanding(), 0u);
}

TEST(SimPoolDeathTest, RefusesAPacketGivenBackTwice) {
  SimPool pool(2);
  base::Packet packet;
  ASSERT_EQ(pool.allocate({&packet, 1}), 1u);
  pool.free({&packet, 1});
  EXPECT_DEATH(pool.free({&packet, 1}), "owners > 0");
}

#ifdef __SANITIZE_ADDRESS__
TEST(SimPoolDeathTest, AFreedPacketCannotBeRead) {
  SimPool pool(2);
  base::Packet packet;
  ASSERT_EQ(pool.allocate({&packet, 1}), 1u);
  pool.free({&packet, 1});
  EXPECT_DEATH({ packet.data[0] = std::byte{1}; }, "use-after-poison");
}
#endif

TEST(Link, FloodsUntilTheAddressIsLearned) {
  ThreePorts net;
  net.send(net.a, at(0ns), mac_of(2), 1);
  EXPECT_EQ(receive_numbers(net.b, at(0ns)), Numbers{1});
  EXPECT_EQ(receive_numbers(net.c, at(0ns)), Numbers{1});
  EXPECT_EQ(receive_numbers(net.a, at(0ns)), Numbers{});
  net.send(net.b, at(0ns), mac_of(1), 2);
  net.send(net.a, at(0ns), mac_of(2), 3);
  EXPECT_EQ(receive_numbers(net.a, at(0ns)), Numbers{2});
  EXPECT_EQ(receive_numbers(net.b, at(0ns)), Numbers{3});
  EXPECT_EQ(receive_numbers(net.c, at(0ns)), Numbers{});
  net.send(net.a, at(0ns), kBroadcast, 4);
  EXPECT_EQ(receive_numbers(net.b, at(0ns)), Numbers{4});
  EXPECT_EQ(receive_numbers(net.c, at(0ns)), Numbers{4});
  EXPECT_EQ(net.link.counters().flooded, 2u);
  net.expect_no_packet_out();
}

TEST(Link, LearnsAnAddressThatMovesAndDropsWhatWouldGoBack) {
  ThreePorts net;
  net.send(net.b, at(0ns), kBroadcast, 1);
  send_one(net.c, at(0ns), make_frame(net.pool_c, kBroadcast, mac_of(2), 2));
  for (LinkPort* const port : {&net.a, &net.b, &net.c}) receive_numbers(*port, at(0ns));
  net.send(net.a, at(0ns), mac_of(2), 3);
  EXPECT_EQ(receive_numbers(net.b, at(0ns)), Numbers{});
  EXPECT_EQ(receive_numbers(net.c, at(0ns)), Numbers{3});
  net.send(net.c, at(0ns), mac_of(2), 4);
  EXPECT_EQ(net.link.next_arrival(), Instant::never());
}

TEST(Link, LearnsNoMoreThanItsBound) {
  ThreePorts net;
  for (unsigned i = 0; i < Link::kLearnedMax + 10; ++i) {
    const base::MacAddress from{
        0x02, 1, 0, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)};
    send_one(net.a, at(0ns), make_frame(net.pool_a, mac_of(2), from, i));
  }
  EXPECT_EQ(receive_numbers(net.b, at(0ns)).size(), Link::kLearnedMax + 10);
  receive_numbers(net.c, at(0ns));
  const std::uint64_t flooded = net.link.counters().flooded;
  net.send(net.b, at(0ns), {0x02, 1, 0, 0, 0, 0}, 1);
  EXPECT_EQ(net.link.counters().flooded, flooded);
  net.send(net.b, at(0ns), {0x02, 1, 0, 0, 1, 5}, 1);
  EXPECT_EQ(net.link.counters().flooded, flooded + 1);
}

TEST(Link, DeliversExactlyAfterItsLatency) {
  ThreePorts net({.latency = 50us});
  EXPECT_EQ(net.link.next_arrival(), Instant::never());
  net.send(net.a, at(1ms), mac_of(2), 1);
  EXPECT_EQ(net.b.next_arrival(), at(1050us));
  EXPECT_EQ(net.a.next_arrival(), Instant::never());
  EXPECT_EQ(net.link.next_arrival(), at(1050us));
  EXPECT_EQ(receive_numbers(net.b, at(1050us - 1ns)), Numbers{});
  EXPECT_EQ(receive_numbers(net.b, at(1050us)), Numbers{1});
}

TEST(Link, ALineCarriesOneFrameAfterAnother) {
  ThreePorts net({.latency = 10us, .bits_per_second = 1'000'000'000});
  net.send(net.a, at(0ns), mac_of(2), 1, 1000);  // 8 us on the line
  net.send(net.c, at(0ns), mac_of(2), 2, 500);   // then 4 us
  EXPECT_EQ(net.b.next_arrival(), at(18us));
  EXPECT_EQ(receive_numbers(net.b, at(22us - 1ns)), Numbers{1});
  EXPECT_EQ(receive_numbers(net.b, at(22us)), Numbers{2});
  net.send(net.a, at(30us), mac_of(2), 3, 1000);  // the line has been idle since
  EXPECT_EQ(net.b.next_arrival(), at(48us));
}

TEST(Link, CopiesTheFrameSoThatPoolsStayApart) {
  ThreePorts net({.latency = 5us});
  const base::Packet sent = make_frame(net.pool_a, mac_of(2), mac_of(1), 77, 1514);
  std::memset(sent.data + 20, 0x5a, 1494);
  const std::vector<std::byte> bytes(sent.data, sent.data + sent.length);
  send_one(net.a, at(0ns), sent);
  EXPECT_EQ(net.pool_a.outstanding(), 0u);
  EXPECT_EQ(net.pool_b.outstanding(), 0u);
  base::Packet received;
  ASSERT_EQ(net.b.receive(at(5us), {&received, 1}), 1u);
  EXPECT_EQ(net.pool_b.outstanding(), 1u);
  EXPECT_TRUE(std::ranges::equal(received.bytes(), bytes));
  EXPECT_EQ(received.flags, 0u);
  net.pool_b.free({&received, 1});
}

TEST(Link, ADryPoolLosesTheFrameAndCountsIt) {
  ThreePorts net;
  std::vector<base::Packet> held(net.pool_b.capacity() - 1);
  ASSERT_EQ(net.pool_b.allocate(held), held.size());
  for (std::uint32_t i = 0; i < 3; ++i) net.send(net.a, at(0ns), mac_of(2), i);
  std::array<base::Packet, 8> burst;
  ASSERT_EQ(net.b.receive(at(0ns), burst), 1u);
  EXPECT_EQ(net.link.counters().dropped_pool, 2u);
  EXPECT_EQ(net.link.counters().delivered, 1u);
  net.pool_b.free(std::span{burst}.first(1));
  net.pool_b.free(held);
}

TEST(Link, AFullQueueLosesTheFrameAndCountsIt) {
  ThreePorts net({.queue_bytes_max = 4096});
  for (std::uint32_t i = 0; i < 5; ++i) net.send(net.a, at(0ns), mac_of(2), i, 1000);
  EXPECT_EQ(net.link.counters().dropped_queue, 2u);  // one each at b and c
  EXPECT_EQ(receive_numbers(net.b, at(0ns)), (Numbers{0, 1, 2, 3}));
  net.send(net.a, at(0ns), mac_of(2), 9, 1000);
  EXPECT_EQ(receive_numbers(net.b, at(0ns)), Numbers{9});
}

// Frames of odd sizes, so that the queue's end is crossed in every way.
TEST(Link, KeepsOrderAndBytesAcrossTheEndOfItsQueue) {
  ThreePorts net({.latency = 7us, .queue_bytes_max = 4096});
  std::uint32_t sent = 0;
  std::uint32_t received = 0;
  for (int round = 0; round < 2000; ++round) {
    const Instant now = at(round * 1us);
    net.send(net.a, now, mac_of(2), sent, 60 + (sent * 37) % 300);
    ++sent;
    for (const std::uint32_t number : receive_numbers(net.b, now)) ASSERT_EQ(number, received++);
    receive_numbers(net.c, now);
  }
  EXPECT_EQ(sent - received, 7u);
  EXPECT_EQ(net.link.counters().dropped_queue, 0u);
}

TEST(Link, TapSeesAllAndFilterDropsTheChosen) {
  ThreePorts net;
  Numbers seen;
  net.link.set_tap([&](Instant, base::Bytes frame) {
    seen.push_back(base::load_be32(frame.data() + kNumberAt));
  });
  int nth = 0;
  net.link.set_filter([&](Instant, base::Bytes) { return ++nth == 2; });
  for (std::uint32_t i = 0; i < 4; ++i) net.send(net.a, at(0ns), mac_of(2), i);
  EXPECT_EQ(seen, (Numbers{0, 1, 2, 3}));
  EXPECT_EQ(receive_numbers(net.b, at(0ns)), (Numbers{0, 2, 3}));
  EXPECT_EQ(net.link.counters().dropped_filter, 1u);
}

TEST(Link, RefusesFramesOfAnImpossibleLength) {
  ThreePorts net;
  net.send(net.a, at(0ns), kBroadcast, 1, 60);
  base::Packet runt = make_frame(net.pool_a, kBroadcast, mac_of(1), 2);
  runt.length = 13;
  send_one(net.a, at(0ns), runt);
  EXPECT_EQ(net.link.counters().dropped_length, 1u);
  EXPECT_EQ(receive_numbers(net.b, at(0ns)), Numbers{1});
  EXPECT_FALSE(net.a.info().offload_tcp_checksum);
}

}  // namespace
}  // namespace handfast::drivers
