// The opener at a rate that cannot be kept: it opens what the link takes, and no more.

#include "apps/load/opener.hpp"

#include <gtest/gtest.h>

#include "drivers/link/sim_pool.hpp"
#include "stack/pump.hpp"
#include "wire/arp.hpp"

namespace handfast::load {
namespace {

constexpr base::MacAddress kOurMac{2, 0, 0, 0, 0, 1};
constexpr base::MacAddress kPeerMac{2, 0, 0, 0, 0, 2};
constexpr Address kOurs = Address::v4(0xc6120001);
constexpr Endpoint kServer{Address::v4(0xc6120002), 80};

// Says once who the server is, and then only takes frames: `per_turn` of them.
class Link final : public base::Device {
 public:
  const base::DeviceInfo& info() const override { return info_; }
  base::PacketPool& pool() override { return pool_; }
  std::size_t receive(Instant, std::span<base::Packet> out) override {
    left_ = per_turn;
    if (is_known_ || pool_.allocate(out.first(1)) == 0) return 0;
    is_known_ = true;
    const auto link = wire::make_link_header(kOurMac, kPeerMac, {}, wire::kEtherTypeArp);
    out[0].length = wire::emit_arp(out[0].data, link,
                                   {.operation = wire::Arp::Operation::request,
                                    .sender_mac = kPeerMac,
                                    .sender_ip = kServer.address,
                                    .target_ip = kOurs});
    return 1;
  }
  std::size_t send(Instant, std::span<const base::Packet> frames) override {
    const std::size_t n = std::min(frames.size(), left_);
    pool_.free(frames.first(n));
    left_ -= n;
    taken += n;
    return n;
  }

  std::size_t per_turn = 64;
  std::size_t taken = 0;

 private:
  base::DeviceInfo info_{.mac = kOurMac};
  drivers::SimPool pool_{8192};
  std::size_t left_ = 0;
  bool is_known_ = false;
};

struct Client {};  // nobody answers

// Opens at `rate` for so many turns of 10 us; returns how many SYNs the link took.
std::size_t open(Link& link, double rate, int turns, Tally& tally) {
  StackConfig config;
  config.interface.addresses = {{kOurs, 24}};
  config.max_connections = 60'000;
  const auto stack = stack::Stack::create(config, {}, link.info(), link.pool(), nullptr).value();
  stack::Pump pump(*stack, link);
  Instant now = Instant::from_ns(1'000'000'000);
  pump.turn(now);
  const std::size_t before = link.taken;
  const ClientPlan plan{.server = kServer,
                        .source = {kOurs, 32},
                        .on_link = {kOurs, 24},
                        .rate = rate,
                        .concurrency = 60'000,
                        .max_time_wait = 100'000};
  tally.established = 1;  // as if one had been answered: it need not be the first alone any more
  Client client;
  Opener opener(plan, tally);
  opener.start(now);
  std::uint64_t in_flight = 0;
  for (int turn = 0; turn < turns; ++turn) {
    now = now + std::chrono::microseconds(10);
    pump.turn(now, [&] { opener.poll(stack->worker(), client, in_flight); });
  }
  return link.taken - before;
}

TEST(Opener, OpensNoMoreThanTheLinkTakes) {
  Link link;
  link.per_turn = 4;  // 400,000 a second
  Tally tally;
  const std::size_t taken = open(link, 5e6, 1000, tally);
  EXPECT_GT(taken, 3'900U);
  EXPECT_LE(tally.attempted, taken + kOpensPerPoll);
}

TEST(Opener, KeepsARateThatTheLinkTakes) {
  Link link;
  Tally tally;
  const std::size_t taken = open(link, 1e6, 1000, tally);
  EXPECT_EQ(tally.attempted, taken);
  EXPECT_NEAR(static_cast<double>(taken), 10'000, 20);
}

}  // namespace
}  // namespace handfast::load
