// Memory that is refused while a runtime starts, from the first request to the last, on every
// thread: an error that says so, nothing left behind, and the next start works.

#include "embedded_pair.hpp"
#include "tests/stack/failing_memory.hpp"

// DPDK's memory is its own: what ports and pools are made of is refused where it is asked for.
struct rte_mempool;
struct rte_ring;

extern "C" {
rte_mempool* __real_rte_pktmbuf_pool_create_by_ops(const char*, unsigned, unsigned, std::uint16_t,
                                                   std::uint16_t, int, const char*);
rte_mempool* __wrap_rte_pktmbuf_pool_create_by_ops(const char*, unsigned, unsigned, std::uint16_t,
                                                   std::uint16_t, int, const char*);
rte_ring* __real_rte_ring_create(const char*, unsigned, int, unsigned);
rte_ring* __wrap_rte_ring_create(const char*, unsigned, int, unsigned);

rte_mempool* __wrap_rte_pktmbuf_pool_create_by_ops(const char* name, unsigned packets,
                                                   unsigned cache, std::uint16_t private_size,
                                                   std::uint16_t room, int socket,
                                                   const char* ops) {
  if (handfast::test::FailingMemory::refuses()) return nullptr;
  return __real_rte_pktmbuf_pool_create_by_ops(name, packets, cache, private_size, room, socket,
                                               ops);
}
rte_ring* __wrap_rte_ring_create(const char* name, unsigned count, int socket, unsigned flags) {
  if (handfast::test::FailingMemory::refuses()) return nullptr;
  return __real_rte_ring_create(name, count, socket, flags);
}
}

namespace handfast {
namespace {

using test::FailingMemory;

using Started = std::expected<std::unique_ptr<Runtime>, std::string>;

RuntimeConfig small_config() {
  RuntimeConfig config = test::embedded_config(1);
  config.packets_per_worker = 256;
  return config;
}

TEST(RuntimeOutOfMemory, EveryRequestOfAStartMayFail) {
  const RuntimeConfig config = small_config();
  std::size_t failed = 0;
  for (std::size_t first = 0;; ++first) {
    ASSERT_LT(first, 5000U) << "no start succeeds";
    test::Tally tally;
    auto applications = test::echo_applications(tally, 1, {.connections = 10});
    Started started = std::unexpected("not tried");
    bool was_refused = false;
    {
      const FailingMemory memory(first, FailingMemory::Then::succeeds);
      started = Runtime::start(config, std::move(applications));
      was_refused = memory.has_failed();
    }
    if (!was_refused) {
      EXPECT_TRUE(started.has_value()) << started.error();
      break;
    }
    if (started) continue;  // what was refused is done without, a file's buffer for example
    ++failed;
    EXPECT_FALSE(started.error().empty());
  }
  EXPECT_GT(failed, 50U);
  // And nothing is missing now.
  test::Tally tally;
  const auto started =
      Runtime::start(config, test::echo_applications(tally, 1, {.connections = 10}));
  ASSERT_TRUE(started.has_value()) << started.error();
  EXPECT_TRUE(test::wait_for(**started, [&] { return tally.finished == 10; }));
}

}  // namespace
}  // namespace handfast
