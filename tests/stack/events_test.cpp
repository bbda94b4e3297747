// The application's side: events, backpressure, calls from within callbacks, ends and their
// reasons.

#include "two_hosts.hpp"

namespace handfast::stack {
namespace {

TEST(Events, RefusedWhereNobodyListens) {
  TwoHosts hosts;
  ASSERT_TRUE(hosts.client_worker().connect({TwoHosts::kServer.address, 81}, hosts.client));
  ASSERT_TRUE(hosts.world.run_until([&] { return !hosts.client.closed.empty(); }, 1min));
  EXPECT_EQ(hosts.client.closed, std::vector{CloseReason::refused});
  EXPECT_EQ(hosts.client.opened, 0);
  hosts.expect_nothing_left();
}

TEST(Events, TimedOutWhereNobodyAnswers) {
  TwoHosts hosts;
  hosts.server_worker().stop_listening(TwoHosts::kServer);
  ASSERT_TRUE(hosts.client_worker().connect({Address::v4(0xc61200aa), 80}, hosts.client));
  ASSERT_TRUE(hosts.world.run_until([&] { return !hosts.client.closed.empty(); }, 10min));
  EXPECT_EQ(hosts.client.closed, std::vector{CloseReason::timed_out});
}

TEST(Events, UserTimeoutEndsAConnectionWhosePeerIsGone) {
  TwoHosts hosts;
  (void)hosts.connect();
  ASSERT_TRUE(wait_open(hosts));
  ASSERT_TRUE(hosts.client.last.set_user_timeout(5s).has_value());
  for (std::size_t i = 0; i < 100; ++i) hosts.to_drop.push_back(hosts.frames.size() + i);
  (void)hosts.client.last.send(bytes_of("lost"));
  const Instant sent = hosts.world.now();
  ASSERT_TRUE(hosts.world.run_until([&] { return !hosts.client.closed.empty(); }, 1min));
  EXPECT_EQ(hosts.client.closed, std::vector{CloseReason::timed_out});
  EXPECT_GE(hosts.world.now() - sent, 5s);
  EXPECT_LT(hosts.world.now() - sent, 5s + 1ms);
}

TEST(Events, DataNotTakenIsOfferedAgainAfterResume) {
  TwoHosts hosts;
  hosts.server.at_data = [](Connection, Bytes) -> std::size_t { return 3; };
  hosts.client.at_open = [](Connection c) {
    (void)c.send(bytes_of("abcdef"));
    (void)c.close();
  };
  (void)hosts.connect();
  hosts.world.run_for(1s);
  EXPECT_EQ(hosts.server.received, "abc");
  EXPECT_EQ(hosts.server.peer_finished, 0);  // not before all data is taken
  ASSERT_TRUE(hosts.server.last.resume_receive().has_value());
  hosts.world.run_for(1s);
  EXPECT_EQ(hosts.server.received, "abcdef");
  EXPECT_EQ(hosts.server.peer_finished, 1);
  EXPECT_TRUE(hosts.both_closed());
}

TEST(Events, WindowClosesAndOpensAgain) {
  TwoHosts hosts([](StackConfig& config) { config.receive_buffer = 8192; });
  bool takes = false;
  hosts.server.at_data = [&takes](Connection, Bytes data) { return takes ? data.size() : 0; };
  (void)hosts.connect();
  ASSERT_TRUE(wait_open(hosts));
  const std::string text(100'000, 'x');
  ASSERT_EQ(hosts.client.last.send(bytes_of(text)).value(), text.size());
  hosts.world.run_for(30s);
  EXPECT_EQ(hosts.server.received, "");
  EXPECT_GE(hosts.client_counters().zero_window_probes, 3U);
  takes = true;
  (void)hosts.server.last.resume_receive();
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.server.received == text; }, 1min));
}

TEST(Events, ShortSendIsFollowedByWritable) {
  TwoHosts hosts([](StackConfig& config) { config.send_buffer = config.send_buffer_max = 10'000; });
  const std::string text(60'000, 'y');
  std::size_t sent = 0;
  const auto send_more = [&](Connection c) {
    sent += c.send(bytes_of(text).subspan(sent)).value_or(0);
    if (sent == text.size()) (void)c.close();
  };
  hosts.client.at_open = send_more;
  hosts.client.at_writable = send_more;
  (void)hosts.connect();
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(); }, 1min));
  EXPECT_EQ(hosts.server.received, text);
  EXPECT_GE(hosts.client.writable, 5);
}

// abort() in every callback: the end comes once, afterwards, and nothing between.
TEST(Events, AbortIsLegalInEveryCallback) {
  const auto abort = [](Connection c) { EXPECT_TRUE(c.abort().has_value()); };
  const auto abort_on_data = [](Connection c, Bytes data) {
    EXPECT_TRUE(c.abort().has_value());
    EXPECT_EQ(c.abort().error(), Error::stale_connection);
    EXPECT_EQ(c.send(Bytes{}).error(), Error::stale_connection);
    return data.size();
  };
  for (int where = 0; where < 5; ++where) {
    SCOPED_TRACE(where);
    TwoHosts hosts;
    hosts.client.at_open = [](Connection c) { (void)c.send(bytes_of("hello")); };
    hosts.client.at_peer_finished = [](Connection) {};
    if (where == 0) hosts.server.at_open = abort;
    if (where == 1) hosts.server.at_data = abort_on_data;
    if (where == 2) hosts.client.at_open = abort;
    if (where == 3) {
      hosts.client.at_open = [](Connection c) {
        (void)c.send(bytes_of("hello"));
        (void)c.close();
      };
      hosts.server.at_peer_finished = abort;
    }
    if (where == 4) {
      hosts.server.at_open = [](Connection c) { (void)c.set_timer(10ms); };
      hosts.server.at_timer = abort;
    }
    (void)hosts.connect();
    hosts.world.run_for(10s);
    const Party& aborter = where == 2 ? hosts.client : hosts.server;
    const Party& other = where == 2 ? hosts.server : hosts.client;
    EXPECT_EQ(aborter.closed, std::vector{CloseReason::aborted});
    if (other.opened == 1) {
      EXPECT_EQ(other.closed, std::vector{CloseReason::reset});
    }
    EXPECT_EQ(hosts.client_worker().open_count(), 0U);
    EXPECT_EQ(hosts.server_worker().open_count(), 0U);
    hosts.world.run_for(2min);
    hosts.expect_nothing_left();
  }
}

TEST(Events, ConnectFromWithinOnClosed) {
  TwoHosts hosts;
  int left = 20;
  hosts.client.at_open = [](Connection c) { (void)c.close(); };
  hosts.client.at_closed = [&](Connection c, CloseReason) {
    if (left-- > 0) {
      EXPECT_TRUE(c.worker().connect(TwoHosts::kServer, hosts.client).has_value());
    }
  };
  (void)hosts.connect();
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(21); }, 1min));
  EXPECT_EQ(hosts.client.opened, 21);
}

TEST(Events, StaleReferenceAnswersAnError) {
  TwoHosts hosts;
  hosts.client.at_open = [](Connection c) { (void)c.close(); };
  Connection connection = hosts.connect();
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(); }, 1min));
  EXPECT_FALSE(connection.is_alive());
  EXPECT_EQ(connection.send(bytes_of("x")).error(), Error::stale_connection);
  EXPECT_EQ(connection.close().error(), Error::stale_connection);
  EXPECT_EQ(connection.abort().error(), Error::stale_connection);
  EXPECT_EQ(connection.info().error(), Error::stale_connection);
  EXPECT_EQ(connection.context(), 0U);
  // Its slot's next user is not touched by it.
  hosts.client.at_open = {};
  const Connection next = hosts.connect();
  EXPECT_EQ(next.index(), connection.index());
  EXPECT_EQ(connection.close().error(), Error::stale_connection);
  EXPECT_TRUE(next.is_alive());
  EXPECT_EQ(Connection{}.is_alive(), false);
}

TEST(Events, ContextIsReadableToTheEnd) {
  TwoHosts hosts;
  std::uint64_t at_end = 0;
  hosts.client.at_open = [](Connection c) { (void)c.close(); };
  hosts.client.at_closed = [&](Connection c, CloseReason) { at_end = c.context(); };
  ASSERT_TRUE(hosts.client_worker().connect(TwoHosts::kServer, hosts.client, {.context = 42}));
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(); }, 1min));
  EXPECT_EQ(at_end, 42U);
}

TEST(Events, CloseInSynSentEndsTheAttempt) {
  TwoHosts hosts;
  Connection connection = hosts.connect();
  EXPECT_TRUE(connection.close().has_value());
  hosts.world.run_for(10s);
  EXPECT_EQ(hosts.client.closed, std::vector{CloseReason::aborted});
  EXPECT_EQ(hosts.client.opened, 0);
}

TEST(Events, StopEndsEverythingOnce) {
  TwoHosts hosts;
  (void)hosts.connect();
  ASSERT_TRUE(wait_open(hosts));
  hosts.world.stack(hosts.client_host).stop(hosts.world.now());
  hosts.world.run_for(1s);
  EXPECT_EQ(hosts.client.closed, std::vector{CloseReason::stopped});
  EXPECT_EQ(hosts.server.closed, std::vector{CloseReason::reset});
}

TEST(Events, StopEndsWhatIsHalfOpen) {
  TwoHosts hosts;
  hosts.to_drop = {1};  // SYN, SYN-ACK
  (void)hosts.connect();
  hosts.world.run_for(10ms);
  ASSERT_EQ(hosts.server_worker().half_open_count(), 1U);
  const std::uint64_t resets = hosts.server_counters().rst_sent;
  hosts.world.stack(hosts.server_host).stop(hosts.world.now());
  EXPECT_EQ(hosts.server_worker().half_open_count(), 0U);
  hosts.world.run_for(10ms);
  EXPECT_EQ(hosts.server_counters().rst_sent, resets + 1);
}

TEST(Events, EndAllTellsEachConnectionOnce) {
  TwoHosts hosts;
  for (int i = 0; i < 10; ++i) (void)hosts.connect();
  hosts.world.run_for(1s);
  ASSERT_EQ(hosts.client.opened, 10);
  hosts.world.stack(hosts.client_host).stop(hosts.world.now());
  hosts.world.stack(hosts.client_host).end_all(CloseReason::stopped);
  EXPECT_EQ(hosts.client.closed, std::vector(10, CloseReason::stopped));
  EXPECT_EQ(hosts.client_worker().open_count(), 0U);
  hosts.world.run_for(1s);
  EXPECT_EQ(hosts.client.closed.size(), 10U);
}

TEST(Events, StoppedStackBeginsNothingNew) {
  TwoHosts hosts;
  (void)hosts.connect();
  ASSERT_TRUE(wait_open(hosts));
  std::vector<Error> refused;
  hosts.client.at_closed = [&](Connection c, CloseReason) {
    refused.push_back(c.worker().connect(TwoHosts::kServer, hosts.client).error());
  };
  hosts.world.stack(hosts.client_host).stop(hosts.world.now());
  hosts.world.run_for(1s);
  EXPECT_EQ(refused, std::vector{Error::wrong_state});
  EXPECT_EQ(hosts.client_worker().open_count(), 0U);

  hosts.world.stack(hosts.server_host).stop(hosts.world.now());
  Party late;
  EXPECT_EQ(hosts.server_worker().listen({TwoHosts::kServer.address, 81}, late).error(),
            Error::wrong_state);
}

// What is open needs packets more than what is not: SYNs are the first to be dropped.
TEST(Events, SynsAreDroppedWhilePacketsAreLow) {
  TwoHosts hosts;
  std::vector<base::Packet> taken(hosts.world.pool(hosts.server_host).capacity() * 9 / 10);
  taken.resize(hosts.world.pool(hosts.server_host).allocate(taken));
  // The stack looks at its pool whenever it fetches packets, some tens at a time: let it answer as
  // many segments.
  (void)hosts.connect();
  ASSERT_TRUE(wait_open(hosts));
  for (int i = 0; i < 40; ++i) {
    hosts.replay(hosts.frames.front());
    hosts.world.run_for(2ms);
  }
  Party late;
  ASSERT_TRUE(hosts.client_worker().connect(TwoHosts::kServer, late));
  hosts.world.run_for(500ms);
  EXPECT_EQ(late.opened, 0);
  EXPECT_GE(hosts.server_counters().syn_dropped_no_packets, 1U);
  hosts.world.pool(hosts.server_host).free(taken);
  EXPECT_TRUE(hosts.world.run_until([&] { return late.opened == 1; }, 1min));
}

// Requests that are held because no packet is left for their answers would be all that the pool
// has: then nothing could ever be answered. Text that finds the pool nearly empty is refused, and
// an answer to what is being taken may have a packet when little else may.
TEST(Events, AnswersGoOnWhilePacketsAreLow) {
  constexpr std::size_t kConnections = 600;
  TwoHosts hosts([](StackConfig& config) {
    config.max_connections = kConnections;
    config.max_half_open = kConnections;
  });
  hosts.server.at_data = [](Connection connection, Bytes data) {
    return connection.send(data).value_or(0);
  };
  hosts.server.at_writable = [](Connection connection) { (void)connection.resume_receive(); };
  std::vector<Connection> opened;
  hosts.client.at_open = [&](Connection connection) { opened.push_back(connection); };
  for (std::size_t i = 0; i < kConnections; ++i) {
    hosts.connect();
    if (i % 100 == 99) hosts.world.run_for(5ms);
  }
  ASSERT_TRUE(hosts.world.run_until([&] { return opened.size() == kConnections; }, 10s));

  drivers::SimPool& pool = hosts.world.pool(hosts.server_host);
  std::vector<base::Packet> taken(pool.capacity() - pool.capacity() / 5);
  taken.resize(pool.allocate(taken));
  const std::string request(64, 'q');
  for (Connection connection : opened) {
    ASSERT_EQ(connection.send(bytes_of(request)).value_or(0), request.size());
  }
  const auto all_answered = [&] { return hosts.client.received.size() == kConnections * 64; };
  EXPECT_TRUE(hosts.world.run_until(all_answered, 5min)) << hosts.client.received.size() / 64;
  EXPECT_GE(hosts.server_counters().text_refused_no_packets, 1U);
  pool.free(taken);
}

TEST(Calls, SayWhatIsWrong) {
  TwoHosts hosts([](StackConfig& config) { config.max_connections = 1; });
  Worker& worker = hosts.client_worker();
  const auto connect = [&](const Endpoint& to, const ConnectOptions& options = {}) {
    return worker.connect(to, hosts.client, options).error();
  };
  EXPECT_EQ(connect({Address{}, 80}), Error::invalid_address);
  EXPECT_EQ(connect({Address::v4(0xe0000001), 80}), Error::invalid_address);
  EXPECT_EQ(connect({Address::v4(0xc61200ff), 80}), Error::invalid_address);  // broadcast
  EXPECT_EQ(connect({TwoHosts::kServer.address, 0}), Error::invalid_address);
  EXPECT_EQ(connect({Address::v4(0x08080808), 80}), Error::no_route);
  EXPECT_EQ(connect(TwoHosts::kServer, {.source = Address::v4(0xc6120033)}),
            Error::not_our_address);
  (void)hosts.connect(5000);
  EXPECT_EQ(connect(TwoHosts::kServer), Error::no_connection_slot);
  Worker& server = hosts.server_worker();
  EXPECT_EQ(server.listen(TwoHosts::kServer, hosts.server).error(), Error::address_in_use);
  EXPECT_EQ(server.listen({Address::v4(0xc6120099), 80}, hosts.server).error(),
            Error::not_our_address);
  EXPECT_EQ(server.listen({TwoHosts::kServer.address, 0}, hosts.server).error(),
            Error::invalid_address);
}

TEST(Calls, SourcePortInUseIsRefused) {
  TwoHosts hosts;
  (void)hosts.connect(5000);
  const auto again =
      hosts.client_worker().connect(TwoHosts::kServer, hosts.client, {.source_port = 5000});
  EXPECT_EQ(again.error(), Error::address_in_use);
}

TEST(Calls, PortsRunOutAndSaySo) {
  TwoHosts hosts([](StackConfig& config) {
    config.first_port = 6000;
    config.last_port = 6002;
  });
  for (int i = 0; i < 2; ++i) (void)hosts.connect();  // the set-up's probe is gone: no TIME-WAIT
  (void)hosts.connect();
  const auto fourth = hosts.client_worker().connect(TwoHosts::kServer, hosts.client);
  EXPECT_EQ(fourth.error(), Error::no_free_port);
  EXPECT_EQ(hosts.client_counters().ports_exhausted, 1U);
}

TEST(Calls, InfoTellsTheState) {
  TwoHosts hosts;
  const Connection connection = hosts.connect(5000);
  EXPECT_EQ(connection.info()->state, State::syn_sent);
  ASSERT_TRUE(wait_open(hosts));
  const ConnectionInfo info = connection.info().value();
  EXPECT_EQ(info.state, State::established);
  EXPECT_EQ(info.local, TwoHosts::kClient);
  EXPECT_EQ(info.remote, TwoHosts::kServer);
  EXPECT_TRUE(info.timestamps);
  EXPECT_TRUE(info.window_scaling);
  EXPECT_EQ(info.snd_mss, 1448U);
  EXPECT_GE(info.rtt_us, 2000U);
  EXPECT_LT(info.rtt_us, 2200U);
  const StateCounts counts = hosts.client_worker().state_counts();
  EXPECT_EQ(counts[static_cast<std::size_t>(State::established)], 1U);
}

TEST(Calls, AWalkPassesAllThatAreAlive) {
  TwoHosts hosts;
  Worker& worker = hosts.client_worker();
  EXPECT_EQ(worker.next_connection({}), Connection{});
  std::vector<Connection> opened;
  for (std::uint16_t port = 5000; port < 5005; ++port) opened.push_back(hosts.connect(port));
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.client.opened == 5; }, 1min));
  ASSERT_TRUE(opened[0].abort());
  ASSERT_TRUE(opened[3].abort());
  std::vector<Connection> met;
  for (Connection at = worker.next_connection({}); at != Connection{};
       at = worker.next_connection(at)) {
    met.push_back(at);
  }
  EXPECT_EQ(met, (std::vector{opened[1], opened[2], opened[4]}));
  // One that has ended is a place to go on from all the same.
  ASSERT_TRUE(opened[2].abort());
  hosts.world.run_for(100ms);
  ASSERT_FALSE(opened[2].is_alive());
  EXPECT_EQ(worker.next_connection(opened[2]), opened[4]);
  EXPECT_EQ(worker.next_connection(opened[4]), Connection{});
}

}  // namespace
}  // namespace handfast::stack
