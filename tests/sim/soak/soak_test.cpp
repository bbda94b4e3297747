// CI's share of the soak: some hundreds of seeds, every one that ever failed, and the soak itself:
// equal seeds give equal runs, and what is planted is found. How many seeds: HANDFAST_SOAK_SEEDS,
// or a number that suits the build.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <vector>

#include "tests/sim/soak/journal.hpp"
#include "tests/sim/soak/soak_run.hpp"

namespace handfast::sim {
namespace {

constexpr std::uint64_t kParts = 4;

std::uint64_t seeds_per_part() {
  if (const char* const asked = std::getenv("HANDFAST_SOAK_SEEDS")) {
    return (std::strtoull(asked, nullptr, 10) + kParts - 1) / kParts;
  }
#ifdef NDEBUG
  return 1000;
#else
  return 25;
#endif
}

void expect_good(const SoakReport& report) {
  EXPECT_EQ(report.failure_count, 0U) << "again with: scripts/soak --replay " << report.seed;
  for (const std::string& failure : report.failures) ADD_FAILURE() << failure;
}

struct Soak : testing::TestWithParam<std::uint64_t> {};

TEST_P(Soak, Seeds) {
  const std::uint64_t count = seeds_per_part();
  for (std::uint64_t i = 0; i < count; ++i) {
    expect_good(run_soak(Plan::draw(1 + GetParam() * count + i)));
  }
}

INSTANTIATE_TEST_SUITE_P(Parts, Soak, testing::Range<std::uint64_t>(0, kParts));

TEST(SoakRegression, SeedsThatOnceFailed) {
  std::ifstream file(HANDFAST_SOAK_SEEDS_FILE);
  ASSERT_TRUE(file) << HANDFAST_SOAK_SEEDS_FILE;
  std::size_t count = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::uint64_t seed = 0;
    if (!(words >> seed)) continue;
    ++count;
    expect_good(run_soak(Plan::draw(seed)));
  }
  EXPECT_GT(count, 0U);
}

TEST(SoakRun, EqualSeedsGiveEqualRuns) {
  for (const std::uint64_t seed : {3U, 17U, 258U}) {
    std::vector<std::string> lines[2];
    std::uint64_t digests[2];
    for (int i = 0; i < 2; ++i) {
      SoakWatchers watchers;
      watchers.trace = [&](Instant, const std::string& line) { lines[i].push_back(line); };
      digests[i] = run_soak(Plan::draw(seed), watchers).digest;
    }
    EXPECT_EQ(digests[0], digests[1]);
    EXPECT_EQ(lines[0], lines[1]);
    EXPECT_GT(lines[0].size(), 10U);
    // Nor does looking on change anything.
    EXPECT_EQ(run_soak(Plan::draw(seed)).digest, digests[0]);
  }
}

TEST(SoakRun, OtherSeedsGiveOtherRuns) {
  EXPECT_NE(run_soak(Plan::draw(3)).digest, run_soak(Plan::draw(4)).digest);
  EXPECT_NE(Plan::draw(3).to_string(), Plan::draw(4).to_string());
}

// Between them the seeds of CI bring about every way in which a connection can end.
TEST(SoakRun, ConnectionsEndInEveryWay) {
  std::array<std::uint64_t, std::tuple_size_v<decltype(SoakReport::ends)>> ends{};
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const SoakReport report = run_soak(Plan::draw(seed));
    for (std::size_t i = 0; i < ends.size(); ++i) ends[i] += report.ends[i];
  }
  for (const CloseReason reason :
       {CloseReason::finished, CloseReason::reset, CloseReason::refused, CloseReason::timed_out,
        CloseReason::aborted, CloseReason::stopped}) {
    EXPECT_GT(ends[static_cast<std::size_t>(reason)], 0U) << to_string(reason);
  }
}

}  // namespace
}  // namespace handfast::sim
