// What a connection can be asked for beside sending and closing: options, keep-alive, a limited
// close, urgent data, and what info() tells.

#include "stack/inspector.hpp"
#include "two_hosts.hpp"

namespace handfast::stack {
namespace {

constexpr std::size_t kTosAt = 14 + 1;

void with_small_window(StackConfig& config) {
  config.receive_buffer = config.receive_buffer_max = 8192;
}

// Nothing gets through any more.
void cut(TwoHosts& hosts) {
  hosts.world.link().set_filter([](Instant, Bytes) { return true; });
}

TEST(Options, OfAListenerAreThoseOfItsConnections) {
  TwoHosts hosts;
  const Endpoint other{TwoHosts::kServer.address, 81};
  ASSERT_TRUE(hosts.server_worker().listen(
      other, hosts.server,
      {.congestion_control = CongestionControl::new_reno, .nagle = false, .dscp = 10}));
  ASSERT_TRUE(hosts.client_worker().connect(
      other, hosts.client,
      {.source_port = 0,
       .connection = {.congestion_control = CongestionControl::bbr, .dscp = 46}}));
  ASSERT_TRUE(wait_open(hosts));
  EXPECT_EQ(hosts.server.last.info()->congestion_control, "new_reno");
  EXPECT_EQ(hosts.client.last.info()->congestion_control, "bbr");
  hosts.frames.clear();
  (void)hosts.client.last.send(bytes_of("a"));
  hosts.world.run_for(100ms);
  ASSERT_GE(hosts.frames.size(), 2U);
  EXPECT_EQ(static_cast<int>(hosts.frames[0][kTosAt]) >> 2, 46);
  EXPECT_EQ(static_cast<int>(hosts.frames[1][kTosAt]) >> 2, 10);
}

TEST(Options, OutOfRangeAreRefused) {
  TwoHosts hosts;
  EXPECT_EQ(hosts.server_worker()
                .listen({TwoHosts::kServer.address, 81}, hosts.server, {.dscp = 64})
                .error(),
            Error::invalid_option);
  EXPECT_EQ(hosts.client_worker()
                .connect(TwoHosts::kServer, hosts.client,
                         {.source_port = 0, .connection = {.user_timeout = 25h}})
                .error(),
            Error::invalid_option);
  EXPECT_EQ(hosts.client_worker().open_count(), 0U);
}

TEST(Tables, GrowByARecordForEachConnectionBeyondThoseBefore) {
  TwoHosts hosts;
  hosts.connect();
  const std::uint64_t with_one = hosts.client_worker().connection_table_bytes();
  const Connection second = hosts.connect();
  hosts.world.run_for(100ms);
  const std::uint64_t with_two = hosts.client_worker().connection_table_bytes();
  EXPECT_GE(with_two, with_one + 200);
  EXPECT_LE(with_two, with_one + 1000);
  ASSERT_TRUE(Connection(second).abort());
  hosts.world.run_for(100ms);
  hosts.connect();  // in the record of the one that has ended
  EXPECT_EQ(hosts.client_worker().connection_table_bytes(), with_two);
}

TEST(Options, UserTimeoutHoldsForTheSynToo) {
  TwoHosts hosts;
  cut(hosts);
  const Instant start = hosts.world.now();
  ASSERT_TRUE(hosts.client_worker().connect(
      TwoHosts::kServer, hosts.client, {.source_port = 0, .connection = {.user_timeout = 7s}}));
  ASSERT_TRUE(hosts.world.run_until([&] { return !hosts.client.closed.empty(); }, 1min));
  EXPECT_EQ(hosts.client.closed, std::vector{CloseReason::timed_out});
  EXPECT_GE(hosts.world.now() - start, 7s);
  EXPECT_LT(hosts.world.now() - start, 7s + 1ms);
}

TEST(Nagle, HoldsTheSecondSmallSegmentUntilTurnedOff) {
  TwoHosts hosts;
  (void)hosts.connect();
  ASSERT_TRUE(wait_open(hosts));
  const auto data_sent = [&] { return hosts.client_counters().data_sent; };
  const std::uint64_t before = data_sent();
  (void)hosts.client.last.send(bytes_of("one"));
  hosts.world.run_for(10us);
  (void)hosts.client.last.send(bytes_of("two"));
  hosts.world.run_for(10us);
  EXPECT_EQ(data_sent() - before, 1U);
  (void)hosts.client.last.set_nagle(false);
  hosts.world.run_for(10us);
  EXPECT_EQ(data_sent() - before, 2U);
  hosts.world.run_for(1s);
  EXPECT_EQ(hosts.server.received, "onetwo");
}

// --- keep-alive (RFC 9293 section 3.8.4)

TEST(KeepAlive, TwoIdleHostsStayConnected) {
  TwoHosts hosts;
  (void)hosts.connect();
  ASSERT_TRUE(wait_open(hosts));
  (void)hosts.client.last.send(bytes_of("hello"));
  ASSERT_TRUE(hosts.client.last.set_keep_alive(30s));
  hosts.world.run_for(1h);
  EXPECT_TRUE(hosts.client.closed.empty());
  const std::uint64_t probes = hosts.client_counters().keep_alive_probes;
  EXPECT_GE(probes, 115U);
  EXPECT_LE(probes, 120U);
  EXPECT_EQ(hosts.client.last.info()->retransmits, 0U);
  EXPECT_EQ(hosts.client.last.set_keep_alive(66'000s).error(), Error::invalid_option);
}

TEST(KeepAlive, APeerThatIsGoneIsFound) {
  TwoHosts hosts([](StackConfig& config) {
    config.keep_alive = 60s;
    config.keep_alive_interval = 5s;
    config.keep_alive_probes = 4;
  });
  (void)hosts.connect();
  ASSERT_TRUE(wait_open(hosts));
  cut(hosts);
  const Instant start = hosts.world.now();
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(); }, 10min));
  EXPECT_EQ(hosts.client.closed, std::vector{CloseReason::timed_out});
  EXPECT_EQ(hosts.server.closed, std::vector{CloseReason::timed_out});
  EXPECT_GT(hosts.world.now() - start, 79s);
  EXPECT_LT(hosts.world.now() - start, 81s);
  hosts.expect_nothing_left();
}

TEST(KeepAlive, FreesAConnectionLeftInFinWait2) {
  TwoHosts hosts([](StackConfig& config) { config.keep_alive = 60s; });
  hosts.server.at_peer_finished = [](Connection) {};  // never closes
  (void)hosts.connect();
  ASSERT_TRUE(wait_open(hosts));
  (void)hosts.client.last.close();
  hosts.world.run_for(10min);
  EXPECT_EQ(hosts.client.last.info()->state, State::fin_wait_2);
  EXPECT_EQ(hosts.server.last.info()->state, State::close_wait);
  cut(hosts);
  ASSERT_TRUE(hosts.world.run_until([&] { return !hosts.client.closed.empty(); }, 1h));
  EXPECT_EQ(hosts.client.closed, std::vector{CloseReason::timed_out});
}

// --- close within a time

TEST(CloseWithin, IsACloseWhenThePeerAnswers) {
  TwoHosts hosts;
  (void)hosts.connect();
  ASSERT_TRUE(wait_open(hosts));
  (void)hosts.client.last.send(bytes_of("all of it"));
  ASSERT_TRUE(hosts.client.last.close_within(2s));
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(); }, 1min));
  EXPECT_EQ(hosts.client.closed, std::vector{CloseReason::finished});
  EXPECT_EQ(hosts.server.received, "all of it");
}

TEST(CloseWithin, AfterThatThePeerGetsARst) {
  TwoHosts hosts(with_small_window);
  hosts.server.at_data = [](Connection, Bytes) -> std::size_t { return 0; };
  (void)hosts.connect();
  ASSERT_TRUE(wait_open(hosts));
  (void)hosts.client.last.send(bytes_of(std::string(50'000, 'x')));
  const Instant start = hosts.world.now();
  ASSERT_TRUE(hosts.client.last.close_within(20s));
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(); }, 1min));
  EXPECT_EQ(hosts.client.closed, std::vector{CloseReason::timed_out});
  EXPECT_EQ(hosts.server.closed, std::vector{CloseReason::reset});
  EXPECT_GE(hosts.world.now() - start, 20s);
  EXPECT_LT(hosts.world.now() - start, 20s + 10ms);
  hosts.expect_nothing_left();
}

// More than one burst, and nobody acknowledges any of it.
TEST(Sending, GoesOnWhereAFullBurstEnded) {
  TwoHosts hosts([](StackConfig& config) {
    config.congestion_control = CongestionControl::none;
    config.send_buffer = config.send_buffer_max = 1 << 20;
    config.receive_buffer = config.receive_buffer_max = 1 << 20;
  });
  (void)hosts.connect();
  ASSERT_TRUE(wait_open(hosts));
  (void)hosts.client.last.send(bytes_of("the answer has a scaled window"));
  hosts.world.run_for(1s);
  std::size_t sent = 0;
  hosts.world.link().set_filter([&sent](Instant, Bytes) { return ++sent > 0; });
  const std::size_t size = 150U * hosts.client.last.info()->snd_mss;
  EXPECT_EQ(hosts.client.last.send(bytes_of(std::string(size, 'x'))), size);
  hosts.world.run_for(10ms);
  EXPECT_GE(sent, 150U);
}

// RFC 9293 section 3.8.6.2.2: the sender has not to wait for its next probe.
TEST(Receiving, AgainOpensTheWindowAtOnce) {
  TwoHosts hosts(with_small_window);
  bool takes = false;
  hosts.server.at_data = [&takes](Connection, Bytes data) { return takes ? data.size() : 0; };
  (void)hosts.connect();
  ASSERT_TRUE(wait_open(hosts));
  (void)hosts.client.last.send(bytes_of(std::string(50'000, 'x')));
  hosts.world.run_for(30s);
  EXPECT_TRUE(hosts.server.received.empty());
  takes = true;
  ASSERT_TRUE(hosts.server.last.resume_receive());
  hosts.world.run_for(50ms);
  EXPECT_EQ(hosts.server.received.size(), 50'000U);
}

TEST(Timer, SetFromOutsideOfACallbackGoesOffAllTheSame) {
  TwoHosts hosts;
  (void)hosts.connect();
  ASSERT_TRUE(wait_open(hosts));
  hosts.world.run_for(10s);
  ASSERT_TRUE(hosts.client.last.set_timer(1s));
  hosts.world.run_for(900ms);
  EXPECT_EQ(hosts.client.timers, 0);
  hosts.world.run_for(200ms);
  EXPECT_EQ(hosts.client.timers, 1);
}

TEST(BytesQueued, AreTheApplicationsWithoutTheSyn) {
  TwoHosts hosts;
  const Connection connection = hosts.connect();
  EXPECT_EQ(connection.bytes_queued(), 0U);
  hosts.world.run_for(0ms);
  EXPECT_EQ(connection.bytes_queued(), 0U);
  EXPECT_EQ(Connection(connection).send(bytes_of("early")), 5U);
  EXPECT_EQ(connection.bytes_queued(), 5U);
}

// The time is for all of it: a peer that takes a little now and then does not prolong it.
TEST(CloseWithin, ProgressDoesNotProlongIt) {
  TwoHosts hosts(with_small_window);
  bool may_take = true;
  hosts.server.at_data = [&may_take](Connection c, Bytes data) -> std::size_t {
    (void)c.set_timer(500ms);
    return std::exchange(may_take, false) ? std::min<std::size_t>(data.size(), 1000) : 0;
  };
  hosts.server.at_timer = [&may_take](Connection c) {
    may_take = true;
    (void)c.resume_receive();
  };
  (void)hosts.connect();
  ASSERT_TRUE(wait_open(hosts));
  (void)hosts.client.last.send(bytes_of(std::string(100'000, 'x')));
  const Instant start = hosts.world.now();
  ASSERT_TRUE(hosts.client.last.close_within(10s));
  ASSERT_TRUE(hosts.world.run_until([&] { return !hosts.client.closed.empty(); }, 1min));
  EXPECT_EQ(hosts.client.closed, std::vector{CloseReason::timed_out});
  EXPECT_GT(hosts.server.received.size(), 8192U);
  EXPECT_LT(hosts.world.now() - start, 10s + 10ms);
}

TEST(CloseWithin, ZeroIsARstAtOnce) {
  TwoHosts hosts;
  (void)hosts.connect();
  ASSERT_TRUE(wait_open(hosts));
  ASSERT_TRUE(hosts.client.last.close_within(0s));
  hosts.world.run_for(10ms);
  EXPECT_EQ(hosts.client.closed, std::vector{CloseReason::aborted});
  EXPECT_EQ(hosts.server.closed, std::vector{CloseReason::reset});
}

// In LAST-ACK there is still text the peer waits for: it has to hear that none will come.
TEST(CloseWithin, TextLeftInLastAckIsReset) {
  TwoHosts hosts(with_small_window);
  hosts.client.at_data = [](Connection, Bytes) -> std::size_t { return 0; };
  hosts.server.at_peer_finished = [](Connection c) {
    (void)c.send(bytes_of(std::string(50'000, 'x')));
    (void)c.close_within(5s);
  };
  (void)hosts.connect();
  ASSERT_TRUE(wait_open(hosts));
  (void)hosts.client.last.close();
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(); }, 1min));
  EXPECT_EQ(hosts.server.closed, std::vector{CloseReason::timed_out});
  EXPECT_EQ(hosts.client.closed, std::vector{CloseReason::reset});
}

// --- urgent data (RFC 9293 section 3.8.5)

struct UrgentParty : Party {
  void on_urgent(Connection connection) {
    ++urgent;
    bytes_ahead = connection.urgent_bytes();
    received_before = received.size();
  }
  int urgent = 0;
  std::size_t bytes_ahead = 0;
  std::size_t received_before = 0;
};

TEST(Urgent, IsToldBeforeItsTextIsDeliveredInLine) {
  TwoHosts hosts;
  UrgentParty party;
  ASSERT_TRUE(hosts.server_worker().listen({TwoHosts::kServer.address, 81}, party));
  ASSERT_TRUE(
      hosts.client_worker().connect({TwoHosts::kServer.address, 81}, hosts.client).has_value());
  ASSERT_TRUE(hosts.world.run_until([&] { return party.opened == 1; }, 1s));
  (void)hosts.client.last.send(bytes_of("plain "));
  hosts.world.run_for(100ms);
  EXPECT_EQ(party.urgent, 0);
  EXPECT_EQ(hosts.client.last.send_urgent(bytes_of("stop!")).value(), 5U);
  (void)hosts.client.last.send(bytes_of(" more"));
  hosts.world.run_for(100ms);
  EXPECT_EQ(party.urgent, 1);
  EXPECT_EQ(party.received_before, 6U);
  EXPECT_EQ(party.bytes_ahead, 5U);
  EXPECT_EQ(party.received, "plain stop! more");
  EXPECT_EQ(party.last.urgent_bytes(), 0U);
}

// --- info and congestion control

TEST(Info, TellsOfATransferWhileItLasts) {
  TwoHosts hosts;
  (void)hosts.connect();
  ASSERT_TRUE(wait_open(hosts));
  EXPECT_EQ(hosts.client.last.info()->pmtu, 1500U);
  EXPECT_EQ(hosts.client.last.info()->congestion_control, "cubic");
  EXPECT_EQ(hosts.client.last.info()->delivered, 0U);
  // The third data segment is lost once.
  hosts.frames.clear();
  hosts.to_drop = {2};
  (void)hosts.client.last.send(bytes_of(std::string(20 * 1448, 'x')));
  bool was_disordered = false;
  bool was_recovering = false;
  hosts.world.run_until(
      [&] {
        const auto info = hosts.client.last.info();
        was_disordered |= info->sacked > 0;
        was_recovering |= info->ca_state == CaState::recovery;
        return hosts.server.received.size() == 20 * 1448;
      },
      1s);
  hosts.world.run_for(10ms);
  const auto info = hosts.client.last.info();
  ASSERT_TRUE(info);
  EXPECT_TRUE(was_disordered);
  EXPECT_TRUE(was_recovering);
  EXPECT_TRUE(info->sack);
  EXPECT_EQ(info->ca_state, CaState::open);
  EXPECT_EQ(info->total_retrans, 1U);
  EXPECT_EQ(info->retrans, 0U);
  EXPECT_EQ(info->lost, 0U);
  EXPECT_EQ(info->delivered, 20U * 1448U);
  EXPECT_GT(info->delivery_rate, 0U);
  EXPECT_GE(info->min_rtt_us, 2000U);
  hosts.world.run_for(5s);
  EXPECT_EQ(hosts.client.last.info()->delivered, 0U);  // idle: begun anew
}

// Three segments, the first of which comes 0.2 ms late: too little to be thought lost.
TEST(Info, TellsOfReordering) {
  constexpr std::size_t kText = std::size_t{3} * 1448;
  TwoHosts hosts;
  (void)hosts.connect();
  ASSERT_TRUE(wait_open(hosts));
  hosts.world.run_for(100ms);
  const std::size_t first = hosts.frames.size();
  hosts.to_drop.push_back(first);
  ASSERT_EQ(hosts.client.last.send(bytes_of(std::string(kText, 'x'))).value(), kText);
  hosts.world.run_for(200us);
  hosts.replay(hosts.frames[first]);
  hosts.world.run_for(900us);
  EXPECT_EQ(hosts.server.last.info()->rcv_ooopack, 2U);
  hosts.world.run_for(100ms);
  EXPECT_EQ(hosts.server.received.size(), kText);
  EXPECT_EQ(hosts.server.last.info()->rcv_ooopack, 0U);
  const ConnectionInfo info = hosts.client.last.info().value();
  EXPECT_EQ(info.reordering, 3U);
  EXPECT_EQ(info.total_retrans, 0U);
  EXPECT_EQ(info.dsack_dups, 0U);
  EXPECT_GE(info.rtt_us, 2000U);
  EXPECT_GT(info.rttvar_us, 0U);
  // And the copy once more.
  hosts.replay(hosts.frames[first]);
  hosts.world.run_for(100ms);
  EXPECT_EQ(hosts.client.last.info()->dsack_dups, 1U);
}

TEST(CongestionCalls, AnotherAlgorithmTakesOverInTheMiddle) {
  TwoHosts hosts;
  (void)hosts.connect();
  ASSERT_TRUE(wait_open(hosts));
  const std::string text(100'000, 'x');
  for (const auto algorithm :
       {CongestionControl::bbr, CongestionControl::new_reno, CongestionControl::none}) {
    hosts.server.received.clear();
    ASSERT_EQ(hosts.client.last.send(bytes_of(text)).value(), text.size());
    hosts.world.run_for(1ms);
    ASSERT_TRUE(hosts.client.last.set_congestion_control(algorithm));
    if (algorithm != CongestionControl::bbr) {
      EXPECT_EQ(hosts.client.last.info()->pacing_rate, 0U);
    }
    ASSERT_TRUE(hosts.world.run_until([&] { return hosts.server.received == text; }, 1min));
  }
}

TEST(CongestionCalls, DctcpNeedsMarks) {
  TwoHosts hosts([](StackConfig& config) { config.ecn = EcnMode::off; });
  (void)hosts.connect();
  ASSERT_TRUE(wait_open(hosts));
  EXPECT_EQ(hosts.client.last.set_congestion_control(CongestionControl::dctcp).error(),
            Error::wrong_state);
  EXPECT_EQ(hosts.client.last.info()->congestion_control, "cubic");
}

// send() has taken what a connection needs while it sends, and found no packet: what it took is to
// be given back in time.
TEST(ConnectionCalls, ASendThatTakesNothingLeavesADeadlineThatTheWheelKnows) {
  TwoHosts hosts;
  Connection connection = hosts.connect();
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.server.opened == 1; }, 10s));
  drivers::SimPool& pool = hosts.world.pool(hosts.client_host);
  std::vector<base::Packet> all(pool.capacity());
  all.resize(pool.allocate(all));
  std::vector<Buffer> stock;  // what the worker had taken from the pool before
  while (auto buffer = hosts.client_worker().allocate_buffer()) {
    stock.push_back(std::move(*buffer));
  }
  const auto sent = connection.send(bytes_of("text"));
  ASSERT_TRUE(sent);
  EXPECT_EQ(*sent, 0U);
  const Inspector inspector(hosts.world.stack(hosts.client_host));
  EXPECT_EQ(inspector.transfers_in_use(), 1U);
  inspector.for_each_connection(
      [](std::uint32_t, const tcp::Tcb& tcb) { EXPECT_TRUE(tcb.timer.is_armed()); });
  hosts.world.run_for(5s);
  EXPECT_EQ(inspector.transfers_in_use(), 0U);
  pool.free(all);
}

}  // namespace
}  // namespace handfast::stack
