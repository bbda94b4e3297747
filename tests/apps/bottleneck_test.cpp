#include "apps/load/bottleneck.hpp"

#include <gtest/gtest.h>

namespace handfast::load {
namespace {

Counters busy(std::uint64_t percent) {
  Counters counters;
  counters.busy_ns = percent * 1000;
  counters.idle_ns = (100 - percent) * 1000;
  counters.bursts_sent = 100;
  return counters;
}

Counters busy_and_full(std::uint64_t percent, std::uint64_t full) {
  Counters counters = busy(percent);
  counters.device_full = full;
  return counters;
}

TEST(Bottleneck, SharesOfNothingAreZero) {
  EXPECT_EQ(busy_share({}), 0);
  EXPECT_EQ(full_share({}), 0);
  EXPECT_DOUBLE_EQ(busy_share(busy(30)), 0.3);
  EXPECT_DOUBLE_EQ(full_share(busy_and_full(30, 7)), 0.07);
}

TEST(Bottleneck, IsTheWorkerWithoutTimeLeft) {
  EXPECT_EQ(find_bottleneck({busy(95), busy(94)}), Bottleneck::client);
  EXPECT_EQ(find_bottleneck({busy(94), busy(95)}), Bottleneck::server);
  EXPECT_EQ(find_bottleneck({busy(96), busy(99)}), Bottleneck::server);
  EXPECT_EQ(find_bottleneck({busy(99), busy(96)}), Bottleneck::client);
  EXPECT_EQ(find_bottleneck({busy(95), std::nullopt}), Bottleneck::client);
}

TEST(Bottleneck, AFullLinkIsOneOnlyBetweenWorkersWithTimeLeft) {
  EXPECT_EQ(find_bottleneck({busy_and_full(60, 6), busy(60)}), Bottleneck::link);
  EXPECT_EQ(find_bottleneck({busy(60), busy_and_full(60, 6)}), Bottleneck::link);
  EXPECT_EQ(find_bottleneck({busy_and_full(60, 5), busy(60)}), Bottleneck::peer_or_path);
  EXPECT_EQ(find_bottleneck({busy_and_full(60, 50), busy(99)}), Bottleneck::server);
}

TEST(Bottleneck, OtherwiseSomebodyElseUnlessThePaceWasKept) {
  EXPECT_EQ(find_bottleneck({busy(60), busy(60)}), Bottleneck::peer_or_path);
  EXPECT_EQ(find_bottleneck({busy(60), std::nullopt}), Bottleneck::peer_or_path);
  EXPECT_EQ(find_bottleneck({busy(60), busy(60), true}), Bottleneck::rate);
  EXPECT_EQ(find_bottleneck({busy(99), busy(60), true}), Bottleneck::client);
}

TEST(Bottleneck, IsToldWithTheNumbers) {
  EXPECT_EQ(describe_bottleneck({busy(99), busy(83)}),
            "the client's worker (busy 99 %; server's 83 %; link full 0 times)");
  EXPECT_EQ(describe_bottleneck({busy(83), busy_and_full(99, 2)}),
            "the server's worker (busy 99 %; client's 83 %; link full 2 times)");
  EXPECT_EQ(describe_bottleneck({busy_and_full(50, 20), std::nullopt}),
            "the link (client's worker busy 50 %; link full 20 times)");
}

TEST(Bottleneck, LeavesOutWhatCameBeforeTheWork) {
  Work work;
  work.client.busy_ns = 1000;
  work.client.idle_ns = 990;
  work.client.bursts_sent = 10;
  work.client.device_full = 9;
  Work before;
  before.client.busy_ns = 10;
  before.client.idle_ns = 980;
  before.client.bursts_sent = 9;
  before.client.device_full = 9;
  EXPECT_EQ(find_bottleneck(work), Bottleneck::link);
  work.leave_out(before);
  EXPECT_EQ(find_bottleneck(work), Bottleneck::client);
  EXPECT_EQ(work.client.device_full, 0U);
}

}  // namespace
}  // namespace handfast::load
