// The world itself: time, traffic and the accounting of packets, with two hosts and few
// connections.
#include "tests/sim/world.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

namespace handfast::sim {
namespace {

using namespace std::chrono_literals;

constexpr Address kClientAddress = Address::v4(0x0a000001);
constexpr Endpoint kServer{Address::v4(0x0a000002), 7};

HostConfig host_at(const Address& address, std::uint64_t seed) {
  HostConfig host{.seed = seed, .packets = 256};
  host.stack.interface.addresses = {{address, 24}};
  host.stack.max_connections = 16;
  host.stack.max_half_open = 16;
  return host;
}

// Counts what happens; closes when told that the peer has.
struct Recorder {
  void on_open(Connection connection) {
    ++opened;
    opened_at = connection.worker().now();
    last = connection;
  }
  void on_closed(Connection, CloseReason reason) { closed.push_back(reason); }
  int opened = 0;
  Instant opened_at;
  Connection last;
  std::vector<CloseReason> closed;
};

struct TwoHosts {
  explicit TwoHosts(const drivers::LinkConfig& link = {}, Duration poll_interval = Duration{0})
      : world(link, poll_interval) {
    EXPECT_TRUE(world.worker(server_host).listen(kServer, server).has_value());
  }
  bool connect_and_wait() {
    EXPECT_TRUE(world.worker(client_host).connect(kServer, client).has_value());
    return world.run_until([this] { return client.opened > 0 && server.opened > 0; }, 10s);
  }
  Recorder client;
  Recorder server;
  World world;
  std::size_t client_host = world.add_host(host_at(kClientAddress, 1));
  std::size_t server_host = world.add_host(host_at(kServer.address, 2));
};

TEST(World, TimePassesOnlyFromEventToEvent) {
  TwoHosts net({.latency = 500us});
  ASSERT_TRUE(net.connect_and_wait());  // from now on each knows the other's MAC address
  net.client.opened = net.server.opened = 0;
  const Instant start = net.world.now();
  ASSERT_TRUE(net.connect_and_wait());
  EXPECT_EQ((net.client.opened_at - start), 1ms);
  EXPECT_EQ((net.server.opened_at - start), 1500us);
  EXPECT_EQ((net.world.now() - start), 1500us);
  net.world.run_for(5s);
  EXPECT_EQ((net.world.now() - start), 5s + 1500us);
}

TEST(World, AHostPollsNoMoreOftenThanAsked) {
  TwoHosts net({.latency = 500us}, 800us);
  ASSERT_TRUE(net.connect_and_wait());
  net.client.opened = net.server.opened = 0;
  const Instant start = net.world.now();
  ASSERT_TRUE(net.connect_and_wait());
  EXPECT_EQ((net.client.opened_at - start), 1600us);  // the SYN waited, and so did its answer
}

TEST(World, RunUntilEndsAtItsLimit) {
  TwoHosts net;
  const Instant start = net.world.now();
  EXPECT_FALSE(net.world.run_until([] { return false; }, 1s));
  EXPECT_LE(net.world.now(), start + 1s);
}

TEST(World, ClosesAndLeavesNothingBehind) {
  TwoHosts net({.latency = 500us});
  ASSERT_TRUE(net.connect_and_wait());
  ASSERT_TRUE(net.client.last.close().has_value());
  ASSERT_TRUE(net.world.run_until(
      [&] { return net.client.closed.size() + net.server.closed.size() == 2; }, 10s));
  EXPECT_EQ(net.client.closed, std::vector{CloseReason::finished});
  EXPECT_EQ(net.server.closed, std::vector{CloseReason::finished});
  EXPECT_EQ(net.world.worker(net.client_host).time_wait_count(), 1u);
  net.world.run_for(61s);
  EXPECT_EQ(net.world.worker(net.client_host).time_wait_count(), 0u);
  EXPECT_EQ(net.world.shut_down(), 0u);
}

TEST(World, AnImpairedHostLosesWhatItIsToldTo) {
  World world({.latency = 500us});
  Recorder client;
  Recorder server;
  HostConfig config = host_at(kClientAddress, 1);
  config.impair = drivers::ImpairConfig{.receive = {.drop = 1}};
  config.stack.syn_timeout = 10s;
  const std::size_t client_host = world.add_host(config);
  const std::size_t server_host = world.add_host(host_at(kServer.address, 2));
  ASSERT_TRUE(world.worker(server_host).listen(kServer, server).has_value());
  ASSERT_TRUE(world.worker(client_host).connect(kServer, client).has_value());
  ASSERT_TRUE(world.run_until([&] { return !client.closed.empty(); }, 60s));
  EXPECT_EQ(client.opened, 0);
  EXPECT_GT(world.impairment(client_host).received().dropped, 0u);
  EXPECT_EQ(world.impairment(client_host).received().dropped,
            world.impairment(client_host).received().frames);
}

TEST(World, ShutDownTellsOfAPacketThatIsMissing) {
  TwoHosts net;
  base::Packet kept;
  ASSERT_EQ(net.world.pool(net.client_host).allocate({&kept, 1}), 1u);
  EXPECT_EQ(net.world.shut_down(), 1u);
  net.world.pool(net.client_host).free({&kept, 1});
}

}  // namespace
}  // namespace handfast::sim
