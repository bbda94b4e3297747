// What TIME-WAIT is for, and duplicates from the past in general.

#include "two_hosts.hpp"

namespace handfast::stack {
namespace {

constexpr std::uint8_t kSynOnly = 0x02;

class TimeWait : public testing::TestWithParam<Family> {};
class OldDuplicate : public testing::TestWithParam<Family> {};
INSTANTIATE_TEST_SUITE_P(Over, TimeWait, testing::Values(Family::ipv4, Family::ipv6), name_of);
INSTANTIATE_TEST_SUITE_P(Over, OldDuplicate, testing::Values(Family::ipv4, Family::ipv6), name_of);

// Client closes first and keeps TIME-WAIT.
void close_orderly(TwoHosts& hosts) {
  hosts.client.at_open = [](Connection c) { (void)c.close(); };
  hosts.connect();
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(); }, 1min));
}

TEST_P(TimeWait, LastsTwiceTheMsl) {
  TwoHosts hosts({}, GetParam());
  close_orderly(hosts);
  EXPECT_EQ(hosts.client_worker().time_wait_count(), 1U);
  EXPECT_EQ(hosts.server_worker().time_wait_count(), 0U);
  hosts.world.run_for(59s);
  EXPECT_EQ(hosts.client_worker().time_wait_count(), 1U);
  hosts.world.run_for(2s);
  EXPECT_EQ(hosts.client_worker().time_wait_count(), 0U);
  EXPECT_EQ(hosts.client_counters().time_wait_kept, 1U);
  hosts.expect_nothing_left();
}

TEST_P(TimeWait, AnswersTheLostLastAckAndStartsAgain) {
  TwoHosts hosts({}, GetParam());
  hosts.to_drop = {4};  // SYN, SYN-ACK, ACK+FIN, FIN+ACK, ACK
  close_orderly(hosts);
  EXPECT_EQ(hosts.client_counters().time_wait_answered, 1U);
  EXPECT_EQ(hosts.client_counters().time_wait_restarted, 1U);
  EXPECT_EQ(hosts.server_counters().fin_retransmitted, 1U);
  EXPECT_EQ(hosts.server.closed, std::vector{CloseReason::finished});
  hosts.world.run_for(59'950ms);  // from the answer on, not from when the state was entered
  EXPECT_EQ(hosts.client_worker().time_wait_count(), 1U);
  hosts.world.run_for(1s);
  EXPECT_EQ(hosts.client_worker().time_wait_count(), 0U);
  hosts.expect_nothing_left();
}

// RFC 9293 section 3.6.1: however much the old connection has sent in a short time.
TEST_P(TimeWait, ANewConnectionBeginsBeyondTheOldNumbers) {
  TwoHosts hosts({}, GetParam());
  constexpr std::size_t kBytes = 1'000'000;
  std::size_t sent = 0;
  const auto send_on = [&sent](Connection c) {
    const std::string text(kBytes - sent, 'a');
    sent += c.send(bytes_of(text)).value_or(0);
    if (sent == kBytes) (void)c.close();
  };
  hosts.server.at_open = send_on;
  hosts.server.at_writable = send_on;
  hosts.connect(5000);
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(); }, 1min));
  ASSERT_EQ(hosts.client.received.size(), kBytes);
  const auto number_at = [](const Frame& frame, std::size_t at) {
    return base::Seq{base::load_be32(&frame[tcp_at(frame) + at])};
  };
  constexpr std::size_t kSequenceAt = 4;
  const std::size_t before = hosts.frames.size();
  const base::Seq first = number_at(hosts.frames[1], kSequenceAt);
  hosts.connect(5000);
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.server.opened == 2; }, 1min));
  ASSERT_EQ(hosts.server_counters().time_wait_reused, 1U);
  const base::Seq second = number_at(hosts.frames[before + 1], kSequenceAt);
  EXPECT_TRUE(second.is_after(first + kBytes)) << second.raw() - first.raw();
}

TEST_P(TimeWait, OldSynIsAcknowledgedAndOpensNothing) {
  TwoHosts hosts({}, GetParam());
  hosts.server.at_open = [](Connection c) { (void)c.close(); };  // TIME-WAIT at the server
  hosts.connect();
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(); }, 1min));
  ASSERT_EQ(hosts.server_worker().time_wait_count(), 1U);
  const Frame syn = hosts.frames.front();
  ASSERT_EQ(flags_of(syn), kSynOnly);
  hosts.replay(syn);
  hosts.world.run_for(10s);
  EXPECT_EQ(hosts.server.opened, 1);
  EXPECT_EQ(hosts.server_worker().half_open_count(), 0U);
  EXPECT_EQ(hosts.server_worker().time_wait_count(), 1U);  // the client's RST does not end it
  EXPECT_EQ(hosts.server_counters().time_wait_answered, 1U);
}

TEST_P(TimeWait, NewSynIsLetIn) {
  TwoHosts hosts({}, GetParam());
  hosts.server.at_open = [](Connection c) { (void)c.close(); };
  hosts.connect(5000);
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(); }, 1min));
  hosts.world.run_for(1s);
  hosts.connect(5000);
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(2); }, 1min));
  EXPECT_EQ(hosts.server_counters().time_wait_reused, 1U);
  EXPECT_EQ(hosts.server.opened, 2);
  hosts.world.run_for(3min);
  hosts.expect_nothing_left();
}

TEST_P(TimeWait, OldSegmentDoesNotEnterTheNextConnection) {
  TwoHosts hosts({}, GetParam());
  hosts.client.at_open = [](Connection c) { (void)c.send(bytes_of("first connection")); };
  hosts.server.at_data = [](Connection c, Bytes data) {
    (void)c.close();
    return data.size();
  };
  hosts.connect(5000);
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(); }, 1min));
  const std::vector<Frame> old = hosts.frames;
  hosts.world.run_for(1s);

  hosts.server.received.clear();
  hosts.client.at_open = {};
  hosts.server.at_data = {};
  const Connection second = hosts.connect(5000);
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.server.opened == 2; }, 1min));
  for (const Frame& frame : old) hosts.replay(frame);
  hosts.world.run_for(1s);
  EXPECT_EQ(hosts.server.received, "");
  EXPECT_TRUE(second.is_alive());
  EXPECT_TRUE(hosts.server.last.is_alive());
}

TEST_P(TimeWait, FullTableCutsTheOldestShortAndSaysSo) {
  TwoHosts hosts([](StackConfig& config) { config.max_time_wait = 2; }, GetParam());
  for (int i = 0; i < 3; ++i) {
    hosts.client.at_open = [](Connection c) { (void)c.close(); };
    hosts.connect();
    ASSERT_TRUE(hosts.world.run_until(
        [&] { return hosts.both_closed(static_cast<std::size_t>(i) + 1); }, 1min));
  }
  EXPECT_EQ(hosts.client_worker().time_wait_count(), 2U);
  EXPECT_EQ(hosts.client_counters().time_wait_cut_short, 1U);
}

TEST_P(OldDuplicate, SynOpensNoConnection) {
  TwoHosts hosts({}, GetParam());
  close_orderly(hosts);
  const Frame syn = hosts.frames.front();
  hosts.world.run_for(3min);
  hosts.replay(syn);
  hosts.world.run_for(1s);
  // The server answered, the client knew nothing of it and reset it (RFC 9293 figure 9).
  EXPECT_EQ(hosts.server_counters().passive_opens, 2U);
  EXPECT_EQ(hosts.server.opened, 1);
  hosts.expect_nothing_left();
}

TEST_P(OldDuplicate, SynInAnEstablishedConnectionIsChallenged) {
  TwoHosts hosts({}, GetParam());
  const Connection connection = hosts.connect();
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.server.opened == 1; }, 1min));
  hosts.replay(hosts.frames.front());
  hosts.world.run_for(1s);
  EXPECT_TRUE(connection.is_alive());
  EXPECT_TRUE(hosts.server.last.is_alive());
}

// Figure 10: one end has forgotten everything; the other's segment is answered by a reset.
TEST_P(OldDuplicate, SegmentToNobodyIsReset) {
  TwoHosts hosts({}, GetParam());
  (void)hosts.connect();
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.server.opened == 1; }, 1min));
  // The server's own reset is lost: the client does not hear that it is alone.
  hosts.to_drop = {hosts.frames.size()};
  (void)hosts.server.last.abort();
  hosts.world.run_for(1s);
  ASSERT_EQ(hosts.server.closed, std::vector{CloseReason::aborted});
  (void)hosts.client.last.send(bytes_of("anyone there?"));
  ASSERT_TRUE(hosts.world.run_until([&] { return !hosts.client.closed.empty(); }, 1min));
  EXPECT_EQ(hosts.client.closed, std::vector{CloseReason::reset});
  EXPECT_EQ(hosts.server_counters().drop_no_listener, 1U);  // beside the set-up's own probe
}

}  // namespace
}  // namespace handfast::stack
