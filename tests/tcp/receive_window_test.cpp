// What is offered to the peer, and how the offer grows.

#include "tcp/receive_window.hpp"

#include "connection_fixture.hpp"

namespace handfast::tcp {
namespace {

// RFC 9293 section 3.10.7.4, first step.
TEST(Acceptability, FollowsTheTable) {
  const Seq nxt{0xfffffff0};  // the window wraps
  EXPECT_TRUE(is_acceptable(nxt, 0, nxt, 0));
  EXPECT_FALSE(is_acceptable(nxt + 1, 0, nxt, 0));
  EXPECT_FALSE(is_acceptable(nxt, 1, nxt, 0));
  EXPECT_TRUE(is_acceptable(nxt + 99, 0, nxt, 100));
  EXPECT_FALSE(is_acceptable(nxt + 100, 0, nxt, 100));
  EXPECT_TRUE(is_acceptable(nxt - 10, 11, nxt, 100));
  EXPECT_FALSE(is_acceptable(nxt - 10, 10, nxt, 100));
  EXPECT_TRUE(is_acceptable(nxt + 99, 1000, nxt, 100));
}

class ReceiveWindow : public ConnectionTest {
 public:
  void start(std::uint32_t buffer, std::uint32_t buffer_max) {
    config.window_scaling = true;
    config.receive_buffer = buffer;
    config.receive_buffer_max = buffer_max;
    restart();
    syn_sent();
    context.set_time(context.now + rtt_);
    Segment syn_ack = make(kSyn | kAck, kPeerIss, kIss + 1);
    syn_ack.options.present = TcpOptions::kWindowScale;
    ASSERT_TRUE(arrive(syn_ack).established);
    const auto sent = output();
    ASSERT_EQ(sent.size(), 1U);
    edge_ = edge_of(sent[0].segment);
  }
  Seq edge_of(const Segment& segment) const {
    return segment.ack + (std::uint32_t{segment.window} << tcb.receive_shift);
  }
  void text(std::size_t bytes) {
    arrive(make(kAck, tcb.rcv_nxt.raw(), kIss + 1), std::string(bytes, 'x'));
  }
  // Text that no packet carries: as if the handler had taken it.
  void receive_at_once(std::uint32_t bytes) {
    tcb.rcv_nxt += bytes;
    grow_capacity(tcb, context);
    tcb.ack_pending = true;
  }
  void acknowledge() {
    for (const Sent& s : output()) {
      // What the scale rounds off is accepted still (RFC 7323 section 2.4).
      const std::uint32_t unit = 1U << tcb.receive_shift;
      const Seq edge = edge_of(s.segment);
      EXPECT_FALSE((edge + (unit - 1)).is_before(edge_)) << "the window has shrunk (SHLD-14)";
      EXPECT_FALSE(tcb.rcv_adv.is_before(edge_)) << "what was promised is not accepted";
      edge_ = base::later_of(edge, edge_);
    }
  }
  // A sender in slow start and then at `bytes_per_s`, for `rounds` round trips of bursts.
  void stream(std::uint64_t bytes_per_s, int rounds) {
    constexpr int kBursts = 50;
    const auto line = static_cast<std::uint32_t>(
        bytes_per_s * static_cast<std::uint64_t>(rtt_.count()) / 1'000'000'000);
    std::uint32_t cwnd = 14'600;
    for (int round = 0; round < rounds; ++round) {
      const Seq limit = edge_;  // what the sender knows: a round trip old
      const std::uint32_t flight = std::min({cwnd, line, limit - tcb.rcv_nxt});
      for (int i = 0; i < kBursts; ++i) {
        context.set_time(context.now + rtt_ / kBursts);
        receive_at_once(flight / kBursts);
        acknowledge();
      }
      cwnd = std::min(cwnd * 2, 1U << 28);
    }
  }

  Duration rtt_ = std::chrono::milliseconds(20);
  Seq edge_;
};

TEST_F(ReceiveWindow, BeginsWithTheBufferAndNotWithItsMaximum) {
  start(256 << 10, 8 << 20);
  EXPECT_EQ(receive_capacity(tcb, parameters), 256U << 10);
  EXPECT_EQ(tcb.rcv_wnd(), 256U << 10);
}

// A gigabit and 20 ms want 2.5 MB in flight, and twice that while slow start looks for more.
TEST_F(ReceiveWindow, GrowsToTheBandwidthDelayProductWithinAFewRoundTrips) {
  start(256 << 10, 8 << 20);
  stream(125'000'000, 10);
  EXPECT_GE(tcb.rcv_wnd(), 5'000'000U);
  EXPECT_LE(tcb.rcv_wnd(), 8U << 20);
}

TEST_F(ReceiveWindow, IsNeverWhatHoldsSlowStartBack) {
  start(256 << 10, 8 << 20);
  for (std::uint32_t flight = 14'600; flight < 2'500'000; flight *= 2) {
    EXPECT_GE(tcb.rcv_wnd(), flight);
    for (int i = 0; i < 50; ++i) {
      context.set_time(context.now + rtt_ / 50);
      receive_at_once(flight / 50);
      acknowledge();
    }
  }
}

TEST_F(ReceiveWindow, StaysSmallForASlowPeer) {
  start(256 << 10, 8 << 20);
  stream(1'000'000, 100);
  EXPECT_EQ(receive_capacity(tcb, parameters), 256U << 10);
}

TEST_F(ReceiveWindow, GrowsWithoutARoundTripTimeToo) {
  start(256 << 10, 8 << 20);
  tcb.srtt_us = 0;
  stream(125'000'000, 12);
  EXPECT_GE(tcb.rcv_wnd(), 5'000'000U);
}

TEST_F(ReceiveWindow, StopsAtTheMaximum) {
  start(100'000, 300'000);
  stream(125'000'000, 20);
  EXPECT_EQ(receive_capacity(tcb, parameters), 300'000U);
  EXPECT_EQ(tcb.receive_growth, 2);
}

TEST_F(ReceiveWindow, StaysWhenTheApplicationDoesNotRead) {
  start(256 << 10, 8 << 20);
  takes_data = false;
  base::Packet packet;
  ASSERT_TRUE(cache.allocate(packet));
  hold_text(tcb, packet, {packet.data, 1});
  for (int i = 0; i < 200; ++i) {
    text(1400);
    acknowledge();
  }
  EXPECT_EQ(receive_capacity(tcb, parameters), 256U << 10);
  EXPECT_GT(tcb.receive_held, 256U << 9);
}

TEST_F(ReceiveWindow, StaysWhenPacketsRunLow) {
  start(256 << 10, 8 << 20);
  std::vector<base::Packet> taken(pool.capacity());
  taken.resize(pool.allocate(std::span{taken}.first(pool.capacity() - 140)));
  std::vector<base::Packet> stock(40);  // the cache looks at the pool when it refills
  for (base::Packet& packet : stock) ASSERT_TRUE(cache.allocate(packet));
  stream(125'000'000, 10);
  EXPECT_EQ(receive_capacity(tcb, parameters), 256U << 10);
  for (const base::Packet& packet : stock) cache.free(packet);
  pool.free(taken);
}

// Unread text is taken off the offer, and what was promised stays promised.
TEST_F(ReceiveWindow, UnreadTextFillsItAndTheEdgeStays) {
  start(20'000, 20'000);
  takes_data = false;
  base::Packet packet;
  ASSERT_TRUE(cache.allocate(packet));
  hold_text(tcb, packet, {packet.data, 1});
  const Seq edge = tcb.rcv_adv;
  for (int i = 0; i < 14; ++i) {
    text(1400);
    acknowledge();
    ASSERT_EQ(tcb.rcv_adv, edge);
  }
  EXPECT_EQ(tcb.rcv_wnd(), 20'000U - 14 * 1400);
}

// MUST-39: less than a segment, or half of a small buffer, is not worth telling.
TEST_F(ReceiveWindow, SmallStepsAreNotOffered) {
  start(20'000, 20'000);
  const Seq edge = tcb.rcv_adv;
  text(1000);
  acknowledge();
  EXPECT_EQ(tcb.rcv_adv, edge);
  text(459);
  EXPECT_EQ(window_growth(tcb, parameters), 0U);
  text(1);
  EXPECT_EQ(window_growth(tcb, parameters), 1460U);
  acknowledge();
  EXPECT_EQ(tcb.rcv_adv, edge + 1460);

  start(1000, 1000);
  text(499);
  EXPECT_EQ(window_growth(tcb, parameters), 0U);
  text(1);
  EXPECT_EQ(window_growth(tcb, parameters), 500U);
}

TEST_F(ReceiveWindow, TheScaledFieldPromisesNoLessThanIsMeant) {
  start(256 << 10, 8 << 20);
  ASSERT_GT(tcb.receive_shift, 0);
  text(77);
  const std::uint16_t field = advertise_window(tcb, parameters);
  EXPECT_GE(std::uint32_t{field} << tcb.receive_shift, tcb.rcv_wnd());
  EXPECT_EQ(tcb.rcv_nxt + (std::uint32_t{field} << tcb.receive_shift), tcb.rcv_adv);
}

// Each ACK's window is rounded up to the scale's unit. A peer that sends a byte at a time must not
// have it moved on by as much as it uses up, for ever.
TEST_F(ReceiveWindow, SmallSegmentsThatNobodyReadsFillTheBufferAndNoMore) {
  start(4096, 8 << 20);
  const std::uint32_t unit = 1U << tcb.receive_shift;
  ASSERT_GE(unit, 128U);
  std::uint32_t sent = 0;
  for (; edge_.is_after(tcb.rcv_nxt) && sent < 100'000; ++sent) {
    const Seq promised = tcb.rcv_adv;
    tcb.rcv_nxt += 1;
    ++tcb.receive_held;
    tcb.ack_pending = true;
    for (const Sent& s : output()) edge_ = edge_of(s.segment);
    EXPECT_FALSE(tcb.rcv_adv.is_before(promised)) << "what was promised is not accepted";
  }
  EXPECT_LE(sent, receive_capacity(tcb, parameters) + unit);
  tcb.receive_held = 0;
}

}  // namespace
}  // namespace handfast::tcp
