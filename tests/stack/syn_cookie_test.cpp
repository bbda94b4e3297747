// A flood of SYNs against a whole stack: half-open records run out, cookies take over, and honest
// clients notice nothing.

#include "two_hosts.hpp"
#include "wire/tcp.hpp"

namespace handfast::stack {
namespace {

using base::Seq;

constexpr std::uint32_t kRecords = 16;

class FloodedHosts {
 public:
  explicit FloodedHosts(const TwoHosts::Configure& configure = {})
      : hosts([&configure](StackConfig& config) {
          config.msl = 1s;
          if (configure) configure(config);
        }) {
    hosts.server.at_data = [](Connection c, Bytes data) {
      (void)c.send(bytes_of("answer"));
      return data.size();
    };
  }
  // SYNs from hosts that do not answer, each from another port, to the server's port 80.
  void flood(int count) {
    for (int i = 0; i < count; ++i) {
      hosts.replay(spoofed(base::kSyn, Seq{1000}, Seq{}));
      hosts.world.run_for(1ms);
    }
  }
  Frame spoofed(std::uint8_t flags, Seq seq, Seq ack) {
    base::Segment segment;
    segment.seq = seq;
    segment.ack = ack;
    segment.flags = flags;
    segment.window = 1000;
    std::array<std::byte, 256> bytes{};
    base::Packet packet{.data = bytes.data() + 64};
    const wire::LinkHeader link = header_to_server();
    wire::emit_tcp(
        packet,
        {.link = link,
         .ip = {.source = kSpoofed, .destination = TwoHosts::kServer.address, .hop_limit = 64},
         .ports = {.source = next_port_++, .destination = 80},
         .segment = segment});
    return {packet.data, packet.data + packet.length};
  }
  void connect_and_ask() {
    hosts.client.at_open = [](Connection c) { (void)c.send(bytes_of("question")); };
    hosts.client.at_data = [](Connection c, Bytes data) {
      (void)c.close();
      return data.size();
    };
    const std::size_t ended = hosts.client.closed.size();
    hosts.connect();
    EXPECT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(ended + 1); }, 1min));
    EXPECT_EQ(hosts.client.closed.back(), CloseReason::finished);
  }
  std::uint64_t half_open() { return hosts.server_worker().half_open_count(); }
  Counters counters() { return hosts.server_counters(); }

  TwoHosts hosts;

 private:
  // Of any frame that the client has sent.
  wire::LinkHeader header_to_server() {
    wire::LinkHeader link{.bytes = {}, .length = wire::kEthernetHeaderSize};
    for (const Frame& frame : hosts.frames) {
      if (flags_of(frame) == base::kSyn) std::memcpy(link.bytes.data(), frame.data(), link.length);
    }
    return link;
  }

  static constexpr Address kSpoofed = Address::v4(0xc61200f0);
  std::uint16_t next_port_ = 20'000;
};

TEST(SynCookies, AClientGetsInWithItsOptionsWhenNoRecordIsLeft) {
  FloodedHosts flooded;
  flooded.connect_and_ask();
  flooded.flood(100);
  EXPECT_EQ(flooded.half_open(), kRecords);
  EXPECT_EQ(flooded.counters().syn_cookies_sent, 100 - kRecords);
  ConnectionInfo info;
  flooded.hosts.server.at_data = [&info](Connection c, Bytes data) {
    info = c.info().value();
    (void)c.send(bytes_of("answer"));
    return data.size();
  };
  const Instant start = flooded.hosts.world.now();
  flooded.connect_and_ask();
  EXPECT_LT(flooded.hosts.world.now() - start, 100ms);  // no SYN was sent again
  EXPECT_EQ(flooded.hosts.server.received, "questionquestion");
  EXPECT_EQ(flooded.hosts.client.received, "answeranswer");
  EXPECT_EQ(flooded.counters().syn_cookies_received, 1U);
  EXPECT_EQ(flooded.counters().syn_cookies_failed, 0U);
  EXPECT_EQ(flooded.counters().half_open_refused, 0U);
  EXPECT_TRUE(info.timestamps && info.window_scaling && info.sack);
  EXPECT_EQ(info.snd_mss, 1448U);
}

TEST(SynCookies, TakeNoMemory) {
  FloodedHosts flooded;
  flooded.connect_and_ask();
  flooded.flood(200);
  const std::uint64_t bytes =
      flooded.hosts.world.stack(flooded.hosts.server_host).connection_table_bytes();
  flooded.flood(2000);
  // The records' timers back off meanwhile and need a few of the wheel's chunks more.
  constexpr std::uint64_t kChunks = 16 * 64;
  EXPECT_LE(flooded.hosts.world.stack(flooded.hosts.server_host).connection_table_bytes(),
            bytes + kChunks);
  EXPECT_EQ(flooded.half_open(), kRecords);
  EXPECT_EQ(flooded.hosts.server_worker().open_count(), 0U);
  // The records end when nobody answers, and all is as before.
  flooded.hosts.world.run_for(4min);
  EXPECT_EQ(flooded.counters().half_open_expired, kRecords);
  flooded.hosts.expect_nothing_left();
}

// What the neighbour listener's clients feel: nothing.
TEST(SynCookies, OneListenersFloodLeavesTheOthersTheirRecords) {
  FloodedHosts flooded([](StackConfig& config) { config.max_half_open_per_listener = 4; });
  Party other;
  const Endpoint beside{TwoHosts::kServer.address, 81};
  ASSERT_TRUE(flooded.hosts.server_worker().listen(beside, other).has_value());
  flooded.connect_and_ask();
  flooded.flood(50);
  EXPECT_EQ(flooded.half_open(), 4U);
  EXPECT_EQ(flooded.counters().syn_cookies_sent, 46U);
  ASSERT_TRUE(flooded.hosts.client_worker().connect(beside, flooded.hosts.client).has_value());
  ASSERT_TRUE(flooded.hosts.world.run_until([&] { return other.opened == 1; }, 1s));
  EXPECT_EQ(flooded.counters().syn_cookies_received, 0U);
}

// The records are still there and count for whoever listens.
TEST(SynCookies, ListenersThatComeAndGoKeepTheBound) {
  FloodedHosts flooded([](StackConfig& config) { config.max_half_open_per_listener = 4; });
  flooded.connect_and_ask();
  flooded.flood(3);
  Worker& server = flooded.hosts.server_worker();
  server.stop_listening(TwoHosts::kServer);
  ASSERT_TRUE(server.listen(TwoHosts::kServer, flooded.hosts.server).has_value());
  flooded.flood(10);
  EXPECT_EQ(flooded.half_open(), 4U);
  flooded.hosts.world.run_for(4min);
  EXPECT_EQ(flooded.half_open(), 0U);
  flooded.flood(10);
  EXPECT_EQ(flooded.half_open(), 4U);
}

TEST(SynCookies, ALostThirdSegmentIsMadeGoodByTheText) {
  FloodedHosts flooded;
  flooded.connect_and_ask();
  flooded.flood(50);
  // The ACK alone is lost; the question comes later.
  flooded.hosts.client.at_open = nullptr;
  const std::size_t first = flooded.hosts.frames.size();
  flooded.hosts.to_drop = {first + 2};
  const Connection connection = flooded.hosts.connect();
  flooded.hosts.world.run_for(500ms);
  ASSERT_EQ(flags_of(flooded.hosts.frames.at(first + 2)), base::kAck);
  EXPECT_EQ(flooded.hosts.server.opened, 1);
  Connection reference = connection;
  ASSERT_TRUE(reference.send(bytes_of("late")).has_value());
  ASSERT_TRUE(flooded.hosts.world.run_until([&] { return flooded.hosts.both_closed(2); }, 10s));
  EXPECT_EQ(flooded.hosts.server.received, "questionlate");
  EXPECT_EQ(flooded.counters().syn_cookies_received, 1U);
}

TEST(SynCookies, AnOldOneIsRefused) {
  FloodedHosts flooded;
  flooded.connect_and_ask();
  flooded.flood(50);
  const std::size_t first = flooded.hosts.frames.size();
  flooded.connect_and_ask();
  const Frame third = flooded.hosts.frames.at(first + 2);
  ASSERT_NE(flags_of(third) & base::kAck, 0);
  flooded.hosts.world.run_for(3min);
  flooded.flood(20);  // cookies are looked at again
  flooded.hosts.replay(third);
  flooded.hosts.world.run_for(100ms);
  EXPECT_EQ(flooded.hosts.server.opened, 2);
  EXPECT_EQ(flooded.counters().syn_cookies_failed, 1U);
  EXPECT_EQ(flooded.hosts.server_worker().open_count(), 0U);
}

// RFC 9293 section 3.10.7.2: an ACK that arrives in LISTEN is answered by <SEQ=SEG.ACK><CTL=RST>.
TEST(SynCookies, AWrongOneIsAnsweredByReset) {
  FloodedHosts flooded;
  flooded.connect_and_ask();
  flooded.hosts.replay(flooded.spoofed(base::kAck, Seq{2000}, Seq{77}));
  flooded.hosts.world.run_for(10ms);
  EXPECT_EQ(flooded.counters().rst_sent, 2U);            // one is the set-up's
  EXPECT_EQ(flooded.counters().syn_cookies_failed, 0U);  // none had been given: not even looked at
  flooded.flood(50);
  flooded.hosts.replay(flooded.spoofed(base::kAck, Seq{2000}, Seq{77}));
  flooded.hosts.world.run_for(10ms);
  EXPECT_EQ(flooded.counters().rst_sent, 3U);
  EXPECT_EQ(flooded.counters().syn_cookies_failed, 1U);
}

TEST(SynCookies, AListenerThatIsGoneTakesNone) {
  FloodedHosts flooded;
  flooded.connect_and_ask();
  flooded.flood(50);
  const std::size_t first = flooded.hosts.frames.size();
  flooded.hosts.client.at_open = nullptr;
  flooded.hosts.connect();
  ASSERT_TRUE(
      flooded.hosts.world.run_until([&] { return flooded.hosts.frames.size() == first + 2; }, 1s));
  flooded.hosts.server_worker().stop_listening(TwoHosts::kServer);
  ASSERT_TRUE(
      flooded.hosts.world.run_until([&] { return flooded.hosts.client.closed.size() == 2; }, 1s));
  EXPECT_EQ(flooded.hosts.client.closed.back(), CloseReason::reset);
  EXPECT_EQ(flooded.counters().syn_cookies_received, 0U);
  EXPECT_EQ(flooded.hosts.server.opened, 1);
}

TEST(SynCookies, SwitchedOffTheSynIsDropped) {
  FloodedHosts flooded([](StackConfig& config) { config.syn_cookies = false; });
  flooded.connect_and_ask();
  flooded.flood(50);
  EXPECT_EQ(flooded.counters().syn_cookies_sent, 0U);
  EXPECT_EQ(flooded.counters().half_open_refused, 50 - kRecords);
}

// Its text would need a record.
TEST(SynCookies, NoFastOpenMeanwhile) {
  FloodedHosts flooded([](StackConfig& config) { config.fast_open = FastOpen::both; });
  const auto ask = [&] {
    auto connection = flooded.hosts.client_worker().connect(TwoHosts::kServer, flooded.hosts.client,
                                                            {.fast_open = true});
    ASSERT_TRUE(connection.has_value());
    ASSERT_TRUE(connection->send(bytes_of("question")).has_value());
    const std::size_t ended = flooded.hosts.client.closed.size();
    EXPECT_TRUE(
        flooded.hosts.world.run_until([&] { return flooded.hosts.both_closed(ended + 1); }, 1min));
  };
  flooded.hosts.client.at_data = [](Connection c, Bytes data) {
    (void)c.close();
    return data.size();
  };
  ask();
  ask();
  EXPECT_EQ(flooded.counters().fast_open_accepted, 1U);
  flooded.flood(50);
  ask();
  EXPECT_EQ(flooded.counters().fast_open_accepted, 1U);
  EXPECT_EQ(flooded.counters().syn_cookies_received, 1U);
  EXPECT_EQ(flooded.hosts.server.received, "questionquestionquestion");
}

}  // namespace
}  // namespace handfast::stack
