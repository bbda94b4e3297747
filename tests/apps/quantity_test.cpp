#include "apps/options/quantity.hpp"

#include <gtest/gtest.h>

#include "apps/options/command_line.hpp"
#include "apps/options/readable.hpp"

namespace handfast::apps {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Quantity, RatesTakeSuffixes) {
  EXPECT_EQ(parse_rate("250"), 250);
  EXPECT_EQ(parse_rate("50k"), 50'000);
  EXPECT_EQ(parse_rate("1.5M"), 1'500'000);
  EXPECT_EQ(parse_rate("2M/s"), 2'000'000);
}

TEST(Quantity, BadRatesSayWhatIsRight) {
  for (const char* const text :
       {"", "0", "-5", "fast", "5x", "1e400", "nan", "inf", "5 k", "10G"}) {
    const auto rate = parse_rate(text);
    ASSERT_FALSE(rate) << text;
    EXPECT_NE(rate.error().find("like 250, 50k or 1.5M"), std::string::npos) << rate.error();
  }
}

TEST(Quantity, CountsAreWhole) {
  EXPECT_EQ(parse_count("1000"), 1000U);
  EXPECT_EQ(parse_count("1.5k"), 1500U);
  EXPECT_EQ(parse_count("10M"), 10'000'000U);
  EXPECT_FALSE(parse_count("1.5"));
  EXPECT_FALSE(parse_count("0"));
  EXPECT_FALSE(parse_count("1e30"));
}

TEST(Quantity, SizesAreBytes) {
  EXPECT_EQ(parse_size("64"), 64U);
  EXPECT_EQ(parse_size("16k"), 16'000U);
  EXPECT_EQ(parse_size("16KiB"), 16'384U);
  EXPECT_EQ(parse_size("1MiB"), 1U << 20);
  EXPECT_FALSE(parse_size("0"));
  EXPECT_FALSE(parse_size("2GB"));
}

TEST(Quantity, DurationsNeedAUnit) {
  EXPECT_EQ(parse_duration("10s"), Duration(seconds(10)));
  EXPECT_EQ(parse_duration("500ms"), Duration(milliseconds(500)));
  EXPECT_EQ(parse_duration("1.5s"), Duration(milliseconds(1500)));
  EXPECT_EQ(parse_duration("2m"), Duration(seconds(120)));
  for (const char* const text : {"10", "0s", "-1s", "1y", "s", "0.1ns", "1000h"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Quantity, CpuListsTakeRanges) {
  EXPECT_EQ(parse_cpus("0,1"), (std::vector<unsigned>{0, 1}));
  EXPECT_EQ(parse_cpus("0-2,8"), (std::vector<unsigned>{0, 1, 2, 8}));
  for (const char* const text : {"", "a", "1,", "3-1", "-1", "0-99999"}) {
    EXPECT_FALSE(parse_cpus(text)) << text;
  }
}

TEST(Quantity, SeedsAndPorts) {
  EXPECT_EQ(parse_seed("42"), 42U);
  EXPECT_EQ(parse_seed("0x2a"), 42U);
  EXPECT_FALSE(parse_seed("0x"));
  EXPECT_EQ(parse_port_number("65535"), 65'535);
  EXPECT_FALSE(parse_port_number("0"));
  EXPECT_FALSE(parse_port_number("65536"));
}

TEST(CommandLine, OwnAddressNeedsItsNetwork) {
  EXPECT_TRUE(parse_own_address("198.18.0.1/24"));
  EXPECT_FALSE(parse_own_address("198.18.0.1"));
  EXPECT_FALSE(parse_own_address("198.18.0.1/33"));
}

TEST(CommandLine, EndpointNeedsAPort) {
  EXPECT_TRUE(parse_endpoint("198.18.0.1:80"));
  EXPECT_FALSE(parse_endpoint("198.18.0.1:0"));
  EXPECT_FALSE(parse_endpoint("198.18.0.1"));
}

TEST(CommandLine, WhatFollowsTwoDashesIsForEal) {
  const char* const arguments[] = {"connect", "--seed", "1", "--", "--vdev=net_tap0", "--"};
  const Arguments split = split_arguments(arguments);
  EXPECT_EQ(split.own, (std::vector<std::string>{"connect", "--seed", "1"}));
  EXPECT_EQ(split.eal, (std::vector<std::string>{"--vdev=net_tap0", "--"}));
}

TEST(CommandLine, WritableIsSeenWithoutWriting) {
  EXPECT_TRUE(check_writable("a-file-that-is-not-there"));
  EXPECT_FALSE(check_writable("."));
  EXPECT_FALSE(check_writable("no-such-directory/file"));
}

TEST(Readable, NumbersAreGrouped) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1 000");
  EXPECT_EQ(grouped(1'234'567), "1 234 567");
}

TEST(Readable, NumbersAreScaledToThreeDigits) {
  EXPECT_EQ(scaled(0), "0");
  EXPECT_EQ(scaled(512), "512");
  EXPECT_EQ(scaled(1'230'000), "1.23 M");
  EXPECT_EQ(scaled(999'999), "1.00 M");
  EXPECT_EQ(scaled(12'345), "12.3 k");
}

TEST(Readable, TimesHaveTheirUnit) {
  EXPECT_EQ(readable(Duration(850)), "850 ns");
  EXPECT_EQ(readable(Duration(12'300)), "12.3 us");
  EXPECT_EQ(readable(milliseconds(4)), "4.00 ms");
  EXPECT_EQ(readable(seconds(60)), "60.0 s");
}

TEST(Readable, RatiosShowDecimalsOnlyWhenTheyHaveAny) {
  EXPECT_EQ(ratio(7), "7");
  EXPECT_EQ(ratio(5.0166), "5.02");
  EXPECT_EQ(ratio(1'900'394.2), "1 900 394");
}

TEST(Readable, BitRatesHaveTheirUnit) {
  EXPECT_EQ(readable_bit_rate(0), "0 bit/s");
  EXPECT_EQ(readable_bit_rate(7.07e9), "7.07 Gbit/s");
}

}  // namespace
}  // namespace handfast::apps
