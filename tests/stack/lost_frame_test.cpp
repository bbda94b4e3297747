// Every frame of the handshake and of every way to close is lost in turn, and every pair of them:
// the connection still opens, carries its bytes, closes, and ends in CLOSED at both ends.

#include "two_hosts.hpp"

namespace handfast::stack {
namespace {

struct Scenario {
  const char* name;
  void (*script)(TwoHosts&);
};

void client_closes_first(TwoHosts& hosts) {
  hosts.client.at_open = [](Connection c) { (void)c.close(); };
}
void server_closes_first(TwoHosts& hosts) {
  hosts.server.at_open = [](Connection c) { (void)c.close(); };
}
// Each closes without waiting for the other: with the segments of the wire in between, both FINs
// are on their way at once.
void both_close_at_once(TwoHosts& hosts) {
  const auto close_later = [](Connection c) { (void)c.set_timer(20ms); };
  const auto close = [](Connection c) { (void)c.close(); };
  hosts.client.at_open = close_later;
  hosts.server.at_open = [](Connection c) { (void)c.set_timer(19ms); };
  hosts.client.at_timer = hosts.server.at_timer = close;
}
void client_half_closes(TwoHosts& hosts) {
  hosts.client.at_open = [](Connection c) {
    (void)c.send(bytes_of("last words"));
    (void)c.close();
  };
  hosts.server.at_peer_finished = [](Connection c) {
    (void)c.send(bytes_of("an answer after your FIN"));
    (void)c.set_timer(50ms);
  };
  hosts.server.at_timer = [](Connection c) { (void)c.close(); };
}
void server_half_closes(TwoHosts& hosts) {
  hosts.server.at_open = [](Connection c) { (void)c.close(); };
  hosts.client.at_peer_finished = [](Connection c) {
    (void)c.send(bytes_of("still talking"));
    (void)c.set_timer(50ms);
  };
  hosts.client.at_timer = [](Connection c) { (void)c.close(); };
}
void request_and_answer(TwoHosts& hosts) {
  hosts.client.at_open = [](Connection c) { (void)c.send(bytes_of("request")); };
  hosts.server.at_data = [](Connection c, Bytes data) {
    (void)c.send(bytes_of("response"));
    return data.size();
  };
  hosts.client.at_data = [](Connection c, Bytes data) {
    (void)c.close();
    return data.size();
  };
}

constexpr Scenario kScenarios[] = {
    {"client closes first", client_closes_first}, {"server closes first", server_closes_first},
    {"both close at once", both_close_at_once},   {"client half-closes", client_half_closes},
    {"server half-closes", server_half_closes},   {"request and answer", request_and_answer},
};

struct Result {
  std::size_t frames = 0;
  std::string client_received;
  std::string server_received;
};

struct Variant {
  bool textbook = false;
  Family family = Family::ipv4;
};

Result run(const Scenario& scenario, const Variant& variant,
           const std::vector<std::size_t>& to_drop) {
  TwoHosts hosts([&variant](StackConfig& config) { config.textbook = variant.textbook; },
                 variant.family);
  scenario.script(hosts);
  hosts.to_drop = to_drop;
  hosts.connect();
  EXPECT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(); }, 5min));
  EXPECT_EQ(hosts.client.opened, 1);
  EXPECT_EQ(hosts.server.opened, 1);
  EXPECT_EQ(hosts.client.closed, std::vector{CloseReason::finished});
  EXPECT_EQ(hosts.server.closed, std::vector{CloseReason::finished});
  EXPECT_EQ(hosts.client.peer_finished, 1);
  EXPECT_EQ(hosts.server.peer_finished, 1);
  const Result result{hosts.frames.size(), hosts.client.received, hosts.server.received};
  hosts.world.run_for(3min);  // past 2MSL, a restarted one too
  EXPECT_EQ(hosts.client_counters().time_wait_kept, hosts.client_counters().time_wait_entered);
  EXPECT_EQ(hosts.server_counters().time_wait_kept, hosts.server_counters().time_wait_entered);
  EXPECT_GE(hosts.client_counters().time_wait_entered + hosts.server_counters().time_wait_entered,
            1U);
  hosts.expect_nothing_left();
  return result;
}

class LostFrame : public ::testing::TestWithParam<Variant> {};

TEST_P(LostFrame, EachInTurn) {
  for (const Scenario& scenario : kScenarios) {
    const Result clean = run(scenario, GetParam(), {});
    for (std::size_t i = 0; i < clean.frames; ++i) {
      SCOPED_TRACE(std::string(scenario.name) + ", lost: " + std::to_string(i));
      const Result result = run(scenario, GetParam(), {i});
      EXPECT_EQ(result.client_received, clean.client_received);
      EXPECT_EQ(result.server_received, clean.server_received);
    }
  }
}

TEST_P(LostFrame, EachPair) {
  for (const Scenario& scenario : kScenarios) {
    const Result clean = run(scenario, GetParam(), {});
    for (std::size_t i = 0; i < clean.frames; ++i) {
      for (std::size_t j = i + 1; j < clean.frames + 2; ++j) {
        SCOPED_TRACE(std::string(scenario.name) + ", lost: " + std::to_string(i) + " and " +
                     std::to_string(j));
        const Result result = run(scenario, GetParam(), {i, j});
        EXPECT_EQ(result.client_received, clean.client_received);
        EXPECT_EQ(result.server_received, clean.server_received);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Stack, LostFrame,
                         ::testing::Values(Variant{false, Family::ipv4},
                                           Variant{true, Family::ipv4},
                                           Variant{false, Family::ipv6}),
                         [](const auto& of) {
                           const bool is_v6 = of.param.family == Family::ipv6;
                           return std::string(of.param.textbook ? "Textbook" : "Combined") +
                                  (is_v6 ? "OverIpv6" : "");
                         });

// RFC 9293 section 3.6: the segments of figure 12, each on its own, and those that join.
TEST(Frames, TextbookTakesSevenAndCombinedFive) {
  EXPECT_EQ(run(kScenarios[0], {.textbook = true}, {}).frames, 7U);
  EXPECT_EQ(run(kScenarios[0], {}, {}).frames, 5U);
}

// --- simultaneous open

// Both ends connect to each other's port at the same moment.
std::size_t open_at_once(const std::vector<std::size_t>& to_drop) {
  TwoHosts hosts;
  hosts.to_drop = to_drop;
  hosts.client.at_open = [](Connection c) { (void)c.send(bytes_of("from a")); };
  hosts.server.at_open = [](Connection c) { (void)c.send(bytes_of("from b")); };
  const auto close = [](Connection c, Bytes data) {
    (void)c.close();
    return data.size();
  };
  hosts.client.at_data = hosts.server.at_data = close;
  const Endpoint a{TwoHosts::kClient.address, 7001};
  const Endpoint b{TwoHosts::kServer.address, 7002};
  EXPECT_TRUE(hosts.client_worker().connect(b, hosts.client, {.source_port = a.port}));
  EXPECT_TRUE(hosts.server_worker().connect(a, hosts.server, {.source_port = b.port}));
  EXPECT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(); }, 5min));
  EXPECT_EQ(hosts.client.opened, 1);
  EXPECT_EQ(hosts.server.opened, 1);
  EXPECT_EQ(hosts.client.received, "from b");
  EXPECT_EQ(hosts.server.received, "from a");
  EXPECT_EQ(hosts.client.closed, std::vector{CloseReason::finished});
  EXPECT_EQ(hosts.server.closed, std::vector{CloseReason::finished});
  const std::size_t frames = hosts.frames.size();
  hosts.world.run_for(3min);
  hosts.expect_nothing_left();
  return frames;
}

TEST(SimultaneousOpen, MakesOneConnection) {
  EXPECT_GE(open_at_once({}), 6U);
}

TEST(SimultaneousOpen, SurvivesTheLossOfEachFrame) {
  const std::size_t clean = open_at_once({});
  for (std::size_t i = 0; i < clean; ++i) {
    SCOPED_TRACE("lost: " + std::to_string(i));
    open_at_once({i});
  }
}

}  // namespace
}  // namespace handfast::stack
