// What makes and shows traces: the scripted device, the picture, the options, the snapshot.
#include "tests/sim/traces.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "tests/sim/picture.hpp"
#include "tests/sim/snapshot.hpp"
#include "tests/sim/weather_options.hpp"

namespace handfast::sim {
namespace {

struct Seen {
  int lost = 0;
  int late = 0;
  int arrived = 0;
  std::string picture;
};

Seen watch(const Trace& trace) {
  Seen seen;
  Picture picture;
  const TraceReport report =
      run_trace(trace, CongestionControl::new_reno,
                [&](Instant now, const base::Packet& packet, const Fate* fate) {
                  if (fate == nullptr) ++seen.arrived;
                  if (fate != nullptr && fate->is_lost) ++seen.lost;
                  if (fate != nullptr && fate->held > Duration{0}) ++seen.late;
                  seen.picture += picture.line_of(now, packet.bytes(),
                                                  fate != nullptr && fate->is_lost ? "lost" : "");
                });
  EXPECT_EQ(report.failures, std::vector<std::string>{});
  return seen;
}

TEST(Traces, EachDoesWhatItSays) {
  for (const Trace& trace : all_traces()) {
    const Seen seen = watch(trace);
    const bool loses = trace.late == Duration{0} && trace.outage == Duration{0};
    EXPECT_EQ(seen.lost, loses ? static_cast<int>(trace.count) : 0) << trace.name;
    EXPECT_EQ(seen.late > 0, !loses) << trace.name;
    EXPECT_GT(seen.arrived, 0) << trace.name;
    EXPECT_EQ(find_trace(trace.name), &trace);
  }
  EXPECT_EQ(find_trace("none such"), nullptr);
}

TEST(Traces, ALostSegmentIsSentAgainOnceAndWithoutATimeout) {
  const TraceReport report =
      run_trace(*find_trace("lost-segment"), CongestionControl::new_reno, {});
  EXPECT_EQ(report.sender.data_retransmitted, 1u);
  EXPECT_EQ(report.sender.retransmission_timeouts, 0u);
}

TEST(Picture, ShowsNumbersFromTheStartAndWhatWasSentAgain) {
  const std::string picture = watch(*find_trace("lost-segment")).picture;
  EXPECT_TRUE(picture.starts_with("     0.000 ->  SYN 0..1\n")) << picture;
  EXPECT_NE(picture.find("<-  SYN 0..1                              1\n"), std::string::npos);
  EXPECT_NE(picture.find("->  17377..18825                          1"), std::string::npos);
  EXPECT_NE(picture.find("lost\n"), std::string::npos);
  EXPECT_NE(picture.find("->  17377..18825 again"), std::string::npos);
}

TEST(Picture, LeavesOutWhatIsNotTcp) {
  Picture picture;
  EXPECT_EQ(picture.line_of(Instant{}, {}), "");
  const std::array<std::byte, 60> zeroes{};
  EXPECT_EQ(picture.line_of(Instant{}, zeroes), "");
}

TEST(WeatherOptions, AreReadAsTheyAreWritten) {
  WeatherConfig config;
  config.seed = 9;
  config.senders = {{CongestionControl::cubic, 3}, {CongestionControl::bbr, 1}};
  config.stagger = std::chrono::milliseconds(200);
  config.line.drop = 0.03;
  config.line.bursts.p = 0.001;
  config.line.bursts.r = 0.2;
  config.line.reorder = 0.1;
  config.line.ce_threshold.bytes = 30'000;
  const std::string command = command_of(config);
  WeatherConfig read;
  CLI::App app;
  add_weather_options(app, read);
  app.parse(command.substr(command.find(' ')), false);
  EXPECT_EQ(command_of(read), command);
  EXPECT_EQ(read.line.bursts.r, 0.2);
}

TEST(WeatherOptions, RefuseWhatMakesNoSense) {
  for (const char* const line :
       {"--loss 7", "--sender cubic:0", "--sender cubic:x", "--sender vegas", "--rate 0"}) {
    WeatherConfig config;
    CLI::App app;
    add_weather_options(app, config);
    EXPECT_THROW(app.parse(line, false), CLI::ParseError) << line;
  }
}

TEST(Snapshot, TellsWhatDiffersAndWritesIt) {
  const std::string path = testing::TempDir() + "snapshot_test." + std::to_string(getpid());
  std::ofstream(path) << "# heading\na | 1\nb | 2\nold | 3\n";
  Snapshot snapshot(path, "# new heading\n", {"a", "c", "b"});
  EXPECT_EQ(snapshot.differs("a", "1"), std::nullopt);
  EXPECT_EQ(snapshot.differs("b", "5"), "-b | 2\n+b | 5");
  EXPECT_EQ(snapshot.differs("c", "4"), "+c | 4");
  EXPECT_EQ(snapshot.stale_keys(), std::vector<std::string>{"old"});
  ASSERT_TRUE(snapshot.write());
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(text, "# new heading\na | 1\nc | 4\nb | 5\n");
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace handfast::sim
