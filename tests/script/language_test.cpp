// The language: what good lines mean, and that a bad one is told with its place, what is wrong with
// it and what would be right.
#include <gtest/gtest.h>

#include "tests/script/language/lexer.hpp"
#include "tests/script/language/parser.hpp"

namespace handfast::script {
namespace {

using namespace std::chrono_literals;

constexpr const char* kFile = HANDFAST_SCRIPTS "/open/written_here.seg";

std::vector<std::string> words_of(std::string_view line) {
  return split_words(line).value_or(std::vector<std::string>{"error"});
}

// The only action of a script of one line.
template <class T>
T parse_one(std::string_view line) {
  const auto script = parse_text(line, kFile);
  EXPECT_TRUE(script.has_value()) << script.error();
  return script ? std::get<T>(script->statements.front().action) : T{};
}

TEST(Lexer, SplitsAtBlanksAndAroundOptions) {
  EXPECT_EQ(
      words_of("inject S 0 <mss 1460,ws 7>  # why"),
      (std::vector<std::string>{"inject", "S", "0", "<", "mss", "1460", ",", "ws", "7", ">"}));
}

TEST(Lexer, KeepsQuotedTextAndComparisonsWhole) {
  EXPECT_EQ(words_of("linux skip \"a, b > c\""),
            (std::vector<std::string>{"linux", "skip", "a, b > c"}));
  EXPECT_EQ(words_of("win >=5 -> 3"), (std::vector<std::string>{"win", ">=5", "->", "3"}));
}

TEST(Lexer, ReadsTimesAndRanges) {
  EXPECT_EQ(parse_duration("20us"), Duration(20us));
  EXPECT_EQ(parse_duration("2min"), Duration(2min));
  EXPECT_FALSE(parse_duration("20").has_value());
  EXPECT_EQ(parse_within("30ms..2s")->high, Duration(2s));
  EXPECT_FALSE(parse_within("2s..30ms").has_value());
  EXPECT_TRUE(parse_range(">=5")->contains(5));
  EXPECT_FALSE(parse_range("<=5")->contains(6));
  EXPECT_FALSE(parse_range("3..5")->contains(2));
  EXPECT_TRUE(parse_range("*")->contains(-7));
}

TEST(Parser, ReadsAnInjectedSegment) {
  const auto spec =
      parse_one<Inject>("inject PA 11:111 ack 5 win 100 <nop, ts 7/echo-1> ce").segment;
  EXPECT_EQ(spec.flags, base::kPsh | base::kAck);
  EXPECT_EQ(spec.seq, 11);
  EXPECT_EQ(spec.length, 100U);
  EXPECT_EQ(spec.ack->low, 5);
  EXPECT_EQ(spec.window->low, 100);
  EXPECT_EQ(spec.ecn, base::Ecn::ce);
  ASSERT_EQ(spec.options.size(), 2U);
  EXPECT_TRUE(spec.options[1].is_echo);
  EXPECT_EQ(spec.options[1].echo.low, -1);
}

TEST(Parser, ReadsAnExpectedSegment) {
  const auto expect =
      parse_one<Expect>("expect A 1:* ack * win >=3 <no ts, sack 5:9 1:3> in 1ms..2ms");
  EXPECT_TRUE(expect.segment.is_any_length);
  EXPECT_TRUE(expect.segment.ack->contains(99));
  EXPECT_TRUE(expect.segment.options[0].is_absent);
  EXPECT_EQ(expect.segment.options[1].blocks, (std::vector<Blocks>{{5, 9}, {1, 3}}));
  EXPECT_EQ(expect.within.low, Duration(1ms));
}

TEST(Parser, ReadsCallsAndEvents) {
  EXPECT_EQ(parse_one<Call>("call send 10 -> wrong_state").error, Error::wrong_state);
  EXPECT_EQ(parse_one<Call>("call send 10 -> 7").taken, 7U);
  EXPECT_EQ(parse_one<Event>("event closed timed_out").reason, CloseReason::timed_out);
  EXPECT_EQ(parse_one<StateIs>("state SYN-RECEIVED").state, State::syn_received);
}

TEST(Parser, IncludesAPrelude) {
  const auto script = parse_text("include fin_wait_2\nwait 1ms", kFile);
  ASSERT_TRUE(script.has_value()) << script.error();
  EXPECT_GT(script->statements.size(), 8U);
  EXPECT_EQ(script->statements.back().line, 2);
}

struct BadScript {
  std::string_view text;
  std::string_view place;  // behind the file's name
  std::string_view told;
};

class Mistakes : public testing::TestWithParam<BadScript> {};

TEST_P(Mistakes, AreTold) {
  const auto script = parse_text(GetParam().text, kFile);
  ASSERT_FALSE(script.has_value());
  EXPECT_TRUE(script.error().starts_with(std::string(kFile) + std::string(GetParam().place)))
      << script.error();
  EXPECT_NE(script.error().find(GetParam().told), std::string::npos) << script.error();
}

INSTANTIATE_TEST_SUITE_P(
    Parser, Mistakes,
    testing::Values(
        BadScript{"", ":1:", "nothing happens"},
        BadScript{"\ninjekt S 0", ":2:", "'injekt' is not understood here: inject, expect"},
        BadScript{"inject X 0", ":1:", "'X' is not understood here: flags"},
        BadScript{"inject S", ":1:", "'' is no number"},
        BadScript{"inject A 1", ":1:", "write ack N"},
        BadScript{"inject S 0 ack 1", ":1:", "only a segment with A has ack"},
        BadScript{"inject S *", ":1:", "'*' is no number"},
        BadScript{"inject A 1 ack *", ":1:", "needs exact numbers"},
        BadScript{"inject PA 9:1 ack 1", ":1:", "write 1:101 for 100"},
        BadScript{"inject S 0 <mss>", ":1:", "'>' is neither a number nor a range"},
        BadScript{"inject S 0 <mss 5", ":1:", "',' or '>' behind an option"},
        BadScript{"inject S 0 <color 5>", ":1:", "an option: mss, ws"},
        BadScript{"inject S 0 <ts 5>", ":1:", "write TSval/TSecr as 100/0"},
        BadScript{"inject S 0 <sack 5>", ":1:", "write one as 101:201"},
        BadScript{"inject S 0 <raw 5>", ":1:", "write them as 01a0ff"},
        BadScript{"inject S 0 ip_options 01", ":1:", "whole words"},
        BadScript{"inject S 0 offset 16", ":1:", "'16' is out of range: 0 to 15"},
        BadScript{"inject icmp nothing about 1", ":1:", "one of net_unreachable"},
        BadScript{"expect S 0 <nop>", ":1:", "injected only"},
        BadScript{"expect S 0 from 198.18.0.1", ":1:", "'from' is not understood here: ack, win"},
        BadScript{"expect S 0 in 5ms", ":1:", "write one as 30ms..50ms"},
        BadScript{"expect none for long", ":1:", "'long' is no time: write one as"},
        BadScript{"wait 5", ":1:", "'5' is no time"},
        BadScript{"wait 5ms more", ":1:", "'more' is too much here"},
        BadScript{"call dance", ":1:", "a call: listen"},
        BadScript{"call send 1 -> nonsense", ":1:", "an error (stale_connection, wrong_state"},
        BadScript{"event party", ":1:", "an event: none, open"},
        BadScript{"event closed badly", ":1:", "a reason (finished, reset"},
        BadScript{"state OPEN", ":1:", "a state (CLOSED, LISTEN"},
        BadScript{"config colour 5\nwait 1ms", ":1:", "a setting of StackConfig"},
        BadScript{"config ecn yes\nwait 1ms", ":1:", "off, accept, offer expected"},
        BadScript{"config sack 1\nwait 1ms", ":1:", "neither on nor off"},
        BadScript{"config rto_min 0s\nwait 1ms", ":1:", "rto_min"},
        BadScript{"wait 1ms\nconfig sack off", ":2:", "before everything that happens"},
        BadScript{"config sack off\nfamily ipv6\nwait 1ms", ":2:", "family stands before"},
        BadScript{"family ipv5\nwait 1ms", ":1:", "ipv4 or ipv6 expected"},
        BadScript{"include nothing\nwait 1ms", ":1:", "cannot be read"},
        BadScript{"linux skip\nwait 1ms", ":1:", "says why"},
        BadScript{"linux: wait 1ms", ":1:", "needs an explanation"},
        BadScript{"linux differs \"so\"\nwait 1ms", ":1:", "no line is for one of them"},
        BadScript{"linux skip \"so\nwait 1ms", ":1:", "the quoted text has no end"}));

}  // namespace
}  // namespace handfast::script
