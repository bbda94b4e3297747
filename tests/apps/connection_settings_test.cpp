// The options of connections that handfast-load and handfast-serve share.

#include "apps/options/connection_settings.hpp"

#include <gtest/gtest.h>

#include "apps/load/options.hpp"
#include "apps/load/plan.hpp"
#include "apps/serve/options.hpp"

namespace handfast::apps {
namespace {

using namespace std::chrono_literals;

// What the words make of a configuration, or the refusal.
std::expected<StackConfig, std::string> parse(const std::vector<std::string>& words) {
  CLI::App app;
  StackConfig config;
  add_connection_settings(app, config);
  if (auto parsed = parse_command_line(app, words); !parsed) {
    return std::unexpected(parsed.error().text);
  }
  return config;
}

TEST(ConnectionSettings, AreTheStacksOwnWhenNothingIsSaid) {
  const auto config = parse({});
  ASSERT_TRUE(config);
  EXPECT_EQ(config->ecn, StackConfig{}.ecn);
  EXPECT_TRUE(config->nagle);
  EXPECT_TRUE(config->sack);
  EXPECT_EQ(config->keep_alive, Duration(0));
  EXPECT_EQ(config->delayed_ack, StackConfig{}.delayed_ack);
}

TEST(ConnectionSettings, EachIsRead) {
  const auto config = parse({"--ecn", "offer", "--no-nagle", "--no-sack", "--keep-alive", "2h",
                             "--delayed-ack", "10ms", "--rto-min", "5ms", "--send-buffer-max",
                             "1MiB", "--receive-buffer-max", "64k"});
  ASSERT_TRUE(config) << config.error();
  EXPECT_EQ(config->ecn, EcnMode::offer);
  EXPECT_FALSE(config->nagle);
  EXPECT_FALSE(config->sack);
  EXPECT_EQ(config->keep_alive, 2h);
  EXPECT_EQ(config->delayed_ack, 10ms);
  EXPECT_EQ(config->rto_min, 5ms);
  EXPECT_EQ(config->send_buffer_max, 1U << 20);
  EXPECT_EQ(config->send_buffer, StackConfig{}.send_buffer);
  // A limit below what a connection begins with.
  EXPECT_EQ(config->receive_buffer, config->receive_buffer_max);
  EXPECT_EQ(parse({"--no-delayed-ack"})->delayed_ack, Duration(0));
}

TEST(ConnectionSettings, HeadersAreTheInterfaces) {
  EXPECT_FALSE(parse({})->interface.vlan);
  const auto config = parse({"--vlan", "7", "--dscp", "46", "--hop-limit", "3"});
  ASSERT_TRUE(config) << config.error();
  EXPECT_EQ(config->interface.vlan, 7);
  EXPECT_EQ(config->interface.dscp, 46);
  EXPECT_EQ(config->interface.hop_limit, 3);
  EXPECT_EQ(parse({"--vlan", "4095"}).error(), "--vlan: '4095' is not from 1 to 4094");
  for (const auto& [option, wrong] : {std::pair{"--vlan", "0"}, std::pair{"--dscp", "64"},
                                      std::pair{"--hop-limit", "0"}, std::pair{"--dscp", "x"}}) {
    EXPECT_FALSE(parse({option, wrong})) << option << " " << wrong;
  }
}

TEST(ConnectionSettings, WrongWordsAreRefused) {
  EXPECT_NE(parse({"--ecn", "on"}).error().find("none of off, accept, offer"), std::string::npos);
  EXPECT_FALSE(parse({"--keep-alive", "soon"}));
}

TEST(ConnectionSettings, ReachTheStackOfTheServer) {
  const auto options = serve::parse_options(
      std::vector<const char*>{"--listen", "echo:7", "--port", "net_tap0", "--address",
                               "198.18.0.1/24", "--ecn", "off", "--fast-open", "--no-nagle"});
  ASSERT_TRUE(options) << options.error().text;
  const StackConfig stack = serve::runtime_config(*options).ports.front().stack;
  EXPECT_EQ(stack.ecn, EcnMode::off);
  EXPECT_EQ(stack.fast_open, FastOpen::server);
  EXPECT_FALSE(stack.nagle);
  const auto out_of_range = serve::parse_options(
      std::vector<const char*>{"--listen", "echo:7", "--port", "net_tap0", "--address",
                               "198.18.0.1/24", "--delayed-ack", "1s"});
  ASSERT_FALSE(out_of_range);
  EXPECT_NE(out_of_range.error().text.find("delayed_ack"), std::string::npos);
}

TEST(ConnectionSettings, ReachTheStacksOfTheLoad) {
  const auto options = load::parse_options(std::vector<const char*>{"--no-sack", "--ecn", "offer"});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_FALSE(options->connection_settings.sack);
  EXPECT_EQ(options->connection_settings.ecn, EcnMode::offer);
}

// Both ends of the embedded pair.
TEST(ConnectionSettings, TheVlanIsThatOfBothEnds) {
  const auto options = load::parse_options(std::vector<const char*>{"--vlan", "7"});
  ASSERT_TRUE(options) << options.error().text;
  const auto plan = load::make_plan(*options, 1 << 30);
  ASSERT_EQ(plan.runtime.ports.size(), 2U);
  for (const PortConfig& port : plan.runtime.ports) EXPECT_EQ(port.stack.interface.vlan, 7);
}

}  // namespace
}  // namespace handfast::apps
