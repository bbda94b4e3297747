// The runner: that a stack which does otherwise than a script says is found out, and how it is
// told.
#include "tests/script/runner/player.hpp"

#include <gtest/gtest.h>

#include "tests/script/language/parser.hpp"
#include "tests/script/runner/batch.hpp"
#include "tests/script/runner/handfast_end.hpp"

namespace handfast::script {
namespace {

constexpr const char* kPlayedFile = HANDFAST_SCRIPTS "/open/written_here.seg";

std::string play(std::string_view text) {
  const auto script = parse_text(text, kPlayedFile);
  if (!script) return script.error();
  auto end = HandfastEnd::start(*script);
  if (!end) return end.error();
  const Trace no_trace;
  return Player(*script, **end, no_trace).play().value_or("as written");
}

struct Wrong {
  std::string_view text;
  std::string_view told;
};

class Differences : public testing::TestWithParam<Wrong> {};

TEST_P(Differences, AreFound) {
  const std::string told = play(GetParam().text);
  EXPECT_NE(told.find(GetParam().told), std::string::npos) << told;
}

INSTANTIATE_TEST_SUITE_P(
    Player, Differences,
    testing::Values(
        Wrong{"call listen\ninject S 0\nexpect S 0", "the flags differ; seen 0.000 ms later: SA 0"},
        Wrong{"call listen\ninject S 0\nexpect SA 1 ack 1", "the sequence number differs"},
        Wrong{"call listen\ninject S 0\nexpect SA 0 ack 2", "ack differs"},
        Wrong{"call listen\ninject S 0\nexpect SA 0 ack 1 win 5", "win differs"},
        Wrong{"call listen\ninject S 0\nexpect SA 0 ack 1 <mss 5>", "an option's value differs"},
        Wrong{"call listen\ninject S 0\nexpect SA 0 ack 1 <ts *>", "no timestamps"},
        Wrong{"call listen\ninject S 0\nexpect SA 0 ack 1 <ts */*>", "an option is missing"},
        Wrong{"call listen\ninject S 0\nexpect SA 0 ack 1 <no mss>", "that should not be"},
        Wrong{"call listen\ninject S 0\nexpect SA 0 ack 1 ect0", "the ECN codepoint differs"},
        Wrong{"call listen\ninject S 0\nexpect SA 0 ack 1 ttl 7", "ttl is 64"},
        Wrong{"call listen\ninject S 0\nexpect SA 0 ack 1 dscp 7", "dscp is 0"},
        Wrong{"call listen\ninject S 0\nexpect none for 1ms", "0.000 ms later: SA 0 ack 1"},
        Wrong{"call listen\nexpect SA 0 ack 1 in 0s..1s", "no segment within 1000 ms"},
        Wrong{"call connect\nexpect S 0\nexpect S 0 in 2s..3s", "it came too early"},
        Wrong{"call connect", "has not been expected: S 0 win"},
        Wrong{"call connect\nwait 1ms\nwait 2s", "has not been expected: S 0 win"},
        Wrong{"call listen\ncall listen", "it failed: address in use"},
        Wrong{"call listen -> address_in_use", "it succeeded"},
        Wrong{"include established\ncall send 10 -> 5", "10 bytes were taken"},
        Wrong{"include established\ncall send 10\nexpect A 1:9 ack 1", "the text's length differs"},
        Wrong{"include established\ninject PA 1:9 ack 1\nexpect A 1 ack 9\nevent data 9",
              "8 bytes were delivered"},
        Wrong{"include established\ninject PA 1:9 ack 1 text 3\nexpect A 1 ack 9\nevent data 8",
              "the byte with sequence number 1 is delivered wrong"},
        Wrong{"include established\nevent closed reset in 0s..1s", "nothing of the kind was told"},
        Wrong{"include established\ninject R 1\nevent none", "there was an event"},
        Wrong{"include established\ninject R 1\nevent closed finished",
              "for another reason: reset"},
        Wrong{"include established\nstate LISTEN", "it is ESTABLISHED"},
        Wrong{"state TIME-WAIT", "there is no connection"},
        Wrong{"counter syn_received 1", "it is 0"},
        Wrong{"counter nonsense 1", "there is no counter 'nonsense'"},
        Wrong{"include established\ninfo snd_mss 5", "it is 1460"},
        Wrong{"include established\ninfo nonsense 5", "there is no fact 'nonsense'"}));

TEST(Player, TellsFileAndLine) {
  EXPECT_TRUE(
      play("call listen\n\nexpect S 0").starts_with(std::string(kPlayedFile) + ":3: expect S 0"));
}

TEST(Batch, FindsScriptsButNoPreludes) {
  const auto files = find_scripts({HANDFAST_SCRIPTS});
  ASSERT_TRUE(files.has_value());
  EXPECT_GE(files->size(), 150U);
  for (const auto& file : *files) EXPECT_EQ(file.string().find("prelude"), std::string::npos);
}

TEST(Batch, RefusesAPlaceWithoutAny) {
  const auto files = find_scripts({"/nowhere"});
  ASSERT_FALSE(files.has_value());
  EXPECT_NE(files.error().find("'/nowhere'"), std::string::npos);
}

}  // namespace
}  // namespace handfast::script
