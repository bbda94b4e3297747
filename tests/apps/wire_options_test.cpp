#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

#include "apps/wire/direction.hpp"
#include "apps/wire/nap.hpp"
#include "apps/wire/options.hpp"
#include "apps/wire/ports.hpp"
#include "drivers/link/link.hpp"
#include "tests/apps/refusal.hpp"
#include "tests/drivers/frames.hpp"

namespace handfast::emulator {
namespace {

using namespace std::chrono_literals;

std::expected<Options, apps::Ending> parse(std::initializer_list<const char*> arguments) {
  const std::vector<const char*> list(arguments);
  return parse_options(list);
}

TEST(WireOptions, ReadsTheWeatherOfBothDirections) {
  const auto options = parse({"net_af_packet0,iface=a",
                              "net_af_packet1,iface=b",
                              "--loss",
                              "1%",
                              "--burst-loss",
                              "1%,25%,0.8,0.001",
                              "--delay",
                              "10ms",
                              "--jitter",
                              "500us",
                              "--reorder",
                              "0.1",
                              "--reorder-by",
                              "3ms",
                              "--duplicate",
                              "2%",
                              "--corrupt",
                              "0.1%",
                              "--rate",
                              "1G",
                              "--queue",
                              "256KB",
                              "--ecn",
                              "65frames",
                              "--seed",
                              "42",
                              "--duration",
                              "5s",
                              "--idle",
                              "poll"});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->a.name, "net_af_packet0");
  EXPECT_EQ(options->b.arguments, "net_af_packet1,iface=b");
  EXPECT_EQ(options->seed, 42u);
  EXPECT_EQ(options->duration, Duration(5s));
  EXPECT_EQ(options->idle, IdleMode::poll);
  for (const drivers::Impairment& weather : {options->a_to_b, options->b_to_a}) {
    EXPECT_DOUBLE_EQ(weather.drop, 0.01);
    EXPECT_DOUBLE_EQ(weather.bursts.p, 0.01);
    EXPECT_DOUBLE_EQ(weather.bursts.r, 0.25);
    EXPECT_DOUBLE_EQ(weather.bursts.loss_bad, 0.8);
    EXPECT_DOUBLE_EQ(weather.bursts.loss_good, 0.001);
    EXPECT_EQ(weather.delay, 10ms);
    EXPECT_EQ(weather.jitter, 500us);
    EXPECT_DOUBLE_EQ(weather.reorder, 0.1);
    EXPECT_EQ(weather.reorder_delay, 3ms);
    EXPECT_DOUBLE_EQ(weather.duplicate, 0.02);
    EXPECT_DOUBLE_EQ(weather.corrupt, 0.001);
    EXPECT_EQ(weather.bits_per_second, 1'000'000'000u);
    EXPECT_EQ(weather.queue_max.bytes, 256'000u);
    EXPECT_EQ(weather.queue_max.frames, 0u);
    EXPECT_EQ(weather.ce_threshold.frames, 65u);
  }
}

TEST(WireOptions, OneDirectionWinsWhereverItStands) {
  const auto options =
      parse({"a", "b", "--ba-delay", "0", "--delay", "10ms", "--ab-loss", "1", "--ba-rate",
             "2.5Gbit/s", "--ba-burst-loss", "1%,50%", "--burst-loss", "0"});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->a_to_b.delay, 10ms);
  EXPECT_EQ(options->b_to_a.delay, 0ms);
  EXPECT_EQ(options->a_to_b.drop, 1);
  EXPECT_EQ(options->b_to_a.drop, 0);
  EXPECT_EQ(options->a_to_b.bits_per_second, 0u);
  EXPECT_EQ(options->b_to_a.bits_per_second, 2'500'000'000u);
  EXPECT_EQ(options->b_to_a.queue_max.frames, 1000u);
  EXPECT_FALSE(options->a_to_b.bursts.is_on());
  EXPECT_TRUE(options->b_to_a.bursts.is_on());
  EXPECT_EQ(options->b_to_a.bursts.loss_bad, 1);
}

TEST(WireOptions, RefusesInOneLineWhatMakesNoSense) {
  EXPECT_REFUSED("two ports");
  EXPECT_REFUSED("two ports", "net_tap0");
  EXPECT_REFUSED("At Most 2", "a", "b", "c");
  EXPECT_REFUSED("number them", "net_tap,iface=a", "net_tap,iface=b");
  EXPECT_REFUSED("--loss: '101%' is not a probability", "a", "b", "--loss", "101%");
  EXPECT_REFUSED("is not a probability", "a", "b", "--loss", "-0.1");
  EXPECT_REFUSED("is not a probability", "a", "b", "--loss", "nan");
  EXPECT_REFUSED("is not a probability", "a", "b", "--loss", "%");
  EXPECT_REFUSED("--ab-delay: '10' is not a time", "a", "b", "--ab-delay", "10");
  EXPECT_REFUSED("is not a rate", "a", "b", "--rate", "fast");
  EXPECT_REFUSED("is not a rate", "a", "b", "--rate", "0.5");
  EXPECT_REFUSED("is not a length of a queue", "a", "b", "--rate", "1G", "--queue", "9apples");
  EXPECT_REFUSED("is not a length of a queue", "a", "b", "--rate", "1G", "--queue", "frames");
  EXPECT_REFUSED("--ab-queue has no effect without a rate", "a", "b", "--queue", "64kB");
  EXPECT_REFUSED("--ba-ecn has no effect", "a", "b", "--ab-rate", "1G", "--ecn", "64kB");
  EXPECT_REFUSED("P,R[,BAD[,GOOD]]", "a", "b", "--burst-loss", "1%");
  EXPECT_REFUSED("P,R[,BAD[,GOOD]]", "a", "b", "--burst-loss", "1%,2%,3%,4%,5%");
  EXPECT_REFUSED("never recovers", "a", "b", "--burst-loss", "1%,0");
  EXPECT_REFUSED("not a probability", "a", "b", "--burst-loss", "1%,,1");
  EXPECT_REFUSED("'spin' is none of poll, sleep", "a", "b", "--idle", "spin");
  EXPECT_REFUSED("is not from", "a", "b", "--held", "1");
  EXPECT_REFUSED("more than one CPU", "a", "b", "--cpu", "0-1");
  EXPECT_REFUSED("cannot write", "a", "b", "--json", "/nonexistent/report.json");
}

TEST(WireOptions, PortsAreMadeAsTheyAreWritten) {
  const auto options = parse({"net_tap0,iface=x", "0000:00:04.0", "--", "--log-level=debug"});
  ASSERT_TRUE(options) << options.error().text;
  const RuntimeConfig config = runtime_config(*options, 1000);
  EXPECT_EQ(config.eal, (std::vector<std::string>{"--log-level=debug", "--vdev=net_tap0,iface=x",
                                                  "--allow=0000:00:04.0"}));
  EXPECT_EQ(config.ports[0].device, "net_tap0");
  EXPECT_EQ(config.ports[1].device, "0000:00:04.0");
  EXPECT_GT(config.packets_per_worker, 1000u);
  const auto theirs = parse({"net_tap0", "net_tap1", "--", "--vdev=net_tap0,iface=x"});
  ASSERT_TRUE(theirs);
  EXPECT_EQ(runtime_config(*theirs, 1000).eal,
            (std::vector<std::string>{"--vdev=net_tap0,iface=x", "--vdev=net_tap1"}));
}

TEST(WireOptions, APortWhoseNameBeginsAnothersIsMadeToo) {
  const auto options = parse({"net_memif10,id=0", "net_memif1,id=1"});
  ASSERT_TRUE(options);
  EXPECT_EQ(runtime_config(*options, 1000).eal,
            (std::vector<std::string>{"--vdev=net_memif10,id=0", "--vdev=net_memif1,id=1"}));
}

TEST(WireOptions, WhatIsInTheAirHasRoom) {
  EXPECT_EQ(frames_in_flight({}), 32'768u);
  EXPECT_EQ(frames_in_flight({.delay = 10ms, .bits_per_second = 1'000'000'000}), 32'768u);
  // 125 MB in the air, and no frame of Ethernet carries less than 60 bytes.
  EXPECT_GT(frames_in_flight({.delay = 100ms, .bits_per_second = 10'000'000'000}), 80'000u);
  EXPECT_GT(frames_in_flight({.bits_per_second = 1, .queue_max = {.frames = 100'000}}), 100'000u);
}

constexpr Instant at(Duration since_start) {
  return Instant::from_ns(0) + since_start;
}

// A host on either side of the wire; the wire has the ports in the middle.
struct Joined {
  drivers::SimPool pool{512};
  drivers::Link left;
  drivers::Link right;
  drivers::LinkPort& host_a = left.add_port(pool, {.mac = drivers::mac_of(1)});
  drivers::LinkPort& a = left.add_port(pool, {.mac = drivers::mac_of(8)});
  drivers::LinkPort& b = right.add_port(pool, {.mac = drivers::mac_of(9)});
  drivers::LinkPort& host_b = right.add_port(pool, {.mac = drivers::mac_of(2)});

  void send_from_a(Instant now, std::uint32_t number) {
    drivers::send_one(host_a, now,
                      drivers::make_frame(pool, drivers::mac_of(2), drivers::mac_of(1), number));
  }
  void send_from_b(Instant now, std::uint32_t number) {
    drivers::send_one(host_b, now,
                      drivers::make_frame(pool, drivers::mac_of(1), drivers::mac_of(2), number));
  }
};

TEST(WireNap, IsShortWhileTheNetworkIsInUseAndNeverBeyondTheNextFrame) {
  const Instant now = Instant::from_ns(1'000'000'000);
  EXPECT_EQ(time_to_nap(now, now - 1ms, Instant::never()), kNapMax);
  EXPECT_EQ(time_to_nap(now, now - 1ms, now + 30us), Duration(30us));
  EXPECT_EQ(time_to_nap(now, now - 1ms, now + 1us), kNapMin);
  EXPECT_EQ(time_to_nap(now, now - 1ms, now - 1us), kNapMin);
  EXPECT_EQ(time_to_nap(now, now - 1s, Instant::never()), runtime::IdleSleep::kLongest);
  EXPECT_EQ(time_to_nap(now, now - 1s, now + 300us), Duration(300us));
}

TEST(WireDirection, CarriesEachWayUnderItsOwnWeather) {
  Joined net;
  Direction a_to_b(net.a, net.b, {.delay = 1ms}, 1, 256);
  Direction b_to_a(net.b, net.a, {.drop = 1}, 2, 256);
  EXPECT_FALSE(a_to_b.turn(at(0ns)));
  net.send_from_a(at(0ns), 5);
  net.send_from_b(at(0ns), 6);
  EXPECT_TRUE(a_to_b.turn(at(0ns)));
  EXPECT_TRUE(b_to_a.turn(at(0ns)));
  EXPECT_EQ(a_to_b.next_release(), at(1ms));
  EXPECT_TRUE(b_to_a.next_release().is_never());
  EXPECT_EQ(a_to_b.counters().held, 1u);
  EXPECT_FALSE(a_to_b.turn(at(1ms - 1ns)));
  EXPECT_TRUE(a_to_b.turn(at(1ms)));
  EXPECT_EQ(drivers::receive_numbers(net.host_b, at(1ms)), std::vector<std::uint32_t>{5});
  EXPECT_TRUE(drivers::receive_numbers(net.host_a, at(1s)).empty());
  EXPECT_EQ(a_to_b.counters().forwarded, 1u);
  EXPECT_EQ(b_to_a.counters().weather.dropped, 1u);
  EXPECT_EQ(net.pool.outstanding(), 0u);
}

TEST(WireDirection, CountsWhatItCannotHold) {
  Joined net;
  Direction a_to_b(net.a, net.b, {.delay = 1ms}, 1, 10);
  for (std::uint32_t i = 0; i < 30; ++i) net.send_from_a(at(0ns), i);
  a_to_b.turn(at(0ns));
  const DirectionCounters counters = a_to_b.counters();
  EXPECT_EQ(counters.held, 9u);
  EXPECT_EQ(counters.dropped_full, 21u);
  EXPECT_EQ(counters.weather.frames, 9u);
  EXPECT_EQ(net.pool.outstanding(), 9u);
}

TEST(WireDirection, GivesBackWhatIsOnItsWayAtTheEnd) {
  Joined net;
  {
    Direction a_to_b(net.a, net.b, {.delay = 1ms}, 1, 64);
    for (std::uint32_t i = 0; i < 30; ++i) net.send_from_a(at(0ns), i);
    a_to_b.turn(at(0ns));
    EXPECT_EQ(net.pool.outstanding(), 30u);
  }
  EXPECT_EQ(net.pool.outstanding(), 0u);
}

}  // namespace
}  // namespace handfast::emulator
