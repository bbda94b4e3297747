#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

#include "apps/serve/options.hpp"
#include "apps/serve/services.hpp"
#include "tests/apps/refusal.hpp"

namespace handfast::serve {
namespace {

std::expected<Options, apps::Ending> parse(std::initializer_list<const char*> arguments) {
  const std::vector<const char*> list(arguments);
  return parse_options(list);
}

TEST(ServeOptions, ReadsThemAll) {
  const auto options = parse({"--listen",   "echo:7",       "--listen",  "http:80",
                              "--port",     "net_tap0",     "--address", "198.18.0.1/24",
                              "--route",    "10.0.0.0/8",   "via",       "198.18.0.9",
                              "--route",    "10.1.0.0/16",  "via",       "198.18.0.8",
                              "--dial",     "198.18.0.2:9", "--workers", "2",
                              "--duration", "5s",           "--",        "--vdev=net_tap0"});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->listen, (std::vector<Listen>{{Service::echo, 7}, {Service::http, 80}}));
  ASSERT_EQ(options->routes.size(), 2U);
  EXPECT_EQ(options->routes[1].gateway.to_string(), "198.18.0.8");
  EXPECT_EQ(options->dial->to_string(), "198.18.0.2:9");
  EXPECT_TRUE(options->has(Service::http));
  EXPECT_FALSE(options->has(Service::chargen));
  const RuntimeConfig config = runtime_config(*options);
  EXPECT_EQ(config.ports.front().device, "net_tap0");
  EXPECT_EQ(config.ports.front().workers, 2U);
  EXPECT_EQ(config.eal, std::vector<std::string>{"--vdev=net_tap0"});
}

TEST(ServeOptions, HttpHasPatience) {
  const auto options = parse({"--listen", "http:80", "--port", "p", "--address", "198.18.0.1/24",
                              "--http-head-timeout", "5s", "--http-idle-timeout", "2m"});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->http_patience.head, std::chrono::seconds(5));
  EXPECT_EQ(options->http_patience.idle, std::chrono::minutes(2));
}

TEST(ServeOptions, StreamsHaveALengthAndACongestionControl) {
  const auto options = parse({"--listen", "source:9", "--port", "p", "--address", "198.18.0.1/24",
                              "--bytes", "5M", "--congestion", "new_reno"});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->bytes, 5'000'000U);
  EXPECT_EQ(runtime_config(*options).ports.front().stack.congestion_control,
            CongestionControl::new_reno);
  EXPECT_REFUSED("'reno' is none of new_reno, cubic", "--congestion", "reno");
}

TEST(ServeOptions, MemoryIsTakenAtStartUnlessAskedNotTo) {
  const auto usual = parse({"--listen", "echo:7", "--port", "p", "--address", "198.18.0.1/24"});
  EXPECT_TRUE(runtime_config(*usual).ports.front().stack.prefault);
  const auto lazy =
      parse({"--listen", "echo:7", "--port", "p", "--address", "198.18.0.1/24", "--no-prefault"});
  ASSERT_TRUE(lazy) << lazy.error().text;
  EXPECT_FALSE(runtime_config(*lazy).ports.front().stack.prefault);
}

TEST(ServeOptions, TsoIsThePortsAffair) {
  const auto plain = parse({"--listen", "echo:7", "--port", "p", "--address", "198.18.0.1/24"});
  EXPECT_EQ(runtime_config(*plain).ports.front().tso, Offload::automatic);
  const auto options =
      parse({"--listen", "echo:7", "--port", "p", "--address", "198.18.0.1/24", "--tso", "on"});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(runtime_config(*options).ports.front().tso, Offload::on);
}

TEST(ServeOptions, WorkersPollUnlessTheyAreToSleep) {
  const auto plain = parse({"--listen", "echo:7", "--port", "p", "--address", "198.18.0.1/24"});
  EXPECT_EQ(runtime_config(*plain).idle, IdleMode::poll);
  const auto options =
      parse({"--listen", "echo:7", "--port", "p", "--address", "198.18.0.1/24", "--idle", "sleep"});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(runtime_config(*options).idle, IdleMode::sleep);
  EXPECT_REFUSED("'doze' is none of poll, sleep", "--idle", "doze");
}

TEST(ServeOptions, AnEchoOwesAtMostASendBuffer) {
  const auto echo = parse({"--listen", "echo:7", "--port", "p", "--address", "198.18.0.1/24"});
  EXPECT_EQ(runtime_config(*echo).ports.front().stack.send_buffer, 64U * 1024);
  const auto http = parse({"--listen", "http:80", "--port", "p", "--address", "198.18.0.1/24"});
  EXPECT_EQ(runtime_config(*http).ports.front().stack.send_buffer, StackConfig{}.send_buffer);
}

TEST(ServeOptions, TextbookReachesTheStack) {
  const auto plain = parse({"--listen", "echo:7", "--port", "p", "--address", "198.18.0.1/24"});
  ASSERT_TRUE(plain);
  EXPECT_FALSE(runtime_config(*plain).ports.front().stack.textbook);
  const auto textbook =
      parse({"--listen", "echo:7", "--port", "p", "--address", "198.18.0.1/24", "--textbook"});
  ASSERT_TRUE(textbook);
  EXPECT_TRUE(runtime_config(*textbook).ports.front().stack.textbook);
}

TEST(ServeOptions, TheInterfaceHasTheMtu) {
  const auto options = parse(
      {"--listen", "discard:9", "--port", "p", "--address", "198.18.0.1/24", "--mtu", "9000"});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(runtime_config(*options).ports.front().stack.interface.mtu, 9000);
}

TEST(ServeOptions, EveryServiceHasAName) {
  for (const char* const name : {"echo", "discard", "chargen", "http", "sink", "source",
                                 "close-first", "shut-first", "abort-first"}) {
    const auto listen = parse_listen(std::string(name) + ":9");
    ASSERT_TRUE(listen) << name;
    EXPECT_EQ(to_string(listen->service), name);
  }
}

TEST(ServeOptions, WhatIsMissingIsNamed) {
  EXPECT_REFUSED("give --listen SERVICE:PORT", "--port", "p");
  EXPECT_REFUSED("give --port NAME", "--listen", "echo:7", "--address", "198.18.0.1/24");
  EXPECT_REFUSED("give --address", "--listen", "echo:7", "--port", "p");
}

TEST(ServeOptions, BadValuesAreNamed) {
  EXPECT_REFUSED("'daytime:13' is not SERVICE:PORT", "--listen", "daytime:13");
  EXPECT_REFUSED("'echo' is not SERVICE:PORT", "--listen", "echo");
  EXPECT_REFUSED("'0' is not a TCP port", "--listen", "echo:0");
  EXPECT_REFUSED("port 7 has a service already", "--listen", "echo:7", "--listen", "http:7");
  EXPECT_REFUSED("'by' is not 'via'", "--listen", "echo:7", "--route", "10.0.0.0/8", "by",
                 "198.18.0.9");
  EXPECT_REFUSED("unknown option '--lisen'", "--lisen", "echo:7");
  EXPECT_REFUSED("--dial: ", "--dial", "nowhere");
  EXPECT_REFUSED("--accept-ra is for IPv6", "--listen", "echo:7", "--port", "p", "--address",
                 "198.18.0.1/24", "--accept-ra");
  EXPECT_REFUSED("router_advertisements", "--listen", "echo:7", "--port", "p", "--address",
                 "2001:db8::1/64", "--accept-ra", "--gateway", "2001:db8::2");
  EXPECT_REFUSED("gateway", "--listen", "echo:7", "--port", "p", "--address", "198.18.0.1/24",
                 "--gateway", "10.0.0.1");
}

TEST(Chargen, PatternIsThatOfRfc864) {
  const Chargen chargen;
  const Bytes pattern = chargen.pattern();
  const auto at = [&](std::size_t line, std::size_t column) {
    return static_cast<char>(pattern[line * Chargen::kLineBytes + column]);
  };
  EXPECT_EQ(at(0, 0), ' ');
  EXPECT_EQ(at(0, 71), 'g');
  EXPECT_EQ(at(0, 72), '\r');
  EXPECT_EQ(at(0, 73), '\n');
  EXPECT_EQ(at(1, 0), '!');
  EXPECT_EQ(at(94, 0), '~');
  EXPECT_EQ(at(94, 1), ' ');
}

}  // namespace
}  // namespace handfast::serve
