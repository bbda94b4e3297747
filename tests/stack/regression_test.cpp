// What once went wrong between a stack and its application: events told too late, never, or to one
// who had done with them. Two hosts in virtual time.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/sim/world.hpp"

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

[[maybe_unused]] Bytes bytes_of(const std::string& text) {
  return std::as_bytes(std::span{text});
}

// Counts events; a test sets what else is to happen.
struct Scripted {
  void on_open(Connection connection) {
    ++opened;
    connections.push_back(connection);
    if (at_open) at_open(connection);
  }
  std::size_t on_data(Connection connection, Bytes data) {
    const std::size_t took = at_data ? at_data(connection, data) : data.size();
    received += took;
    return took;
  }
  void on_writable(Connection connection) {
    ++writable;
    if (at_writable) at_writable(connection);
  }
  void on_closed(Connection connection, CloseReason reason) {
    closed.push_back(reason);
    if (at_closed) at_closed(connection);
  }
  int opened = 0;
  int writable = 0;
  std::size_t received = 0;
  std::vector<Connection> connections;
  std::vector<CloseReason> closed;
  std::function<void(Connection)> at_open;
  std::function<std::size_t(Connection, Bytes)> at_data;
  std::function<void(Connection)> at_writable;
  std::function<void(Connection)> at_closed;
};

class RegressionTest : public ::testing::Test {
 public:
  RegressionTest() { EXPECT_TRUE(world.worker(server_host).listen(kServer, server).has_value()); }
  ~RegressionTest() override { EXPECT_EQ(world.shut_down(), 0U); }

  Connection connect() {
    const auto connection = world.worker(client_host).connect(kServer, client);
    EXPECT_TRUE(connection.has_value());
    return connection.value_or(Connection{});
  }
  // `count` connections, open at both ends.
  void open(int count) {
    for (int i = 0; i < count; ++i) connect();
    ASSERT_TRUE(
        world.run_until([&] { return client.opened == count && server.opened == count; }, 10s));
  }

  Scripted client;
  Scripted server;
  World world{{.latency = 500us}};
  std::size_t client_host = world.add_host(host_at(kClientAddress, 1));
  std::size_t server_host = world.add_host(host_at(kServer.address, 2));
};

TEST_F(RegressionTest, AbortedWhileItsSynAckIsInTheSameBurstHearsOnlyClosed) {
  const Connection first = connect();
  const Connection second = connect();
  int opened_second = 0;
  client.at_open = [&](Connection connection) {
    opened_second += connection == second ? 1 : 0;
    if (connection == first) {
      EXPECT_TRUE(Connection{second}.abort().has_value());
    }
  };
  ASSERT_TRUE(world.run_until([&] { return !client.closed.empty(); }, 10s));
  EXPECT_EQ(client.opened, 1);
  EXPECT_EQ(opened_second, 0);
  EXPECT_EQ(client.closed, std::vector{CloseReason::aborted});
}

// Nothing of it is queued, so no acknowledgement will come and say that there is room.
TEST_F(RegressionTest, WritableComesAfterASendThatFoundThePoolDry) {
  open(2);
  Connection busy = client.connections[0];
  Connection idle = client.connections[1];
  std::vector<base::Packet> taken(world.pool(client_host).capacity());
  taken.resize(world.pool(client_host).allocate(taken));
  ASSERT_TRUE(busy.send(bytes_of(std::string(100'000, 'x'))).has_value());  // the stack's own stock
  ASSERT_EQ(idle.send(bytes_of("x")), 0U);
  world.pool(client_host).free(taken);
  int told = 0;
  client.at_writable = [&](Connection connection) { told += connection == idle ? 1 : 0; };
  world.run_for(10s);
  EXPECT_EQ(told, 1);
}

// Send buffers of more than the pool holds: what is queued must leave packets to send it with.
TEST_F(RegressionTest, QueuedDataDoesNotTakeThePacketsThatWouldSendIt) {
  open(4);
  constexpr std::size_t kEach = 300'000;
  const std::string text(kEach, 'x');
  std::vector<std::size_t> sent(4);
  const auto send_rest = [&](Connection connection) {
    for (std::size_t i = 0; i < sent.size(); ++i) {
      if (client.connections[i] != connection) continue;
      sent[i] += connection.send(bytes_of(text).subspan(sent[i])).value_or(0);
    }
  };
  client.at_writable = send_rest;
  for (const Connection connection : client.connections) send_rest(connection);
  EXPECT_TRUE(world.run_until([&] { return server.received == 4 * kEach; }, 60s));
}

TEST_F(RegressionTest, ResumeReceiveInsideOnDataOffersTheRest) {
  open(1);
  server.at_data = [](Connection connection, Bytes) -> std::size_t {
    EXPECT_TRUE(connection.resume_receive().has_value());
    return 1;
  };
  ASSERT_TRUE(client.connections[0].send(bytes_of("abcd")).has_value());
  EXPECT_TRUE(world.run_until([&] { return server.received == 4; }, 1s));
}

}  // namespace
}  // namespace handfast::sim
