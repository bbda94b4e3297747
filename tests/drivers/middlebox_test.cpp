#include "drivers/impair/middlebox.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <vector>

#include "drivers/link/link.hpp"
#include "tests/drivers/frames.hpp"
#include "tests/drivers/tcp_frames.hpp"

namespace handfast::drivers {
namespace {

using namespace std::chrono_literals;

using Glances = std::vector<TcpGlance>;

// A box between `a`, its host, and `b`.
struct Way {
  explicit Way(const MiddleboxConfig& config) : box(a, config) {}
  SimPool pool_a{64};
  SimPool pool_b{64};
  Link link;
  LinkPort& a = link.add_port(pool_a, {.mac = mac_of(1)});
  LinkPort& b = link.add_port(pool_b, {.mac = mac_of(2)});
  MiddleboxDevice box;
  Instant now = at(0us);

  static base::Packet packet_of(base::PacketPool& pool, const FrameBytes& bytes) {
    base::Packet packet;
    HANDFAST_ASSERT(pool.allocate({&packet, 1}) == 1);
    std::memcpy(packet.data, bytes.data(), bytes.size());
    packet.length = static_cast<std::uint32_t>(bytes.size());
    return packet;
  }
  static Glances receive(base::Device& device, Instant now) {
    Glances glances;
    std::array<base::Packet, 8> burst;
    while (const std::size_t count = device.receive(now, burst)) {
      for (const base::Packet& packet : std::span{burst}.first(count)) {
        const auto glance = glance_at(packet.bytes());
        EXPECT_TRUE(glance);
        if (glance) glances.push_back(*glance);
      }
      device.pool().free(std::span{burst}.first(count));
    }
    return glances;
  }

  // What arrives at the peer when the host sends this, and the other way round.
  Glances sent(const base::Segment& segment) {
    const TcpFrames frames{.to = mac_of(2), .from = mac_of(1)};
    now = now + 1ms;
    send_one(box, now, packet_of(pool_a, frames.frame(segment)));
    return receive(b, now);
  }
  Glances received(const base::Segment& segment) {
    // The ports of TcpFrames are of one direction; the box sees a flow by its sender's side.
    TcpFrames frames{.to = mac_of(1), .from = mac_of(2)};
    std::swap(frames.source, frames.destination);
    FrameBytes bytes = frames.frame(segment);
    const auto layout = wire::tcp_layout_of(bytes);
    std::swap_ranges(&bytes[layout->tcp_at()], &bytes[layout->tcp_at() + 2U],
                     &bytes[layout->tcp_at() + 2U]);
    now = now + 1ms;
    send_one(b, now, packet_of(pool_b, bytes));
    return receive(box, now);
  }
};

const FrameBytes kText = text_of_length(10);

base::Segment syn_of(std::uint32_t seq) {
  return {.seq = base::Seq{seq}, .flags = base::kSyn};
}
base::Segment syn_ack_of(std::uint32_t seq) {
  return {.seq = base::Seq{seq}, .ack = base::Seq{1}, .flags = base::kSyn | base::kAck};
}
base::Segment text_of(std::uint32_t seq) {
  return {.seq = base::Seq{seq}, .ack = base::Seq{1}, .flags = base::kAck, .payload = kText};
}

constexpr MiddleboxConfig kForging{.blind_segment = 1};

// Any SYN opens the connection of an end in SYN-SENT, so a blind one would not be blind there. Text
// overtakes the SYN-ACK with TCP Fast Open (RFC 7413).
TEST(BlindSegments, AreNotForgedTowardsAHostInSynSent) {
  Way way(kForging);
  EXPECT_EQ(way.sent(syn_of(1000)).size(), 1U);
  EXPECT_EQ(way.received(text_of(2001)).size(), 1U);
  EXPECT_EQ(way.received(syn_ack_of(2000)).size(), 1U);
  way.sent(text_of(1001));
  EXPECT_EQ(way.received(text_of(2001)).size(), 2U);
}

TEST(BlindSegments, AreNotForgedTowardsAPeerInSynSent) {
  Way way(kForging);
  EXPECT_EQ(way.received(syn_of(1000)).size(), 1U);
  EXPECT_EQ(way.sent(syn_ack_of(2000)).size(), 1U);
  EXPECT_EQ(way.sent(text_of(2001)).size(), 1U);
  way.received(text_of(1001));
  EXPECT_EQ(way.sent(text_of(2001)).size(), 2U);
}

TEST(BlindSegments, AreNotForgedWhenThePortsAreUsedAgain) {
  Way way(kForging);
  way.sent(text_of(1001));
  EXPECT_EQ(way.received(text_of(2001)).size(), 2U);
  way.sent(syn_of(5000));
  EXPECT_EQ(way.received(text_of(2011)).size(), 1U);
}

TEST(BlindSegments, AreNotForgedForASynThatTheBoxSwallowed) {
  MiddleboxConfig config = kForging;
  config.outages = {{.from = at(10ms), .until = at(20ms), .received = false}};
  Way way(config);
  way.sent(text_of(1001));
  EXPECT_EQ(way.received(text_of(2001)).size(), 2U);
  way.now = at(15ms);
  EXPECT_EQ(way.sent(syn_of(5000)).size(), 0U);
  EXPECT_EQ(way.received(text_of(2011)).size(), 1U);
}

}  // namespace
}  // namespace handfast::drivers
