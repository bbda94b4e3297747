#include "apps/load/report.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace handfast::load {
namespace {

constexpr std::uint64_t kConnections = 1000;

Options options() {
  const char* const arguments[] = {"connect", "--connections", "1000"};
  return parse_options(arguments).value();
}

// Both ends after 1000 connections of five segments each, all in TIME-WAIT at the client.
Books agreeing_books() {
  Books books;
  Side& client = books.client;
  Side& server = books.server.emplace();
  client.tally.attempted = client.tally.established = client.tally.completed = kConnections;
  server.tally.established = server.tally.completed = kConnections;
  client.counters.active_opens = client.counters.established_active = kConnections;
  server.counters.established_passive = kConnections;
  client.counters.syn_sent = server.counters.syn_received = kConnections;
  client.counters.syn_ack_received = server.counters.syn_ack_sent = kConnections;
  client.counters.fin_sent = server.counters.fin_received = kConnections;
  client.counters.fin_received = server.counters.fin_sent = kConnections;
  client.counters.ack_sent = server.counters.ack_received = kConnections;
  client.counters.frames_sent = server.counters.frames_received = 3 * kConnections + 1;
  client.counters.frames_received = server.counters.frames_sent = 2 * kConnections + 1;
  client.counters.time_wait_entered = client.time_wait = kConnections;
  client.states[static_cast<std::size_t>(State::time_wait)] = kConnections;
  return books;
}

Report report() {
  Report report;
  report.options = options();
  report.run_time = std::chrono::seconds(2);
  report.books = agreeing_books();
  report.work.client.busy_ns = 99;
  report.work.client.idle_ns = 1;
  report.work.server.emplace().idle_ns = 100;
  for (std::uint64_t i = 1; i <= kConnections; ++i) report.handshake.record(i * 1000);
  report.disagreements = disagreements(report.books);
  return report;
}

TEST(Books, AgreeWhenEveryCountHasItsMatch) {
  EXPECT_EQ(disagreements(agreeing_books()), std::vector<std::string>{});
  EXPECT_TRUE(frames_have_arrived(agreeing_books()));
}

TEST(Books, OfAForeignServerOnlyOurOwnAreChecked) {
  Books books = agreeing_books();
  books.server.reset();
  EXPECT_TRUE(disagreements(books).empty());
  EXPECT_TRUE(frames_have_arrived(books));
}

TEST(Books, ALostFrameShows) {
  Books books = agreeing_books();
  --books.server->counters.frames_received;
  --books.server->counters.ack_received;
  EXPECT_FALSE(frames_have_arrived(books));
  EXPECT_EQ(disagreements(books).size(), 2U);
}

// Each count by itself, so that none is only thought to be compared.
TEST(Books, EveryCountIsCompared) {
  using Change = void (*)(Books&);
  const Change changes[] = {
      [](Books& b) { ++b.client.tally.attempted; },
      [](Books& b) { ++b.client.tally.established; },
      [](Books& b) { ++b.client.tally.completed; },
      [](Books& b) { ++b.client.tally.responses; },
      [](Books& b) { ++b.client.tally.failed_to_open[place(CloseReason::refused)]; },
      [](Books& b) { ++b.client.tally.failed_when_open[place(CloseReason::reset)]; },
      [](Books& b) { ++b.server->tally.established; },
      [](Books& b) { ++b.server->tally.completed; },
      [](Books& b) { ++b.server->tally.failed_when_open[place(CloseReason::reset)]; },
      [](Books& b) { ++b.client.tally.bytes_sent; },
      [](Books& b) { ++b.client.tally.bytes_received; },
      [](Books& b) { ++b.server->tally.bytes_sent; },
      [](Books& b) { ++b.server->tally.bytes_received; },
      [](Books& b) { ++b.client.counters.active_opens; },
      [](Books& b) { ++b.client.counters.established_active; },
      [](Books& b) { ++b.server->counters.established_passive; },
      [](Books& b) { ++b.client.counters.syn_sent; },
      [](Books& b) { ++b.server->counters.syn_ack_sent; },
      [](Books& b) { ++b.client.counters.data_received; },
      [](Books& b) { ++b.server->counters.rst_received; },
      [](Books& b) { ++b.client.counters.payload_bytes_sent; },
      [](Books& b) { ++b.server->counters.payload_bytes_sent; },
      [](Books& b) { ++b.server->counters.frames_sent; },
      [](Books& b) { ++b.client.counters.time_wait_entered; },
      [](Books& b) { --b.client.time_wait; },
      [](Books& b) { ++b.server->counters.time_wait_kept; },
      [](Books& b) { ++b.client.states[static_cast<std::size_t>(State::established)]; },
      [](Books& b) { ++b.client.states[static_cast<std::size_t>(State::syn_sent)]; },
  };
  for (std::size_t i = 0; i < std::size(changes); ++i) {
    Books books = agreeing_books();
    changes[i](books);
    EXPECT_FALSE(disagreements(books).empty()) << "change " << i;
  }
}

TEST(Books, FramesAConnectionAreTcpSegmentsBothWays) {
  EXPECT_DOUBLE_EQ(frames_per_connection(agreeing_books().client), 5);
  EXPECT_DOUBLE_EQ(frames_per_connection(Side{}), 0);
}

TEST(Books, DropsAreCountersOfFramesAndSynsLost) {
  EXPECT_TRUE(is_drop("drop_tcp_checksum"));
  EXPECT_TRUE(is_drop("port_missed"));
  EXPECT_TRUE(is_drop("text_refused_no_packets"));
  EXPECT_FALSE(is_drop("ports_exhausted"));
  EXPECT_TRUE(is_drop("hand_over_full"));
  EXPECT_FALSE(is_drop("frames_sent"));
  EXPECT_FALSE(is_drop("handed_to_owner"));
}

TEST(Report, WentWellOnlyWithoutFailure) {
  EXPECT_TRUE(report().went_well());
  Report failed = report();
  failed.books.client.tally.failed_to_open[place(CloseReason::timed_out)] = 1;
  EXPECT_FALSE(failed.went_well());
  Report differs = report();
  differs.disagreements.push_back("one 1, but other 2");
  EXPECT_FALSE(differs.went_well());
  Report open = report();
  open.drained = false;
  EXPECT_FALSE(open.went_well());
  Report no_route = report();
  no_route.books.client.tally.open_errors[place(Error::no_route)] = 1;
  EXPECT_FALSE(no_route.went_well());
  Report waited = report();
  waited.books.client.tally.open_errors[place(Error::no_free_port)] = 1;
  EXPECT_TRUE(waited.went_well());
}

TEST(Report, TextHasWhatPeopleLookFor) {
  const std::string text = to_text(report());
  for (const char* const part :
       {"attempted", "1 000", "opened and closed", "p99.9", "SYN-ACK", "TIME-WAIT", "cut short",
        "dropped: nothing", "books: agree", "SYN-RECEIVED", "a connection",
        "bottleneck  the client's worker (busy 99 %; server's 0 %; link full 0 times)"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
  }
}

TEST(Report, TextNamesWhatDiffersAndWhatWasDropped) {
  Report differs = report();
  differs.books.server->counters.drop_tcp_checksum = 3;
  differs.books.client.tally.completed = 1;
  differs.disagreements = disagreements(differs.books);
  const std::string text = to_text(differs);
  EXPECT_NE(text.find("books: DIFFER"), std::string::npos);
  EXPECT_NE(text.find("the client completed 1, but the server completed 1 000"), std::string::npos);
  EXPECT_NE(text.find("server drop_tcp_checksum"), std::string::npos);
}

TEST(Report, JsonHasItAll) {
  const nlohmann::ordered_json json = to_json(report());
  EXPECT_EQ(json["client"]["completed"], kConnections);
  EXPECT_EQ(json["server"]["states"]["syn_received"], 0);
  EXPECT_EQ(json["client"]["time_wait"]["still_being_kept"], kConnections);
  EXPECT_EQ(json["client"]["frames"]["syn"]["sent"], kConnections);
  EXPECT_EQ(json["connections_per_second"], 500.0);
  EXPECT_EQ(json["frames_per_connection"], 5.0);
  EXPECT_NEAR(json["handshake"]["p50_ns"].get<double>(), 500'000, 5'000);
  EXPECT_EQ(json["bottleneck"]["limit"], "client");
  EXPECT_EQ(json["bottleneck"]["client"]["busy_ns"], 99);
  EXPECT_EQ(json["bottleneck"]["server"]["busy_share"], 0.0);
  EXPECT_EQ(json["books_agree"], true);
  EXPECT_EQ(json["went_well"], true);
}

TEST(Books, BytesOnTheWayWhenThereWasAResetAreNotMissed) {
  Books books = agreeing_books();
  ++books.client.tally.bytes_sent;
  books.client.counters.rst_sent = books.server->counters.rst_received = 1;
  EXPECT_EQ(disagreements(books), std::vector<std::string>{});
}

// A report of a mode with as many connections as agreeing_books() has.
Report kept_report(std::initializer_list<const char*> arguments) {
  Report kept = report();
  kept.options = parse_options(std::vector<const char*>(arguments)).value();
  kept.kept = KeptResult{.open_time = std::chrono::seconds(1), .connections = kConnections};
  return kept;
}

TEST(Report, ExchangeHasItsRequestsAndTheirTimes) {
  Report exchange = kept_report({"exchange", "--connections", "1000"});
  for (std::uint64_t i = 1; i <= 5000; ++i) exchange.round_trip.record(i);
  const nlohmann::ordered_json json = to_json(exchange);
  EXPECT_EQ(json["requests_per_second"], 2500.0);
  EXPECT_EQ(json["latency"]["count"], 5000);
  EXPECT_NEAR(json["latency"]["p50_ns"].get<double>(), 2500, 25);
  EXPECT_EQ(json["exchange"]["connections"], kConnections);
  EXPECT_EQ(json["shortfall"], nullptr);
  const std::string text = to_text(exchange);
  EXPECT_NE(text.find("2.50 k/s  5 000 in 2.00 s"), std::string::npos) << text;
  EXPECT_NE(text.find("round trip"), std::string::npos);
  EXPECT_EQ(to_json(report()).count("requests_per_second"), 0U);
}

TEST(Report, TheRateLeavesOutThoseHeld) {
  Report held = kept_report({"connect", "--held", "900"});
  held.books.client.held.established = held.books.client.held.completed = 900;
  const nlohmann::ordered_json json = to_json(held);
  EXPECT_EQ(json["connections_per_second"], 50.0);
  EXPECT_EQ(json["client"]["completed"], kConnections);
  EXPECT_EQ(json["held"]["open_per_second"], 1000.0);
  EXPECT_EQ(held.shortfall(), "");
}

TEST(Report, MemoryIsForEachEnd) {
  Report hold = kept_report({"hold", "--connections", "1000"});
  MemoryUse& memory = hold.kept->memory;
  memory = {.before = {.resident = 1'000'000},
            .after = {.resident = 1'200'000, .huge_pages = 300'000},
            .table_bytes = 480'000,
            .records = 2 * kConnections,
            .list_bytes_each = 16};
  const nlohmann::ordered_json json = to_json(hold)["memory"];
  EXPECT_EQ(json["bytes_per_connection_program"], 240.0);
  EXPECT_EQ(json["bytes_per_connection_kernel"], 250.0);
  EXPECT_EQ(json["after"]["huge_page_bytes"], 300'000);
  EXPECT_NE(to_text(hold).find("250.0 B"), std::string::npos);
  memory.after = {};  // the process has become smaller
  EXPECT_EQ(memory.kernel_bytes_each(), 0);
}

TEST(Report, SaysWhenThePeerHoldsFewer) {
  Report hold = kept_report({"hold", "--connections", "2000"});
  EXPECT_EQ(hold.shortfall(), "only 1 000 of 2 000 connections could be opened");
  hold.books.server.reset();
  EXPECT_NE(hold.shortfall().find("handfast-serve --max-connections"), std::string::npos);
  EXPECT_NE(to_text(hold).find("only 1 000 of 2 000"), std::string::npos);
  hold.interrupted = true;
  EXPECT_EQ(hold.shortfall(), "");
  Report exchange = kept_report({"exchange", "--connections", "1000"});
  exchange.books.client.tally.failed_when_open[place(CloseReason::aborted)] = 7;
  EXPECT_EQ(exchange.shortfall(),
            "7 of 1 000 open connections did not answer, or ended before they were closed");
}

TEST(Memory, IsReadAsTheKernelWritesIt) {
  std::istringstream status(
      "Name:\thandfast-load\nVmPeak:\t  999 kB\nVmRSS:\t    2048 kB\nRssAnon:\t 1 kB\n"
      "HugetlbPages:\t    4096 kB\nThreads:\t3\n");
  std::istringstream rollup("00400000-7fff [rollup]\nRss: 2049 kB\nAnonHugePages:     1024 kB\n");
  const Footprint footprint = read_footprint(status, rollup);
  EXPECT_EQ(footprint.resident, 2048U * 1024);
  EXPECT_EQ(footprint.huge_pages, 4096U * 1024);
  EXPECT_EQ(footprint.anon_huge, 1024U * 1024);
  EXPECT_EQ(footprint.all(), 6144U * 1024);
  std::istringstream nothing;
  EXPECT_EQ(read_footprint(nothing, nothing).all(), 0U);
  EXPECT_GT(own_footprint().resident, 0U);
}

TEST(Report, ProgressIsPerSecondSinceTheLineBefore) {
  const Moment before{.time = std::chrono::seconds(1), .opened = 1000, .closed = 900};
  const Moment now{
      .time = std::chrono::seconds(3), .opened = 5000, .closed = 4900, .room_wait_ns = 5};
  const std::string line = progress_line(Mode::connect, before, now);
  EXPECT_NE(line.find("2.00 k"), std::string::npos) << line;
  EXPECT_NE(line.find("waiting for TIME-WAIT"), std::string::npos) << line;
}

}  // namespace
}  // namespace handfast::load
