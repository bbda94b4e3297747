#include "stack/event_tables.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace handfast::stack {
namespace {

TEST(EventTables, GivesEachTableItsNumberForGood) {
  std::array<HandlerTable, 3> tables{};
  EventTables events;
  const auto first = events.number_of(tables[0]);
  const auto second = events.number_of(tables[1]);
  ASSERT_TRUE(first && second);
  EXPECT_NE(*first, *second);
  EXPECT_EQ(events.number_of(tables[0]), first);
  EXPECT_EQ(events.number_of(tables[0]), first);
  EXPECT_EQ(events.number_of(tables[1]), second);
  EXPECT_EQ(&events[*first], &tables[0]);
  EXPECT_EQ(&events[*second], &tables[1]);
}

TEST(EventTables, HoldsAsManyAsAByteCounts) {
  std::array<HandlerTable, 257> tables{};
  EventTables events;
  std::set<std::uint8_t> numbers;
  for (std::size_t i = 0; i < 256; ++i) {
    const auto number = events.number_of(tables[i]);
    ASSERT_TRUE(number) << i;
    numbers.insert(*number);
  }
  EXPECT_EQ(numbers.size(), 256U);
  EXPECT_FALSE(events.number_of(tables[256]));
  EXPECT_EQ(&events[*events.number_of(tables[7])], &tables[7]);
}

}  // namespace
}  // namespace handfast::stack
