// Memory that a stack takes at its start, and not when it is touched: as the kernel counts it.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>

#include "drivers/link/sim_pool.hpp"
#include "stack/stack.hpp"

namespace handfast::stack {
namespace {

constexpr std::uint64_t kConnections = 65'536;
constexpr std::uint64_t kTimeWaits = 1'000'000;

std::uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t pages = 0;
  statm >> pages >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// What the start of a stack adds.
std::uint64_t taken_at_start(bool prefault, std::uint32_t time_waits) {
  StackConfig config;
  config.interface.addresses = {Prefix::parse("198.18.0.1/15").value()};
  config.max_connections = kConnections;
  config.max_time_wait = kTimeWaits;
  config.prefault = prefault;
  config.prefault_time_wait = time_waits;
  drivers::SimPool pool{64};
  const std::uint64_t before = resident_bytes();
  const auto stack =
      Stack::create(config, {}, base::DeviceInfo{.mac = {2, 0, 0, 0, 0, 1}}, pool, nullptr);
  EXPECT_TRUE(stack.has_value());
  return resident_bytes() - before;
}

TEST(Prefault, TakesTheTablesMemoryAtStartOnlyIfAsked) {
  constexpr std::uint64_t kTables = kConnections * sizeof(tcp::Tcb) + kTimeWaits * 6;
  EXPECT_LT(taken_at_start(false, 0), kTables / 4);
  EXPECT_GE(taken_at_start(true, 0), kTables);
}

TEST(Prefault, TakesThatOfAsManyTimeWaitsAsAsked) {
  constexpr std::uint64_t kRecords = kTimeWaits * sizeof(table::TimeWaitRecord);
  EXPECT_GE(taken_at_start(false, kTimeWaits), kRecords);
  EXPECT_LT(taken_at_start(false, kTimeWaits / 4), kRecords / 2);
}

}  // namespace
}  // namespace handfast::stack
