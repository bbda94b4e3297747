// What must not leave while a connection opens, and what must. Two hosts in virtual time.

#include "drivers/impair/tcp_rewrite.hpp"
#include "tests/stack/two_hosts.hpp"

namespace handfast::stack {
namespace {

using base::kAck;
using base::kSyn;

// In SYN-SENT there is no number yet that an ACK could name.
TEST(Opening, ResumingBeforeItIsOpenSendsNothing) {
  TwoHosts hosts;
  const std::size_t before = hosts.frames.size();
  Connection connection = hosts.connect();
  ASSERT_TRUE(connection.resume_receive());
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.server.opened == 1; }, 10s));
  ASSERT_EQ(hosts.frames.size(), before + 3);
  EXPECT_EQ(flags_of(hosts.frames[before]), kSyn);
  EXPECT_EQ(flags_of(hosts.frames[before + 1]), kSyn | kAck);
  EXPECT_EQ(flags_of(hosts.frames[before + 2]), kAck);
}

// Both arrive in one burst; the answer to the second would be an ACK alone.
TEST(Opening, ASegmentBehindTheSynDoesNotTakeTheSynAcksPlace) {
  TwoHosts hosts([](StackConfig& config) { config.timestamps = false; });
  const std::size_t before = hosts.frames.size();
  hosts.to_drop = {before};
  hosts.connect();
  hosts.world.run_for(10ms);
  ASSERT_EQ(hosts.frames.size(), before + 1);
  const Frame syn = hosts.frames[before];
  const auto glance = drivers::glance_at(syn);
  ASSERT_TRUE(glance);
  const Frame stray = drivers::forge(
      syn, *glance, {.seq = glance->seq + 1'000'000'000, .ack = glance->seq, .flags = kAck});
  hosts.replay(syn);
  hosts.replay(stray);
  hosts.world.run_for(5ms);
  ASSERT_GE(hosts.frames.size(), before + 4);
  EXPECT_EQ(flags_of(hosts.frames[before + 3]), kSyn | kAck);
}

// A SYN that anybody can forge opens a record at the server, towards a client in TIME-WAIT. Neither
// finds the other's ACKs acceptable.
TEST(Opening, AForgedSynStartsNoExchangeOfAcks) {
  TwoHosts hosts;
  const std::size_t before = hosts.frames.size();
  hosts.client.at_open = [](Connection connection) { (void)connection.close(); };
  hosts.connect();
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(); }, 10s));
  ASSERT_EQ(hosts.client_worker().time_wait_count(), 1U);
  const Frame syn = hosts.frames[before];
  const auto glance = drivers::glance_at(syn);
  ASSERT_TRUE(glance);
  const std::size_t closed = hosts.frames.size();
  hosts.replay(drivers::forge(syn, *glance, {.seq = glance->seq + 1'000'000'000, .flags = kSyn}));
  hosts.world.run_for(900ms);
  EXPECT_EQ(hosts.server_worker().half_open_count(), 1U);
  EXPECT_LT(hosts.frames.size(), closed + 10);
}

}  // namespace
}  // namespace handfast::stack
