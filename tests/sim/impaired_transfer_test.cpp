// 20 seeds each at 1 % and at 10 % loss, and every run that ever failed. How many connections each
// run opens: HANDFAST_SIM_CONNECTIONS, or a number that suits the build.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <vector>

#include "tests/sim/transfer_options.hpp"

namespace handfast::sim {
namespace {

std::uint32_t connections_per_run() {
  if (const char* const asked = std::getenv("HANDFAST_SIM_CONNECTIONS")) {
    return static_cast<std::uint32_t>(std::strtoul(asked, nullptr, 10));
  }
#ifdef NDEBUG
  return 10'000;
#else
  return 300;
#endif
}

TransferConfig impaired(std::uint64_t seed, double loss) {
  TransferConfig config;
  config.seed = seed;
  config.connections = connections_per_run();
  config.loss = loss;
  config.reorder = 0.05;
  config.duplicate = 0.05;
  return config;
}

void expect_success(const TransferConfig& config, const TransferReport& report) {
  EXPECT_EQ(report.failure_count, 0u) << "again with: " << command_of(config);
  for (const std::string& failure : report.failures) ADD_FAILURE() << failure;
}

struct Loss : testing::TestWithParam<std::uint64_t> {};

TEST_P(Loss, OnePercent) {
  const TransferConfig config = impaired(GetParam(), 0.01);
  expect_success(config, run_transfer(config));
}

TEST_P(Loss, TenPercent) {
  const TransferConfig config = impaired(GetParam(), 0.10);
  const TransferReport report = run_transfer(config);
  expect_success(config, report);
  EXPECT_GT(report.client.syn_retransmitted, 0u);
  EXPECT_GT(report.client.data_retransmitted, 0u);
  EXPECT_GT(report.server.data_retransmitted, 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Loss, testing::Range<std::uint64_t>(1, 21));

TEST(Transfer, NothingIsSentTwiceOnACleanLink) {
  TransferConfig config;
  config.connections = 200;
  const TransferReport report = run_transfer(config);
  expect_success(config, report);
  for (const Counters& seen : {report.client, report.server}) {
    EXPECT_EQ(seen.syn_retransmitted + seen.syn_ack_retransmitted, 0u);
    EXPECT_EQ(seen.data_retransmitted + seen.fin_retransmitted, 0u);
    EXPECT_EQ(seen.rst_sent, 0u);
  }
}

TEST(Transfer, CorruptFramesAreSeenAndMadeGood) {
  TransferConfig config;
  config.connections = 500;
  config.corrupt = 0.02;
  const TransferReport report = run_transfer(config);
  expect_success(config, report);
  EXPECT_GT(report.server.drop_tcp_checksum, 0u);
  EXPECT_GT(report.client.drop_tcp_checksum, 0u);
}

TEST(Transfer, EqualSeedsGiveEqualRuns) {
  TransferConfig config = impaired(5, 0.05);
  config.connections = 300;
  const TransferReport first = run_transfer(config);
  const TransferReport second = run_transfer(config);
  EXPECT_EQ(first.digest, second.digest);
  EXPECT_EQ(first.client, second.client);
  config.seed = 6;
  EXPECT_NE(run_transfer(config).digest, first.digest);
}

TEST(Transfer, OptionsAreReadAsTheyAreWritten) {
  TransferConfig config = impaired(77, 0.1);
  config.vary = false;
  config.corrupt = 0.001;
  const std::string command = command_of(config);
  const auto read = parse_options(command.substr(command.find(' ')));
  ASSERT_TRUE(read.has_value()) << read.error();
  EXPECT_EQ(command_of(*read), command);
  EXPECT_FALSE(parse_options("--loss 7").has_value());
  EXPECT_FALSE(parse_options("--sead 7").has_value());
}

TEST(Transfer, RunsThatOnceFailedDoNotFailAgain) {
  std::ifstream file(HANDFAST_REGRESSION_SEEDS);
  ASSERT_TRUE(file.is_open());
  for (std::string line; std::getline(file, line);) {
    line = line.substr(0, line.find('#'));
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    const auto config = parse_options(line);
    ASSERT_TRUE(config.has_value()) << line << ": " << config.error();
    expect_success(*config, run_transfer(*config));
  }
}

}  // namespace
}  // namespace handfast::sim
