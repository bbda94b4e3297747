// The explorer's shorter bounds, and the explorer itself: that what makes two states one loses
// nothing, and that it finds what must be there when something is taken away.
#include <gtest/gtest.h>

#include "base/random.hpp"
#include "tests/explore/ladder.hpp"
#include "tests/explore/report.hpp"
#include "tests/explore/search.hpp"

namespace handfast::explore {

// GoogleTest prints a parameter that fails.
void PrintTo(const Setting& setting, std::ostream* out) {
  *out << title_of(setting);
}

namespace {

Outcome run(const Setting& setting, unsigned threads = 1) {
  const auto outcome = search(setting, {.threads = threads}, wanted_faults(setting));
  EXPECT_TRUE(outcome.has_value());
  return outcome.value_or(Outcome{.setting = setting});
}

Setting setting_of(std::string_view scenario, Budget budget, Without without = Without::nothing) {
  return {.scenario = find_scenario(scenario), .budget = budget, .without = without};
}

std::string name_of(const ::testing::TestParamInfo<Setting>& info) {
  std::string name = title_of(info.param);
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

// --- the bounds

std::vector<Setting> small_settings() {
  std::vector<Setting> all;
  for (const Scenario& scenario : scenarios()) {
    all.push_back({.scenario = &scenario, .budget = {.losses = 1}});
    // What a stranger sends comes late anyway, and in every order.
    if (scenario.forged.empty()) {
      all.push_back({.scenario = &scenario, .budget = {.duplicates = 1}});
      all.push_back({.scenario = &scenario, .budget = {.reorderings = 1}});
    }
    all.push_back({.scenario = &scenario, .budget = {.bursts = 1}});
    all.push_back({.scenario = &scenario, .budget = {.losses = 1}, .timestamps = true});
  }
  constexpr Budget kEach{.losses = 1, .duplicates = 1, .reorderings = 1};
  for (const auto name : {"open", "simultaneous-open", "old-syn-alone", "close"}) {
    all.push_back(setting_of(name, kEach));
  }
  all.push_back(setting_of("half-close", {.losses = 1, .reorderings = 1}));
  all.push_back(setting_of("close-with-text", {.losses = 1, .reorderings = 1}));
  all.push_back(setting_of("close-with-text", {.losses = 1, .bursts = 1}));
  all.push_back(setting_of("again", {.losses = 1, .duplicates = 1}));
  all.push_back(setting_of("old-syn", {.losses = 1, .duplicates = 1}));
  all.push_back(setting_of("same-numbers", {.duplicates = 1, .reorderings = 1}));
  return all;
}

class Bound : public ::testing::TestWithParam<Setting> {};

TEST_P(Bound, HoldsWhatItShould) {
  const Outcome outcome = run(GetParam());
  EXPECT_TRUE(is_as_expected(outcome)) << to_text(outcome);
  EXPECT_GT(outcome.ends, 0U);
}

INSTANTIATE_TEST_SUITE_P(Small, Bound, ::testing::ValuesIn(small_settings()), name_of);

// --- what is taken away is missed

TEST(Without, TheThirdSegmentAServerIsLeftHalfOpen) {
  const Outcome outcome = run(setting_of("old-syn-alone", {.losses = 1}, Without::third_segment));
  const Found* const found = outcome.find(Fault::half_open_stays);
  ASSERT_NE(found, nullptr) << to_text(outcome);
  EXPECT_EQ(found->way.size(), 2U);  // the old SYN arrives, and its answer is lost
  EXPECT_NE(ladder(outcome.setting, found->way).find("ESTABLISHED"), std::string::npos);
}

TEST(Without, TheThirdSegmentOneLostAnswerIsEnough) {
  const Outcome outcome = run(setting_of("open", {.losses = 1}, Without::third_segment));
  EXPECT_NE(outcome.find(Fault::half_open_stays), nullptr) << to_text(outcome);
}

TEST(Without, TimeWaitAnOldByteIsDelivered) {
  const Outcome outcome = run(setting_of("again", {.duplicates = 1}, Without::time_wait));
  const Found* const found = outcome.find(Fault::old_byte);
  ASSERT_NE(found, nullptr) << to_text(outcome);
  EXPECT_NE(ladder(outcome.setting, found->way).find("late"), std::string::npos);
}

TEST(Without, TimeWaitThePeerIsLeftInLastAck) {
  const Outcome outcome = run(setting_of("close", {.losses = 1}, Without::time_wait));
  EXPECT_NE(outcome.find(Fault::left_in_last_ack), nullptr) << to_text(outcome);
}

TEST(Without, NothingLostNothingIsMissed) {
  for (const Expectation& e : expectations()) {
    if (e.without == Without::nothing) continue;
    const Outcome outcome = run(setting_of(e.scenario, {}, e.without));
    EXPECT_TRUE(outcome.found.empty()) << to_text(outcome);
  }
}

// --- the search

TEST(Search, CountsTheSameOnAnyNumberOfThreads) {
  const Setting setting = setting_of("old-syn", {.losses = 1, .reorderings = 1});
  const Outcome one = run(setting, 1);
  const Outcome three = run(setting, 3);
  EXPECT_EQ(one.states, three.states);
  EXPECT_EQ(one.transitions, three.transitions);
  EXPECT_EQ(one.ends, three.ends);
  EXPECT_EQ(one.depth, three.depth);
}

TEST(Search, SaysWhenItWasStopped) {
  const auto outcome = search(setting_of("whole", {.losses = 1}), {.max_states = 1000}, {});
  ASSERT_TRUE(outcome.has_value());
  EXPECT_TRUE(outcome->is_full);
  EXPECT_FALSE(is_as_expected(*outcome));
}

TEST(Search, MoreMayGoWrongMoreIsSeen) {
  std::uint64_t before = 0;
  for (std::uint8_t losses = 0; losses < 3; ++losses) {
    const Outcome outcome = run(setting_of("open", {.losses = losses}));
    EXPECT_GT(outcome.states, before);
    before = outcome.states;
  }
}

// --- images

// Each way is gone twice: by a world that is put away and taken out again before every step, and by
// one that never is. Were anything that matters left out of the image, they would part.
TEST(Images, LoseNothingOnRandomWays) {
  constexpr Budget kPlenty{.losses = 3, .duplicates = 3, .reorderings = 3, .bursts = 3};
  base::Random random(7);
  Image image;
  Image other;
  Actions actions;
  Actions again;
  for (const Scenario& scenario : scenarios()) {
    const Setting setting{.scenario = &scenario, .budget = kPlenty, .timestamps = true};
    World straight(setting);
    World stored(setting);
    for (int way = 0; way < 60; ++way) {
      straight.begin();
      stored.begin();
      for (int step = 0; step < 200; ++step) {
        straight.store(image);
        stored.store(other);
        ASSERT_TRUE(std::ranges::equal(image.words(), other.words()))
            << scenario.name << " way " << way << " step " << step;
        stored.load(other);
        straight.list_actions(actions);
        stored.list_actions(again);
        ASSERT_EQ(actions.size(), again.size());
        if (actions.is_empty()) break;
        const std::size_t chosen = random.below(actions.size());
        straight.act(actions[chosen]);
        stored.act(again[chosen]);
      }
    }
  }
}

TEST(Images, ComeBackFromTheirPackedForm) {
  base::Random random(3);
  std::vector<std::uint64_t> packed(kPackedMax);
  for (const std::size_t words : {0U, 1U, 63U, 64U, 65U, 200U, 1024U}) {
    Image image;
    for (std::size_t i = 0; i < words; ++i) image.put_word(random.chance(0.6) ? 0 : random.next());
    Image back;
    const std::size_t written = pack(image, packed.data());
    EXPECT_EQ(unpack(packed.data(), back), written);
    EXPECT_TRUE(std::ranges::equal(image.words(), back.words()));
    EXPECT_EQ(digest_of(image), digest_of(back));
  }
}

TEST(Images, DifferInTheirDigestsByAnyWord) {
  Image image;
  for (std::uint64_t i = 0; i < 40; ++i) image.put_word(i);
  const Digest digest = digest_of(image);
  for (std::size_t changed = 0; changed < 40; ++changed) {
    Image other;
    for (std::uint64_t i = 0; i < 40; ++i) other.put_word(i == changed ? i ^ 1 : i);
    EXPECT_NE(digest_of(other).high, digest.high);
    EXPECT_NE(digest_of(other).low, digest.low);
  }
}

}  // namespace
}  // namespace handfast::explore
