// What the workers of a port pass to each other: frames of another's flow, and link addresses.
#include "runtime/port_exchange.hpp"

#include <gtest/gtest.h>

#include "drivers/link/sim_pool.hpp"

namespace handfast::runtime {
namespace {

struct Nobody {
  void on_open(Connection) {}
  std::size_t on_data(Connection, Bytes data) { return data.size(); }
  void on_closed(Connection, CloseReason) {}
};

TEST(PortExchangeTest, WhatNobodyTookIsGivenBack) {
  drivers::SimPool pool(8);
  PortExchange exchange(3);
  for (unsigned to = 1; to < 3; ++to) {
    base::Packet packet;
    ASSERT_EQ(pool.allocate({&packet, 1}), 1U);
    EXPECT_TRUE(exchange.place(0).hand_over(to, packet));
  }
  EXPECT_EQ(pool.outstanding(), 2U);
  exchange.discard(pool);
  EXPECT_EQ(pool.outstanding(), 0U);
}

// The answer to a worker's ARP request may arrive at another.
TEST(PortExchangeTest, WhatOneWorkerLearnsReleasesAnothersFrames) {
  constexpr base::MacAddress kTheirMac{2, 0, 0, 0, 0, 9};
  const Endpoint remote{Address::v4(0xc6120002), 80};
  drivers::SimPool pool(64);
  PortExchange exchange(2);
  StackConfig config;
  config.interface.addresses = {Prefix::parse("198.18.0.1/15").value()};
  config.max_connections = config.max_half_open = config.max_time_wait = 16;
  Nobody handler;
  const auto stack = stack::Stack::create(config, {.worker = 1, .queue = 1, .queues = 2},
                                          {.mac = {2, 0, 0, 0, 0, 1}}, pool, &exchange.place(1))
                         .value();
  ASSERT_TRUE(stack->worker().connect(remote, handler));
  stack->output({});
  pool.free(stack->frames());
  stack->sent(stack->frames().size());
  EXPECT_EQ(exchange.place(1).deliver({}, *stack), 0U);
  EXPECT_TRUE(stack->frames().empty());
  exchange.place(0).share_neighbour(remote.address, kTheirMac);
  EXPECT_EQ(exchange.place(1).deliver({}, *stack), 0U) << "no frame came";
  EXPECT_EQ(stack->frames().size(), 1U) << "the SYN";
}

}  // namespace
}  // namespace handfast::runtime
