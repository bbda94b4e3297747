// Segments for a port that cuts them up (TSO): how much text goes into one, and that the books are
// kept as for as many small ones.
#include "tests/tcp/connection_fixture.hpp"

namespace handfast::tcp {
namespace {

constexpr std::uint32_t kText = kDefaultSendMss;

class LargeSegmentTest : public ConnectionTest {
 protected:
  void established_with_tso(std::uint32_t text_max = 65'000, std::uint16_t packets_max = 48) {
    parameters.large_text_max = text_max;
    parameters.large_packets_max = packets_max;
    established();
  }
  std::string text(std::size_t length) const { return std::string(length, 't'); }
  // Queues a packet of the application's, which nothing is appended to.
  void queue_packet(std::uint32_t length) {
    base::Packet packet;
    ASSERT_TRUE(cache.allocate(packet));
    std::memset(packet.data + kHeaderRoom, 'p', length);
    ASSERT_TRUE(tcp::send(tcb, packet, {packet.data + kHeaderRoom, length}, context).has_value());
  }
  Outgoing next() {
    Outgoing out;
    EXPECT_TRUE(next_segment(tcb, context, out));
    return out;
  }
  bool is_at_end() {
    Outgoing out;
    return !next_segment(tcb, context, out);
  }
};

TEST_F(LargeSegmentTest, TakesAllThatMayLeave) {
  established_with_tso();
  queue(text(5 * kText + 100));
  const Outgoing out = next();
  EXPECT_EQ(out.length, 5 * kText + 100);
  EXPECT_EQ(out.segment_size, kText);
  EXPECT_EQ(out.segment.payload.size(), kText);
  EXPECT_EQ(out.segment.flags, kAck | kPsh);
  EXPECT_EQ(out.node, tcb.send_queue.front());
  EXPECT_EQ(tcb.snd_nxt, Seq{kIss + 1} + out.length);
  EXPECT_EQ(counters.payload_bytes_sent.value(), out.length);
  EXPECT_TRUE(is_at_end());
  std::uint32_t nodes = 0;
  for (const SendNode* node = tcb.send_queue.front(); node != nullptr;
       node = tcb.send_queue.after(node)) {
    EXPECT_TRUE(node->is_sent);
    ++nodes;
  }
  EXPECT_EQ(nodes, 6U);
}

TEST_F(LargeSegmentTest, OneSegmentIsNotLarge) {
  established_with_tso();
  queue(text(kText));
  const Outgoing out = next();
  EXPECT_EQ(out.length, kText);
  EXPECT_EQ(out.segment_size, 0);
  queue(text(100));
  EXPECT_EQ(next().segment_size, 0);
}

TEST_F(LargeSegmentTest, EndsWithTheCongestionWindow) {
  established_with_tso();
  queue(text(30 * kText));
  const Outgoing out = next();
  EXPECT_EQ(out.length, tcb.cwnd / kText * kText);
  EXPECT_EQ(out.segment.flags, kAck);
  EXPECT_TRUE(is_at_end());
}

TEST_F(LargeSegmentTest, EndsWithThePeersWindow) {
  parameters.large_text_max = 65'000;
  parameters.large_packets_max = 48;
  established(3 * kText + 10);
  queue(text(5 * kText));
  EXPECT_EQ(next().length, 3 * kText);
}

TEST_F(LargeSegmentTest, KeepsToThePortsBounds) {
  established_with_tso(3 * kText + 1);
  queue(text(8 * kText));
  EXPECT_EQ(next().length, 3 * kText);
  parameters.large_packets_max = 2;
  EXPECT_EQ(next().length, 2 * kText);
}

TEST_F(LargeSegmentTest, FinRidesOnTheLast) {
  established_with_tso();
  queue(text(2 * kText + 7));
  ASSERT_TRUE(close(tcb));
  const Outgoing out = next();
  EXPECT_EQ(out.length, 2 * kText + 7);
  EXPECT_EQ(out.segment.flags, kAck | kPsh | kFin);
  EXPECT_TRUE(tcb.fin_sent());
  EXPECT_EQ(counters.payload_bytes_sent.value(), out.length);
  EXPECT_TRUE(is_at_end());
}

// The port cuts at equal distances.
TEST_F(LargeSegmentTest, ShortPieceIsTheLast) {
  established_with_tso();
  tcb.nagle = false;
  queue_packet(kText);
  queue_packet(300);
  queue_packet(kText);
  queue_packet(kText);
  EXPECT_EQ(next().length, kText + 300);
  const Outgoing second = next();
  EXPECT_EQ(second.length, 2 * kText);
  EXPECT_EQ(second.segment.seq, Seq{kIss + 1} + kText + 300);
  EXPECT_TRUE(is_at_end());
}

TEST_F(LargeSegmentTest, WhatIsLostGoesSegmentBySegment) {
  established_with_tso();
  queue(text(4 * kText));
  ASSERT_EQ(next().length, 4 * kText);
  finish_output(tcb, context);
  wait(std::chrono::seconds(3));
  ASSERT_FALSE(sent_by_timer.empty());
  for (const Sent& sent : sent_by_timer) EXPECT_EQ(sent.payload.size(), kText);
}

class PacketSendTest : public LargeSegmentTest {};

TEST_F(PacketSendTest, LongerThanASegmentIsCopiedBehind) {
  established();
  queue_packet(2 * kText + 5);
  const auto sent = output();
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_EQ(sent[0].payload + sent[1].payload + sent[2].payload, std::string(2 * kText + 5, 'p'));
  EXPECT_EQ(sent[2].payload.size(), 5U);
}

TEST_F(PacketSendTest, NothingIsAppendedToItAndSmallOnesAreToOthers) {
  established();
  tcb.nagle = false;
  queue_packet(300);
  queue("abc");
  queue_packet(100);  // joins "abc"
  const auto sent = output();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].payload.size(), 300U);
  EXPECT_EQ(sent[1].payload, "abc" + std::string(100, 'p'));
}

TEST_F(PacketSendTest, NoPacketsForTheRest) {
  established();
  base::Packet packet;
  ASSERT_TRUE(cache.allocate(packet));
  std::vector<base::Packet> taken;
  for (base::Packet other; cache.allocate(other);) taken.push_back(other);
  const std::span<std::byte> long_text{packet.data + kHeaderRoom, 2 * kText};
  const auto result = tcp::send(tcb, packet, long_text, context);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error(), Error::no_packet_buffer);
  EXPECT_TRUE(tcb.send_queue.is_empty());
  EXPECT_EQ(tcb.snd_end, Seq{kIss + 1});
  cache.free(packet);
  pool.free(taken);
}

}  // namespace
}  // namespace handfast::tcp
