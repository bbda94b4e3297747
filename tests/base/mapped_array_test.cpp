#include "base/mapped_array.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace handfast::base {
namespace {

constexpr std::size_t kPage = 4096;

// Whether each page of `array` has memory.
std::vector<bool> resident(MappedArray<std::uint64_t>& array) {
  const std::size_t bytes = array.size() * sizeof(std::uint64_t);
  std::vector<unsigned char> pages(bytes / kPage);
  EXPECT_EQ(::mincore(array.data(), bytes, pages.data()), 0);
  std::vector<bool> answer;
  for (const unsigned char page : pages) answer.push_back((page & 1) != 0);
  return answer;
}

TEST(MappedArray, HasMemoryWhereItWasTouchedOrPopulated) {
  constexpr std::size_t kPages = 64;
  MappedArray<std::uint64_t> array;
  ASSERT_TRUE(array.reserve(kPages * kPage / sizeof(std::uint64_t)));
  EXPECT_EQ(std::ranges::count(resident(array), true), 0);

  ASSERT_TRUE(array.populate(16 * kPage / sizeof(std::uint64_t)));
  const auto pages = resident(array);
  for (std::size_t i = 0; i < kPages; ++i) EXPECT_EQ(pages[i], i < 16) << i;
  EXPECT_EQ(array[0], 0U);
}

TEST(MappedArray, NothingNeedsNoMemory) {
  MappedArray<std::uint64_t> array;
  ASSERT_TRUE(array.reserve(0));
  EXPECT_TRUE(array.populate(0));
}

// What the system cannot give is refused, and no process is ended for it later.
TEST(MappedArray, RefusesWhatDoesNotFit) {
  MappedArray<std::uint64_t> array;
  EXPECT_FALSE(array.reserve(std::size_t{1} << 58));
}

}  // namespace
}  // namespace handfast::base
