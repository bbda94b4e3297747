// What follows from a configuration before EAL is asked for anything.
#include "runtime/settings.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

namespace handfast::runtime {
namespace {

const std::vector<unsigned> kCpus = {2, 3};

RuntimeConfig embedded(unsigned first, unsigned second) {
  RuntimeConfig config{.embedded = true};
  config.ports = {{.workers = first}, {.workers = second}};
  config.ports[0].stack.interface.addresses = {*Prefix::parse("198.18.0.1/15")};
  config.ports[1].stack.interface.addresses = {*Prefix::parse("198.19.0.1/15")};
  return config;
}

std::string error_of(const RuntimeConfig& config) {
  const auto status = check_settings(config, kCpus);
  return status ? "" : status.error();
}

bool has(const std::vector<std::string>& line, const std::string& argument) {
  return std::ranges::find(line, argument) != line.end();
}

TEST(SettingsTest, EmbeddedPairIsAccepted) {
  EXPECT_EQ(error_of(embedded(2, 2)), "");
}

TEST(SettingsTest, NamesWhatIsWrong) {
  EXPECT_EQ(error_of({}), "no port is configured; at least 1 is needed");
  EXPECT_EQ(error_of(embedded(1, 2)),
            "the embedded pair needs equally many workers at both ends, not 1 and 2");
  EXPECT_EQ(error_of(embedded(0, 0)), "port 0 has no worker; it needs at least 1");
  EXPECT_EQ(error_of(embedded(100, 100)), "200 workers are too many; use at most 127");

  auto config = embedded(1, 1);
  config.embedded = false;
  EXPECT_EQ(error_of(config), "port 0 names no device");
  config.ports[0].device = config.ports[1].device = "net_tap0";
  EXPECT_EQ(error_of(config), "the device net_tap0 is configured twice");

  config = embedded(1, 1);
  config.cores = {3, 7};
  EXPECT_EQ(error_of(config), "CPU 7 is not one of those this process may use: 2, 3");
  config = embedded(1, 1);
  config.packets_per_worker = 5;
  EXPECT_EQ(error_of(config), "5 packets a worker; use 256 to 16777216");
}

TEST(SettingsTest, WhatAPortIsAskedToDo) {
  auto config = embedded(1, 1);
  config.ports[0].tso = Offload::off;
  EXPECT_EQ(error_of(config), "");
  config.ports[1].tso = Offload::on;
  EXPECT_EQ(error_of(config), "the embedded pair cannot cut segments (TSO)");

  PortConfig port{.device = "net_tap0", .tso = Offload::on};
  port.stack.interface.addresses = {*Prefix::parse("198.18.0.1/15")};
  port.stack.interface.mtu = 1400;
  EXPECT_EQ(port_options(port).tso, Offload::on);
  EXPECT_EQ(port_options(port).mtu, 1400);
  EXPECT_FALSE(port_options(port).ipv6);
  port.stack.interface.owned_ranges = {*Prefix::parse("2001:db8::/64")};
  EXPECT_TRUE(port_options(port).ipv6);
}

TEST(SettingsTest, StackSettingsAreCheckedToo) {
  auto config = embedded(1, 1);
  config.ports[1].stack.interface.mtu = 100;
  EXPECT_NE(error_of(config).find("mtu"), std::string::npos) << error_of(config);
}

TEST(SettingsTest, CpusGoRound) {
  auto config = embedded(2, 2);
  EXPECT_EQ(assign_cpus(config, kCpus), (std::vector<unsigned>{2, 3, 2, 3}));
  config.cores = {3};
  EXPECT_EQ(assign_cpus(config, kCpus), (std::vector<unsigned>{3, 3, 3, 3}));
}

TEST(SettingsTest, PacketsHoldAWholeFrame) {
  auto config = embedded(1, 1);
  EXPECT_EQ(pool_options(config, config.ports[0]).data_room, 2048);
  config.ports[0].stack.interface.mtu = 9000;
  EXPECT_GE(pool_options(config, config.ports[0]).data_room, 9018);
}

TEST(EalCommandLineTest, DefaultsNeedNoRoot) {
  const auto line = eal_command_line({.memory_bytes = 400 << 20}, 3);
  EXPECT_EQ(line.front(), "handfast");
  for (const auto* expected : {"--no-huge", "-m", "1264", "--no-pci", "--no-shconf", "--lcores=0@3",
                               "--iova-mode=va", "--no-telemetry"}) {
    EXPECT_TRUE(has(line, expected)) << expected;
  }
  EXPECT_TRUE(has(line, "--file-prefix=handfast-" + std::to_string(::getpid())));
  EXPECT_FALSE(has(line, "--in-memory")) << "EAL refuses it together with --no-huge";
}

TEST(EalCommandLineTest, SmallPoolsStillGetWhatEalNeeds) {
  EXPECT_TRUE(has(eal_command_line({}, 0), "256"));
}

TEST(EalCommandLineTest, UsersArgumentsWin) {
  const auto line = eal_command_line(
      {.arguments = {"-m", "900", "-a", "0000:00:04.0", "--file-prefix=mine", "-l", "1"}}, 0);
  EXPECT_EQ(std::ranges::count(line, "-m"), 1);
  EXPECT_FALSE(has(line, "--no-pci"));
  EXPECT_FALSE(has(line, "--lcores=0@0"));
  EXPECT_EQ(std::ranges::count_if(line, [](const auto& a) { return a.contains("file-prefix"); }),
            1);
  EXPECT_EQ(line.back(), "1");
}

TEST(EalCommandLineTest, HugePagesNeedNoMount) {
  const auto line = eal_command_line(
      {.arguments = {"--vdev=net_virtio_user0,path=/tmp/x"}, .huge_pages = true}, 0);
  EXPECT_TRUE(has(line, "--in-memory"));
  EXPECT_TRUE(has(line, "--single-file-segments"));
  EXPECT_FALSE(has(line, "--no-huge"));
}

TEST(HugePagesTest, SaysHowManyAreMissing) {
  EXPECT_TRUE(check_huge_pages(136 << 20, 100).has_value());
  const auto enough = check_huge_pages(136 << 20, 99);
  ASSERT_FALSE(enough.has_value());
  EXPECT_EQ(enough.error(),
            "needs 100 free 2 MB huge pages, the system has 99; run: sysctl vm.nr_hugepages=100");
}

}  // namespace
}  // namespace handfast::runtime
