// TCP Fast Open between two whole stacks (RFC 7413): the first connection brings a cookie, the
// second its request in the SYN and the response one round trip later.

#include "two_hosts.hpp"

namespace handfast::stack {
namespace {

constexpr ConnectOptions kFast{.fast_open = true};

class FastOpenHosts {
 public:
  explicit FastOpenHosts(const TwoHosts::Configure& configure = {})
      : hosts([&configure](StackConfig& config) {
          config.fast_open = FastOpen::both;
          config.msl = 1s;
          if (configure) configure(config);
        }) {
    hosts.server.at_data = [](Connection c, Bytes data) {
      (void)c.send(bytes_of("response"));
      return data.size();
    };
    hosts.client.at_data = [this](Connection c, Bytes data) {
      answered_at = hosts.world.now();
      (void)c.close();
      return data.size();
    };
  }
  void request(const ConnectOptions& options = kFast) {
    const auto connection = hosts.client_worker().connect(TwoHosts::kServer, hosts.client, options);
    ASSERT_TRUE(connection.has_value());
    Connection reference = *connection;
    ASSERT_EQ(reference.send(bytes_of("request")).value(), 7U);
  }
  // One exchange from beginning to end; how long the answer took.
  Duration exchange() {
    const Instant start = hosts.world.now();
    const std::size_t ended = hosts.client.closed.size();
    hosts.client.received.clear();
    hosts.server.received.clear();
    request();
    EXPECT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(ended + 1); }, 5min));
    EXPECT_EQ(hosts.server.received, "request");
    EXPECT_EQ(hosts.client.received, "response");
    EXPECT_EQ(hosts.client.closed.back(), CloseReason::finished);
    return answered_at - start;
  }
  std::uint64_t accepted() { return hosts.server_counters().fast_open_accepted; }

  TwoHosts hosts;
  Instant answered_at;
};

TEST(FastOpen, SavesARoundTripFromTheSecondConnectionOn) {
  FastOpenHosts fast;
  EXPECT_GE(fast.exchange(), 4ms);  // two round trips
  EXPECT_EQ(fast.accepted(), 0U);
  EXPECT_LT(fast.exchange(), 3ms);  // one
  EXPECT_LT(fast.exchange(), 3ms);
  EXPECT_EQ(fast.accepted(), 2U);
  EXPECT_EQ(fast.hosts.client_counters().fast_open_sent, 2U);
  EXPECT_EQ(fast.hosts.client_counters().fast_open_taken, 2U);
  EXPECT_EQ(fast.hosts.client_counters().payload_bytes_sent, 3 * 7U);
  EXPECT_EQ(fast.hosts.server.opened, 3);
  EXPECT_EQ(fast.hosts.client.opened, 3);
  EXPECT_EQ(fast.hosts.server_counters().established_passive, 3U);
  fast.hosts.world.run_for(5s);
  fast.hosts.expect_nothing_left();
}

TEST(FastOpen, TheServerHearsOfTheTextBeforeTheHandshakeIsDone) {
  FastOpenHosts fast;
  fast.exchange();
  State at_data = State::closed;
  fast.hosts.server.at_data = [&at_data](Connection c, Bytes data) {
    at_data = c.info()->state;
    (void)c.send(bytes_of("response"));
    return data.size();
  };
  fast.exchange();
  EXPECT_EQ(at_data, State::syn_received);
}

TEST(FastOpen, IsOffUnlessBothTheStackAndTheCallAskForIt) {
  for (const FastOpen mode : {FastOpen::off, FastOpen::server}) {
    FastOpenHosts fast([mode](StackConfig& config) { config.fast_open = mode; });
    fast.exchange();
    EXPECT_GE(fast.exchange(), 4ms);
    EXPECT_EQ(fast.accepted(), 0U);
  }
  FastOpenHosts fast;
  for (int i = 0; i < 2; ++i) {
    fast.hosts.client.closed.clear();
    fast.request({});
    fast.hosts.world.run_for(1s);
  }
  EXPECT_EQ(fast.accepted(), 0U);
  EXPECT_EQ(fast.hosts.client.received, "responseresponse");
}

// More than are let in wait for their handshake like any other.
TEST(FastOpen, PendingOnesAreBounded) {
  FastOpenHosts fast([](StackConfig& config) { config.max_fast_open = 1; });
  fast.exchange();
  fast.hosts.client.received.clear();
  fast.hosts.server.received.clear();
  fast.request();
  fast.request();
  fast.request();
  ASSERT_TRUE(fast.hosts.world.run_until([&] { return fast.hosts.both_closed(4); }, 1min));
  EXPECT_EQ(fast.accepted(), 1U);
  EXPECT_EQ(fast.hosts.server_counters().fast_open_refused, 2U);
  EXPECT_EQ(fast.hosts.client_counters().fast_open_sent, 3U);
  EXPECT_EQ(fast.hosts.client_counters().fast_open_taken, 1U);
  EXPECT_EQ(fast.hosts.client_counters().payload_bytes_sent, 4 * 7U) << "each byte once";
  EXPECT_EQ(fast.hosts.server.received, "requestrequestrequest");
  EXPECT_LT(fast.exchange(), 3ms);  // the place is free again
}

TEST(FastOpen, APlaceIsFreeAgainAfterEveryEnd) {
  FastOpenHosts fast([](StackConfig& config) { config.max_fast_open = 1; });
  fast.exchange();
  fast.hosts.server.at_open = [](Connection c) { (void)c.abort(); };
  fast.request();
  fast.hosts.world.run_for(10s);
  EXPECT_EQ(fast.hosts.server.closed.back(), CloseReason::aborted);
  EXPECT_EQ(fast.accepted(), 1U);
  fast.hosts.server.at_open = {};
  EXPECT_LT(fast.exchange(), 3ms);
  EXPECT_EQ(fast.accepted(), 2U);
}

// Every frame of an exchange is lost in turn, and every pair: the request arrives once.
TEST(FastOpen, SurvivesTheLossOfEveryFrame) {
  constexpr std::size_t kFrames = 10;
  for (std::size_t first = 0; first < kFrames; ++first) {
    for (std::size_t second = first; second < kFrames; ++second) {
      SCOPED_TRACE(testing::Message() << "lost: " << first << " and " << second);
      FastOpenHosts fast;
      fast.exchange();
      fast.hosts.world.run_for(5s);
      const std::size_t base = fast.hosts.frames.size();
      fast.hosts.to_drop = {base + first, base + second};
      fast.exchange();
      fast.hosts.world.run_for(5s);
      fast.hosts.expect_nothing_left();
    }
  }
}

// A handler that does not take the text: it stays in the SYN's packet until it does.
TEST(FastOpen, TextThatIsNotTakenIsOfferedAgain) {
  FastOpenHosts fast;
  fast.exchange();
  fast.hosts.server.received.clear();
  fast.hosts.server.at_data = [](Connection, Bytes) -> std::size_t { return 3; };
  fast.request();
  fast.hosts.world.run_for(100ms);
  EXPECT_EQ(fast.hosts.server.received, "req");
  (void)fast.hosts.server.last.resume_receive();
  fast.hosts.world.run_for(100ms);
  EXPECT_EQ(fast.hosts.server.received, "reques");
  (void)fast.hosts.server.last.abort();
  fast.hosts.world.run_for(10s);
  fast.hosts.expect_nothing_left();
}

}  // namespace
}  // namespace handfast::stack
