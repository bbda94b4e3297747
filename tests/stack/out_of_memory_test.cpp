// Memory that is refused while a stack starts: an error that says so, nothing left behind, and the
// next start works. Each request is refused in turn until none is.

#include <gtest/gtest.h>

#include "drivers/link/sim_pool.hpp"
#include "stack/stack.hpp"
#include "tests/stack/failing_memory.hpp"

namespace handfast::stack {
namespace {

using test::FailingMemory;
using Created = std::expected<std::unique_ptr<Stack>, std::string>;

std::string name_of_then(const testing::TestParamInfo<FailingMemory::Then>& info) {
  return info.param == FailingMemory::Then::fails ? "FromThenOn" : "Once";
}

class OutOfMemoryTest : public testing::TestWithParam<FailingMemory::Then> {
 protected:
  OutOfMemoryTest() {
    InterfaceConfig& interface = config_.interface;
    interface.addresses = {Prefix::parse("198.18.0.1/15").value(),
                           Prefix::parse("2001:db8::1/64").value()};
    interface.owned_ranges = {Prefix::parse("198.19.0.0/24").value()};
    interface.routes = {{Prefix::parse("10.0.0.0/8").value(), Address::v4(0xc6120002)}};
    interface.gateway = Address::v4(0xc6120003);
    config_.max_connections = 64;
    config_.max_half_open = 64;
    config_.max_time_wait = 64;
    config_.seed = 1;
  }

  Created create() {
    const base::DeviceInfo device{.mac = {2, 0, 0, 0, 0, 1}};
    return Stack::create(config_, {}, device, pool_, nullptr);
  }

  StackConfig config_;
  drivers::SimPool pool_{64};
};

TEST_P(OutOfMemoryTest, EveryRequestOfAStartMayFail) {
  std::size_t failed = 0;
  for (std::size_t first = 0;; ++first) {
    ASSERT_LT(first, 1000U) << "no start succeeds";
    Created created = std::unexpected("not tried");
    bool was_refused = false;
    {
      const FailingMemory memory(first, GetParam());
      created = create();
      was_refused = memory.has_failed();
    }
    if (created) {
      EXPECT_FALSE(was_refused) << "request " << first << " was refused and nobody minded";
      break;
    }
    ++failed;
    EXPECT_TRUE(was_refused);
    EXPECT_NE(created.error().find("memory"), std::string::npos) << created.error();
    EXPECT_EQ(pool_.outstanding(), 0U) << "after request " << first;
  }
  // Tables, neighbours and addresses are more than a few.
  EXPECT_GT(failed, 15U);
  EXPECT_EQ(pool_.outstanding(), 0U);
  EXPECT_TRUE(create().has_value());
}

INSTANTIATE_TEST_SUITE_P(Memory, OutOfMemoryTest,
                         testing::Values(FailingMemory::Then::succeeds, FailingMemory::Then::fails),
                         name_of_then);

}  // namespace
}  // namespace handfast::stack
