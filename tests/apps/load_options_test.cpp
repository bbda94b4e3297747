#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

#include "apps/load/gate.hpp"
#include "apps/load/options.hpp"
#include "apps/load/pace.hpp"
#include "apps/load/plan.hpp"
#include "apps/load/sources.hpp"
#include "tests/apps/refusal.hpp"

namespace handfast::load {
namespace {

using std::chrono::seconds;

std::expected<Options, apps::Ending> parse(std::initializer_list<const char*> arguments) {
  const std::vector<const char*> list(arguments);
  return parse_options(list);
}

std::string refusal(std::initializer_list<const char*> arguments) {
  return apps::refusal_in(parse(arguments));
}

TEST(LoadOptions, DefaultsAreTheEmbeddedConnectForTenSeconds) {
  const auto options = parse({});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->mode, Mode::connect);
  EXPECT_TRUE(options->embedded());
  EXPECT_EQ(options->server.to_string(), "198.19.0.1:80");
  EXPECT_EQ(options->address.to_string(), "198.19.0.2/24");
  EXPECT_EQ(options->source_range().to_string(), "198.18.0.0/16");
  EXPECT_EQ(options->duration, Duration(seconds(10)));
  EXPECT_EQ(options->msl, Duration(seconds(30)));
  EXPECT_EQ(options->request_size, 64U);
}

TEST(LoadOptions, ReadsThemAll) {
  const auto options = parse({"request",
                              "--rate",
                              "50k",
                              "--concurrency",
                              "64",
                              "--connections",
                              "10k",
                              "--request-size",
                              "128",
                              "--response-size",
                              "1KiB",
                              "--close",
                              "rst",
                              "--cores",
                              "0,1",
                              "--workers",
                              "2",
                              "--msl",
                              "1s",
                              "--seed",
                              "7",
                              "--source",
                              "198.18.0.0/20",
                              "--max-time-wait",
                              "1M",
                              "--idle",
                              "sleep",
                              "--",
                              "--no-pci"});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->mode, Mode::request);
  EXPECT_EQ(options->rate, 50'000);
  EXPECT_EQ(options->concurrency, 64U);
  EXPECT_EQ(options->connections, 10'000U);
  EXPECT_EQ(options->response_size, 1024U);
  EXPECT_EQ(options->closing, Closing::rst);
  EXPECT_EQ(options->cores, (std::vector<unsigned>{0, 1}));
  EXPECT_EQ(options->workers, 2U);
  EXPECT_EQ(options->seed, 7U);
  EXPECT_EQ(options->max_time_wait, 1'000'000U);
  EXPECT_EQ(make_plan(*options, 1 << 30).runtime.idle, IdleMode::sleep);
  EXPECT_FALSE(options->duration);  // ends with the number
  EXPECT_EQ(options->eal, std::vector<std::string>{"--no-pci"});
}

TEST(LoadOptions, MemoryIsTakenAtStartUnlessAskedNotTo) {
  const auto stack = [](std::initializer_list<const char*> words) {
    return make_plan(*parse(words), 1 << 30).runtime.ports.back().stack;
  };
  const StackConfig usual = stack({"connect", "--connections", "5000"});
  EXPECT_TRUE(usual.prefault);
  EXPECT_EQ(usual.prefault_time_wait, 5000U);
  const StackConfig lazy = stack({"connect", "--connections", "5000", "--no-prefault"});
  EXPECT_FALSE(lazy.prefault);
  EXPECT_EQ(lazy.prefault_time_wait, 0U);
}

TEST(LoadOptions, AStreamWithALengthNeedsNoTime) {
  const auto options = parse({"stream", "--bytes", "100M", "--congestion", "new_reno"});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->bytes, 100'000'000U);
  EXPECT_FALSE(options->duration);
  const Plan plan = make_plan(*options, 1 << 30);
  EXPECT_EQ(plan.client.stream_bytes, 100'000'000U);
  EXPECT_EQ(plan.server.stream_bytes, 100'000'000U);
  for (const PortConfig& port : plan.runtime.ports) {
    EXPECT_EQ(port.stack.congestion_control, CongestionControl::new_reno);
  }
  EXPECT_EQ(make_plan(*parse({"stream"}), 1 << 30).client.stream_bytes, kEndless);
}

TEST(LoadOptions, BothSidesHaveTheMtu) {
  const auto options = parse({"stream", "--mtu", "9000"});
  ASSERT_TRUE(options) << options.error().text;
  for (const PortConfig& port : make_plan(*options, 1 << 30).runtime.ports) {
    EXPECT_EQ(port.stack.interface.mtu, 9000);
  }
  EXPECT_REFUSED("--mtu: '9001' is no MTU; give 576 to 9000", "--mtu", "9001");
  EXPECT_REFUSED("--mtu: '575' is no MTU", "--mtu", "575");
}

TEST(LoadOptions, HelpIsNotARefusal) {
  const auto options = parse({"--help"});
  ASSERT_FALSE(options);
  EXPECT_EQ(options.error().exit_code, 0);
  EXPECT_NE(options.error().text.find("--rate"), std::string::npos);
}

TEST(LoadOptions, UnknownOnesAreNamed) {
  EXPECT_REFUSED("unknown option '--fast'", "--fast");
  EXPECT_REFUSED("--help", "--fast");
  EXPECT_REFUSED("unknown argument 'twice'", "connect", "twice");
  EXPECT_REFUSED("'conect' is none of connect, request, stream, hold, fetch, exchange", "conect");
  EXPECT_REFUSED("--rate", "--rate");
}

TEST(LoadOptions, BadValuesNameTheOption) {
  EXPECT_REFUSED("--rate: 'fast' is not a rate", "--rate", "fast");
  EXPECT_REFUSED("--rate: '0' is not a rate", "--rate", "0");
  EXPECT_REFUSED("--duration: '10' is not a time", "--duration", "10");
  EXPECT_REFUSED("--concurrency: '0'", "--concurrency", "0");
  EXPECT_REFUSED("--connections: '0'", "--connections", "0");
  EXPECT_REFUSED("--request-size: '0'", "--request-size", "0");
  EXPECT_REFUSED("--close: 'politely' is none of fin, rst", "--close", "politely");
  EXPECT_REFUSED("--source: ", "--source", "198.18.0.0/33");
  EXPECT_REFUSED("--server: ", "--server", "198.18.0:80");
  EXPECT_REFUSED("--address: '198.19.0.2' lacks the length", "--address", "198.19.0.2");
  EXPECT_REFUSED("--cores: 'x'", "--cores", "x");
  EXPECT_REFUSED("--workers: 65 is too many", "--workers", "65");
}

TEST(LoadOptions, ContradictionsAreRefused) {
  EXPECT_REFUSED("--close rst and --textbook", "--close", "rst", "--textbook");
  EXPECT_REFUSED("--connections means nothing to stream", "stream", "--connections", "5");
  EXPECT_REFUSED("--rate means nothing to stream", "stream", "--rate", "5");
  EXPECT_REFUSED("fetch needs a --port", "fetch");
  EXPECT_REFUSED("--path 'page' is no path", "fetch", "--path", "page", "--port", "p", "--server",
                 "198.18.0.1:80", "--address", "198.18.0.2/24");
  EXPECT_REFUSED("--bytes means nothing to request", "request", "--bytes", "5M");
  EXPECT_REFUSED("--workers 4 is more", "--workers", "4", "--connections", "3");
  EXPECT_REFUSED("--workers 2 is more", "stream", "--workers", "2");
  EXPECT_REFUSED("--max-time-wait 10 has no room", "hold", "--max-time-wait", "10");
}

TEST(LoadOptions, ExchangeOpens256AndEndsWithItsTime) {
  const auto options = parse({"exchange"});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->mode, Mode::exchange);
  EXPECT_EQ(options->kept(), 256U);
  EXPECT_EQ(options->duration, Duration(seconds(10)));
  EXPECT_EQ(parse({"exchange", "--connections", "5"})->duration, Duration(seconds(10)));
  EXPECT_REFUSED("--request-size 40000 is too large to exchange; at most 32767", "exchange",
                 "--request-size", "40000");
  EXPECT_REFUSED("--response-size 1048576 is too large to exchange", "exchange", "--response-size",
                 "1MiB");
  EXPECT_REFUSED("--in-flight means nothing to request", "request", "--in-flight", "5");
  EXPECT_REFUSED("--workers 2 is more than --in-flight 1", "exchange", "--workers", "2",
                 "--in-flight", "1");
}

TEST(LoadOptions, HeldAreForConnectAndRequest) {
  const auto options = parse({"request", "--held", "1M", "--connections", "10"});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->kept(), 1'000'000U);
  EXPECT_EQ(parse({"connect"})->kept(), 0U);
  EXPECT_REFUSED("--held means nothing to hold", "hold", "--held", "5");
  EXPECT_REFUSED("--held means nothing to exchange", "exchange", "--held", "5");
  EXPECT_REFUSED("--held: '0'", "--held", "0");
  EXPECT_REFUSED("--held 17000000 is too many to keep open", "--held", "17M");
  EXPECT_REFUSED("--connections 17000000 is too many to keep open", "exchange", "--connections",
                 "17M");
  EXPECT_REFUSED("--workers 2 is more than --held 1", "--workers", "2", "--held", "1");
  EXPECT_REFUSED("--max-time-wait 10 has no room for the 10", "--held", "10", "--max-time-wait",
                 "10");
}

TEST(LoadOptions, SourceRangeMustHaveAPortForEachThatIsKept) {
  EXPECT_REFUSED(
      "is too small: 64 512 connections open at once need as many source ports, and "
      "some to spare, and it has 64 512; give at least a /31",
      "--held", "64512", "--source", "198.18.0.1/32");
  EXPECT_EQ(refusal({"hold", "--connections", "64512", "--source", "198.18.0.1/32"}), "(accepted)");
  EXPECT_REFUSED("is too small: 200 000 connections", "exchange", "--connections", "200k", "--port",
                 "net_tap0", "--server", "10.1.0.1:80", "--address", "10.1.0.2/24");
  // 6 million ports while 2MSL lasts fit a /25 with two million to spare.
  EXPECT_REFUSED("is too small: 100 k connections/s need", "--rate", "100k", "--duration", "5m",
                 "--source", "198.18.0.0/25", "--held", "3M");
}

TEST(LoadOptions, AddressesMustFitTogether) {
  EXPECT_REFUSED("needs --server", "--port", "net_tap0");
  EXPECT_REFUSED("--gateway needs a --port", "--gateway", "198.19.0.9");
  EXPECT_REFUSED("is not on the network of --address", "--server", "10.0.0.1:80");
  EXPECT_REFUSED("give a --gateway", "--port", "net_tap0", "--server", "10.0.0.1:80", "--address",
                 "10.1.0.2/24");
  EXPECT_REFUSED("they must differ", "--server", "198.19.0.2:80");
  EXPECT_REFUSED("contains the server's address", "--source", "198.19.0.0/24");
  EXPECT_REFUSED("--gateway 10.2.0.1 is not on", "--port", "net_tap0", "--server", "10.9.0.1:80",
                 "--address", "10.1.0.2/24", "--gateway", "10.2.0.1");
  EXPECT_REFUSED("of different families", "--source", "2001:db8::/64");
}

TEST(LoadOptions, WithAPortTheSourceIsTheOwnAddress) {
  const auto options =
      parse({"--port", "net_tap0", "--server", "10.1.0.1:80", "--address", "10.1.0.2/24"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->source_range().to_string(), "10.1.0.2/32");
}

TEST(LoadOptions, SourceRangeMustLastFor2Msl) {
  // 100k/s for 60 s are 6 million ports: 94 addresses.
  EXPECT_REFUSED("give at least a /25", "--rate", "100k", "--duration", "5m", "--source",
                 "198.18.0.0/26");
  EXPECT_EQ(refusal({"--rate", "100k", "--duration", "5m", "--source", "198.18.0.0/25"}),
            "(accepted)");
  // A short run needs only what it opens.
  EXPECT_EQ(refusal({"--rate", "100k", "--duration", "1s", "--source", "198.18.0.0/31"}),
            "(accepted)");
  EXPECT_EQ(refusal({"--rate", "100k", "--connections", "64k", "--source", "198.18.0.1/32"}),
            "(accepted)");
  EXPECT_REFUSED("is too small", "hold", "--rate", "1k", "--connections", "65k", "--source",
                 "198.18.0.1/32");
}

TEST(LoadOptions, FastOpenIsForRequests) {
  const auto options = parse({"request", "--fast-open"});
  ASSERT_TRUE(options);
  const Plan plan = make_plan(*options, 1 << 30);
  EXPECT_EQ(plan.runtime.ports[0].stack.fast_open, FastOpen::server);
  EXPECT_EQ(plan.runtime.ports[1].stack.fast_open, FastOpen::client);
  EXPECT_TRUE(plan.client.fast_open);
  EXPECT_EQ(make_plan(*parse({"request"}), 1 << 30).runtime.ports[1].stack.fast_open,
            FastOpen::off);
  EXPECT_REFUSED("--fast-open means nothing to connect; it is for request", "--fast-open");
}

TEST(LoadOptions, TsoIsThePortsAffair) {
  const auto plan_with = [](const char* mode) {
    return make_plan(*parse({"stream", "--port", "net_tap0", "--server", "10.1.0.1:80", "--address",
                             "10.1.0.2/24", "--tso", mode}),
                     1 << 30);
  };
  EXPECT_EQ(plan_with("on").runtime.ports[0].tso, Offload::on);
  EXPECT_EQ(plan_with("off").runtime.ports[0].tso, Offload::off);
  EXPECT_EQ(plan_with("auto").runtime.ports[0].tso, Offload::automatic);
  EXPECT_TRUE(parse({"stream", "--tso", "auto"}));
  EXPECT_REFUSED("--tso on needs a --port", "stream", "--tso", "on");
  EXPECT_REFUSED("'yes' is none of auto, off, on", "--tso", "yes");
}

TEST(LoadOptions, FilesMustBeWritable) {
  EXPECT_REFUSED("cannot write 'no-such-place/x.json'", "--json", "no-such-place/x.json");
  EXPECT_REFUSED("cannot write '.': it is a directory", "--pcap", ".");
}

constexpr std::uint64_t kMuchMemory = std::uint64_t{64} << 30;

TEST(Plan, EmbeddedHasTheServerFirst) {
  const Plan plan = make_plan(*parse({"--cores", "0,1", "--seed", "5"}), kMuchMemory);
  ASSERT_EQ(plan.runtime.ports.size(), 2U);
  EXPECT_TRUE(plan.runtime.embedded);
  EXPECT_EQ(plan.server_workers, 1U);
  const StackConfig& server = plan.runtime.ports[0].stack;
  const StackConfig& client = plan.runtime.ports[1].stack;
  EXPECT_EQ(server.interface.addresses.front().to_string(), "198.19.0.1/24");
  ASSERT_EQ(server.interface.routes.size(), 1U);
  EXPECT_EQ(server.interface.routes.front().destination.to_string(), "198.18.0.0/16");
  EXPECT_EQ(server.interface.routes.front().gateway.to_string(), "198.19.0.2");
  EXPECT_EQ(client.interface.owned_ranges.front().to_string(), "198.18.0.0/16");
  EXPECT_TRUE(server.check()) << server.check().error();
  EXPECT_TRUE(client.check()) << client.check().error();
  EXPECT_EQ(server.seed, 5U);
  EXPECT_EQ(client.seed, 5U) << "or frames go to workers that do not own their flows";
}

TEST(Plan, ForeignServerHasOnePort) {
  const auto options = parse({"--port", "net_tap0", "--server", "10.9.0.1:80", "--address",
                              "10.1.0.2/24", "--gateway", "10.1.0.1"});
  ASSERT_TRUE(options);
  const Plan plan = make_plan(*options, kMuchMemory);
  ASSERT_EQ(plan.runtime.ports.size(), 1U);
  EXPECT_FALSE(plan.runtime.embedded);
  EXPECT_EQ(plan.server_workers, 0U);
  EXPECT_TRUE(plan.runtime.ports[0].stack.interface.owned_ranges.empty());
  EXPECT_EQ(plan.runtime.ports[0].stack.interface.gateway, Address::parse("10.1.0.1").value());
}

TEST(Plan, RoomForTimeWaitFollowsTheRunAndTheMemory) {
  const auto rated = parse({"--rate", "100k", "--duration", "30s"});
  EXPECT_GE(make_plan(*rated, kMuchMemory).client.max_time_wait, 3'000'000U);
  EXPECT_LE(make_plan(*rated, kMuchMemory).client.max_time_wait, 3'200'000U);
  const auto unbounded = parse({"--duration", "10m"});
  EXPECT_LE(make_plan(*unbounded, std::uint64_t{1} << 30).client.max_time_wait * 36, 1U << 27);
  const auto set = parse({"--max-time-wait", "1000", "--concurrency", "10"});
  const Plan plan = make_plan(*set, kMuchMemory);
  EXPECT_EQ(plan.client.max_time_wait, 1000U);
  EXPECT_GT(plan.runtime.ports[1].stack.max_time_wait, 1000U);
}

// Streams go on for as long as they are told to: each closes once.
TEST(Plan, StreamsWillLeaveATimeWaitRecordEach) {
  const auto eight = parse({"stream", "--concurrency", "8", "--duration", "1h"});
  ASSERT_TRUE(eight) << eight.error().text;
  const Plan plan = make_plan(*eight, kMuchMemory);
  EXPECT_EQ(plan.runtime.ports[1].stack.prefault_time_wait, 8U);
}

TEST(Plan, BothEndsHaveRoomForWhatIsKept) {
  for (const auto& options : {parse({"hold", "--connections", "10M"}), parse({"--held", "10M"}),
                              parse({"exchange", "--connections", "10M"})}) {
    ASSERT_TRUE(options) << options.error().text;
    const Plan plan = make_plan(*options, kMuchMemory);
    for (const PortConfig& port : plan.runtime.ports) {
      EXPECT_GT(port.stack.max_connections, 10'000'000U);
      EXPECT_LT(port.stack.max_connections, 10'100'000U);
      EXPECT_LT(port.stack.max_half_open, 100'000U);  // handshakes are only so many at once
    }
    EXPECT_GT(plan.client.max_time_wait, 10'000'000U);  // each ends as one
    EXPECT_GT(make_plan(*options, 1 << 20).client.max_time_wait, 10'000'000U);
    EXPECT_TRUE(check_memory(*options, kMuchMemory));
    const auto refused = check_memory(*options, std::uint64_t{4} << 30);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(),
              "10 000 000 connections kept open need about 6.80 GB of memory for both ends, and "
              "4.29 GB are available; give fewer");
  }
}

TEST(Plan, ExchangeHasPacketsForItsRequests) {
  const std::uint32_t usual =
      make_plan(*parse({"request"}), kMuchMemory).runtime.packets_per_worker;
  const Plan few = make_plan(*parse({"exchange", "--connections", "100"}), kMuchMemory);
  EXPECT_EQ(few.runtime.packets_per_worker, usual + 200);
  const Plan many = make_plan(*parse({"exchange", "--connections", "1M"}), kMuchMemory);
  EXPECT_EQ(many.runtime.packets_per_worker, usual + 2 * many.client.in_flight);
  const Plan set =
      make_plan(*parse({"exchange", "--connections", "1M", "--in-flight", "10"}), kMuchMemory);
  EXPECT_EQ(set.client.in_flight, 10U);
}

TEST(Plan, HeldAreSharedAmongTheWorkers) {
  const Plan plan = make_plan(*parse({"--workers", "3", "--held", "1000"}), kMuchMemory);
  std::uint64_t held = 0;
  for (unsigned i = 0; i < 3; ++i) held += plan.client_of(i).held;
  EXPECT_EQ(held, 1000U);
  EXPECT_EQ(plan.client_of(0).connections, 0U);  // as many as the time allows
}

TEST(Gate, OpensForTheLastOfTheWorkers) {
  Gate gate(2);
  EXPECT_FALSE(gate.is_open());
  gate.arrive();
  EXPECT_FALSE(gate.is_open());
  gate.arrive();
  EXPECT_TRUE(gate.is_open());
  EXPECT_FALSE(gate.is_given_up());
  gate.give_up();
  EXPECT_TRUE(gate.is_given_up());
}

TEST(Plan, WorkIsSharedWithoutRest) {
  const auto options =
      parse({"--workers", "3", "--connections", "1000", "--concurrency", "10", "--rate", "3k"});
  ASSERT_TRUE(options);
  const Plan plan = make_plan(*options, kMuchMemory);
  std::uint64_t connections = 0;
  std::uint64_t concurrency = 0;
  for (unsigned i = 0; i < 3; ++i) {
    connections += plan.client_of(i).connections;
    concurrency += plan.client_of(i).concurrency;
    EXPECT_DOUBLE_EQ(plan.client_of(i).rate, 1000);
  }
  EXPECT_EQ(connections, 1000U);
  EXPECT_EQ(concurrency, 10U);
  EXPECT_NE(plan.client_of(0).first_source, plan.client_of(1).first_source);
}

TEST(Pace, KeepsToTheScheduleHoweverLateItIsAsked) {
  Pace pace(1000);
  const Instant start = Instant::from_ns(5'000'000);
  pace.start(start);
  EXPECT_TRUE(pace.is_due(start));
  pace.advance();
  EXPECT_FALSE(pace.is_due(start + Duration(999'999)));
  const Instant late = start + Duration(seconds(1));
  EXPECT_TRUE(pace.is_due(late));
  EXPECT_EQ(pace.intended(late), start + Duration(1'000'000));
  EXPECT_EQ(pace.next(), pace.intended(late));
  for (int i = 0; i < 1000; ++i) pace.advance();
  EXPECT_FALSE(pace.is_due(late));
}

TEST(Pace, WithoutARateItIsAlwaysDue) {
  Pace pace(0);
  pace.advance();
  EXPECT_TRUE(pace.is_due(Instant::from_ns(3)));
  EXPECT_EQ(pace.intended(Instant::from_ns(3)), Instant::from_ns(3));
  EXPECT_TRUE(pace.next().is_never());
}

// The addresses of a walk, each once for its whole run.
std::vector<std::string> runs(SourceWalk& walk, int count) {
  std::vector<std::string> out;
  for (int i = 0; i < count; ++i) {
    out.push_back(walk.next().to_string());
    for (unsigned n = 1; n < SourceWalk::kRun; ++n) EXPECT_EQ(walk.next().to_string(), out.back());
  }
  return out;
}

TEST(SourceWalk, GoesOnWhenAnAddressHasNoPortLeft) {
  SourceWalk walk(Prefix::parse("10.0.0.0/30").value(), Prefix::parse("10.9.0.1/24").value(), 1);
  EXPECT_EQ(walk.next().to_string(), "10.0.0.1");
  walk.skip();
  EXPECT_EQ(walk.next().to_string(), "10.0.0.2");
}

TEST(SourceWalk, StaysAsLongAsItIsToldTo) {
  SourceWalk walk(Prefix::parse("10.0.0.0/30").value(), Prefix::parse("10.9.0.1/24").value(), 1,
                  SourceWalk::kLongestRun);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(walk.next().to_string(), "10.0.0.1");
  walk.skip();
  EXPECT_EQ(walk.next().to_string(), "10.0.0.2");
}

TEST(SourceWalk, GoesRoundAndLeavesOutWhatIsNoHost) {
  const Prefix range = Prefix::parse("10.0.0.0/30").value();
  SourceWalk on_link(range, Prefix::parse("10.0.0.0/30").value(), 0);
  EXPECT_EQ(runs(on_link, 3), (std::vector<std::string>{"10.0.0.1", "10.0.0.2", "10.0.0.1"}));
  SourceWalk elsewhere(range, Prefix::parse("10.9.0.1/24").value(), 3);
  EXPECT_EQ(runs(elsewhere, 2), (std::vector<std::string>{"10.0.0.3", "10.0.0.0"}));
  const Prefix own = Prefix::parse("10.0.0.2/32").value();
  SourceWalk alone(own, Prefix::parse("10.0.0.2/24").value(), 0);
  EXPECT_EQ(alone.next().to_string(), "10.0.0.2");
  EXPECT_EQ(alone.next().to_string(), "10.0.0.2");
}

}  // namespace
}  // namespace handfast::load
