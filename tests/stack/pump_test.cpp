// The pump before a device that is slow to take frames: input waits, answers are not dropped; and
// before one that takes none at all: input goes on, or two full peers would wait for each other.

#include "stack/pump.hpp"

#include <gtest/gtest.h>

#include "drivers/link/sim_pool.hpp"
#include "wire/arp.hpp"
#include "wire/tcp.hpp"

namespace handfast::stack {
namespace {

constexpr base::MacAddress kOurMac{2, 0, 0, 0, 0, 1};
constexpr base::MacAddress kPeerMac{2, 0, 0, 0, 0, 2};
constexpr Address kOurs = Address::v4(0xc6120001);
constexpr Address kPeers = Address::v4(0xc6120002);

// Delivers SYNs to a port where nobody listens, each answered by a RST; takes `per_turn` frames.
class SlowDevice final : public base::Device {
 public:
  const base::DeviceInfo& info() const override { return info_; }
  base::PacketPool& pool() override { return pool_; }
  std::size_t receive(Instant, std::span<base::Packet> out) override {
    std::size_t n = 0;
    while (n < out.size() && delivered < to_deliver && pool_.allocate(out.subspan(n, 1)) == 1) {
      fill(out[n++]);
      ++delivered;
    }
    return n;
  }
  std::size_t send(Instant, std::span<const base::Packet> frames) override {
    const std::size_t n = std::min(frames.size(), per_turn);
    pool_.free(frames.first(n));
    taken += n;
    return n;
  }

  std::size_t per_turn = 64;
  std::size_t to_deliver = 0;
  std::size_t delivered = 0;
  std::size_t taken = 0;

 private:
  // The first frame says who we are talking to.
  void fill(base::Packet& packet) {
    if (delivered == 0) {
      const auto link = wire::make_link_header(kOurMac, kPeerMac, {}, wire::kEtherTypeArp);
      packet.length = wire::emit_arp(packet.data, link,
                                     {.operation = wire::Arp::Operation::request,
                                      .sender_mac = kPeerMac,
                                      .sender_ip = kPeers,
                                      .target_ip = kOurs});
      return;
    }
    const auto link = wire::make_link_header(kOurMac, kPeerMac, {}, wire::kEtherTypeIpv4);
    base::Segment syn;
    syn.flags = base::kSyn;
    const auto port = static_cast<std::uint16_t>(1 + delivered % 60'000);
    wire::emit_tcp(packet, {.link = link,
                            .ip = {.source = kPeers, .destination = kOurs},
                            .ports = {.source = port, .destination = 80},
                            .segment = syn});
  }
  base::DeviceInfo info_{.mac = kOurMac};
  drivers::SimPool pool_{8192};
};

struct Host {
  explicit Host(SlowDevice& device) {
    StackConfig config;
    config.interface.addresses = {{kOurs, 24}};
    config.max_connections = config.max_half_open = config.max_time_wait = 16;
    stack = Stack::create(config, {}, device.info(), device.pool(), nullptr).value();
    pump.emplace(*stack, device);
  }
  void turns(int count) {
    for (int i = 0; i < count; ++i) {
      now = now + std::chrono::microseconds(10);
      pump->turn(now);
    }
  }
  std::unique_ptr<Stack> stack;
  std::optional<Pump> pump;
  Instant now = Instant::from_ns(1'000'000'000);
};

TEST(Pump, InputWaitsForASlowDevice) {
  SlowDevice device;
  Host host(device);
  device.to_deliver = 1;
  host.turns(10);
  device.per_turn = 1;
  device.to_deliver = 5001;
  host.turns(200);
  EXPECT_LT(device.delivered, 5000U);
  device.per_turn = 64;
  host.turns(500);
  EXPECT_EQ(device.delivered, 5001U);
  const Counters counters = host.stack->counters().snapshot();
  EXPECT_EQ(counters.answers_dropped, 0U);
  EXPECT_EQ(counters.rst_sent, 5000U);
  EXPECT_GT(counters.device_full, 0U);
  EXPECT_LT(counters.device_full, counters.bursts_sent);
}

TEST(Pump, InputGoesOnBeforeADeviceThatTakesNothing) {
  SlowDevice device;
  Host host(device);
  device.to_deliver = 1;
  host.turns(10);
  device.per_turn = 0;
  device.to_deliver = 5001;
  host.turns(500);
  EXPECT_EQ(device.delivered, 5001U);
  EXPECT_GT(host.stack->counters().snapshot().answers_dropped, 0U);
}

TEST(Pump, IsBehindWhileFramesWaitToBeReceived) {
  SlowDevice device;
  Host host(device);
  const Worker& worker = host.stack->worker();
  device.to_deliver = 1;
  host.turns(10);
  EXPECT_FALSE(worker.is_behind());
  device.to_deliver = 200;  // 199 in bursts of 64
  host.turns(3);
  EXPECT_TRUE(worker.is_behind());
  host.turns(2);
  EXPECT_FALSE(worker.is_behind());
}

TEST(Pump, IsBehindWhileFramesWaitToBeSent) {
  SlowDevice device;
  Host host(device);
  const Worker& worker = host.stack->worker();
  device.to_deliver = 1;
  host.turns(10);
  device.per_turn = 10;
  device.to_deliver = 41;  // 40 answers
  host.turns(2);
  EXPECT_TRUE(worker.is_behind());
  host.turns(10);
  EXPECT_FALSE(worker.is_behind());
}

}  // namespace
}  // namespace handfast::stack
