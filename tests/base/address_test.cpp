#include "handfast/address.hpp"

#include <gtest/gtest.h>

namespace handfast {
namespace {

using namespace std::string_view_literals;

Address address(std::string_view text) {
  const auto parsed = Address::parse(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed.value_or(Address{});
}

Prefix prefix(std::string_view text) {
  const auto parsed = Prefix::parse(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed.value_or(Prefix{});
}

TEST(Address, ParsesIpv4) {
  EXPECT_EQ(address("198.18.0.1"), Address::v4(0xc6120001));
  EXPECT_EQ(address("0.0.0.0"), Address::v4(0));
  EXPECT_EQ(address("255.255.255.255"), Address::v4(0xffffffff));
  EXPECT_EQ(address("198.18.0.1").v4_value(), 0xc6120001U);
}

TEST(Address, ParsesIpv6) {
  EXPECT_EQ(address("::"), Address{});
  EXPECT_EQ(address("2001:DB8::1").to_string(), "2001:db8::1");
  EXPECT_FALSE(address("2001:db8::1").is_v4());
  EXPECT_EQ(address("::ffff:198.18.0.1"), Address::v4(0xc6120001));
  EXPECT_FALSE(address("::198.18.0.1").is_v4());
}

TEST(Address, RefusesEveryMalformedForm) {
  for (const auto text : {""sv,
                          " "sv,
                          "198.18.0"sv,
                          "198.18.0.1.2"sv,
                          "198.18.0.256"sv,
                          "198.18.0.-1"sv,
                          "198.18..1"sv,
                          ".198.18.0.1"sv,
                          "198.18.0.1."sv,
                          " 198.18.0.1"sv,
                          "198.18.0.1 "sv,
                          "198.18.0.01"sv,
                          "0x7f.0.0.1"sv,
                          "3323068417"sv,
                          "198.18.0.1/15"sv,
                          "198.18.0.1:80"sv,
                          "198.18.0.1\0"sv,
                          "198.18.0.1\0x"sv,
                          "localhost"sv,
                          ":"sv,
                          ":::"sv,
                          "1::2::3"sv,
                          "2001:db8::12345"sv,
                          "2001:db8::g"sv,
                          "1:2:3:4:5:6:7"sv,
                          "1:2:3:4:5:6:7:8:9"sv,
                          "fe80::1%eth0"sv,
                          "[2001:db8::1]"sv,
                          "::ffff:198.18.0"sv,
                          "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb"sv}) {
    const auto parsed = Address::parse(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_NE(parsed.error().find(text), std::string::npos) << parsed.error();
  }
  EXPECT_EQ(Address::parse("198.18.0.256").error(),
            "\"198.18.0.256\" is not an IP address: expected one like 198.18.0.1 or 2001:db8::1");
}

TEST(Address, IsPrintedAsItIsParsed) {
  for (const auto text : {"198.18.0.1", "0.0.0.0", "255.255.255.255", "::", "::1", "2001:db8::1",
                          "1111:2222:3333:4444:5555:6666:7777:8888"}) {
    EXPECT_EQ(address(text).to_string(), text);
  }
}

TEST(Address, KnowsItsKind) {
  EXPECT_TRUE(Address{}.is_unspecified());
  EXPECT_TRUE(address("0.0.0.0").is_unspecified());
  EXPECT_FALSE(address("0.0.0.1").is_unspecified());
  EXPECT_TRUE(address("224.0.0.1").is_multicast());
  EXPECT_TRUE(address("239.255.255.255").is_multicast());
  EXPECT_FALSE(address("240.0.0.1").is_multicast());
  EXPECT_TRUE(address("ff02::1").is_multicast());
  EXPECT_FALSE(address("fe80::1").is_multicast());
  EXPECT_TRUE(address("255.255.255.255").is_limited_broadcast());
  EXPECT_FALSE(address("255.255.255.254").is_limited_broadcast());
  EXPECT_TRUE(address("127.255.0.1").is_loopback());
  EXPECT_TRUE(address("::1").is_loopback());
  EXPECT_TRUE(address("fe80::1").is_link_local());
  EXPECT_TRUE(address("febf::1").is_link_local());
  EXPECT_FALSE(address("fec0::1").is_link_local());
  EXPECT_FALSE(address("2001:db8::fe80").is_link_local());
  EXPECT_FALSE(address("128.0.0.1").is_loopback());
}

TEST(Prefix, ParsesAddressAndLength) {
  EXPECT_EQ(prefix("198.18.0.1/15"), (Prefix{address("198.18.0.1"), 15}));
  EXPECT_EQ(prefix("0.0.0.0/0").length, 0);
  EXPECT_EQ(prefix("2001:db8::/32").length, 32);
  EXPECT_EQ(prefix("2001:db8::/128").length, 128);
}

TEST(Prefix, OfABareAddressIsFullLength) {
  EXPECT_EQ(prefix("198.18.0.1").length, 32);
  EXPECT_EQ(prefix("2001:db8::1").length, 128);
}

TEST(Prefix, WrittenAsMappedIsIpv4) {
  EXPECT_EQ(prefix("::ffff:198.18.0.0/111"), prefix("198.18.0.0/15"));
  EXPECT_EQ(prefix("::ffff:198.18.0.1"), prefix("198.18.0.1/32"));
  EXPECT_FALSE(Prefix::parse("::ffff:198.18.0.1/95").has_value());
}

TEST(Prefix, RefusesEveryMalformedForm) {
  for (const auto text : {"", "/", "/15", "198.18.0.1/", "198.18.0.1/33", "198.18.0.1/-1",
                          "198.18.0.1/+1", "198.18.0.1/1x", "198.18.0.1/ 1", "198.18.0.1/15/1",
                          "198.18.0.1/99999999999", "198.18.0/15", "2001:db8::/129", "host/1"}) {
    const auto parsed = Prefix::parse(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_FALSE(parsed.error().empty());
  }
  EXPECT_EQ(
      Prefix::parse("198.18.0.1/33").error(),
      "\"198.18.0.1/33\" is not a prefix: expected ADDRESS/LENGTH with a length from 0 to 32");
}

TEST(Prefix, ContainsItsNetworkOnly) {
  const Prefix net = prefix("198.18.0.1/15");
  EXPECT_TRUE(net.contains(address("198.18.0.0")));
  EXPECT_TRUE(net.contains(address("198.19.255.255")));
  EXPECT_FALSE(net.contains(address("198.20.0.0")));
  EXPECT_FALSE(net.contains(address("198.17.255.255")));
  EXPECT_FALSE(net.contains(address("::198.18.0.1")));
  EXPECT_TRUE(prefix("0.0.0.0/0").contains(address("1.2.3.4")));
  EXPECT_FALSE(prefix("0.0.0.0/0").contains(address("2001:db8::1")));
  EXPECT_FALSE(prefix("::/0").contains(address("1.2.3.4")));
  EXPECT_TRUE(prefix("::/0").contains(address("2001:db8::1")));
  EXPECT_TRUE(prefix("2001:db8::/33").contains(address("2001:db8:7fff::1")));
  EXPECT_FALSE(prefix("2001:db8::/33").contains(address("2001:db8:8000::1")));
}

TEST(Prefix, CountsAndNamesItsAddresses) {
  EXPECT_EQ(prefix("198.18.0.1/15").size(), 131'072U);
  EXPECT_EQ(prefix("198.18.0.1").size(), 1U);
  EXPECT_EQ(prefix("0.0.0.0/0").size(), std::uint64_t{1} << 32);
  EXPECT_EQ(prefix("2001:db8::/65").size(), std::uint64_t{1} << 63);
  EXPECT_EQ(prefix("2001:db8::/64").size(), std::uint64_t{1} << 63);
  EXPECT_EQ(prefix("198.18.0.1/15").nth(0), address("198.18.0.0"));
  EXPECT_EQ(prefix("198.18.0.1/15").nth(65'537), address("198.19.0.1"));
  EXPECT_EQ(prefix("0.0.0.0/0").nth(0xffffffff), address("255.255.255.255"));
  EXPECT_EQ(prefix("2001:db8::7/64").nth(256), address("2001:db8::100"));
  EXPECT_EQ(prefix("::/0").nth(1), address("::1"));
}

TEST(Prefix, IsPrintedAsItIsParsed) {
  EXPECT_EQ(prefix("198.18.0.1/15").to_string(), "198.18.0.1/15");
  EXPECT_EQ(prefix("2001:db8::/32").to_string(), "2001:db8::/32");
}

TEST(Endpoint, ParsesBothFamilies) {
  EXPECT_EQ(Endpoint::parse("198.18.0.1:80"), (Endpoint{address("198.18.0.1"), 80}));
  EXPECT_EQ(Endpoint::parse("[2001:db8::1]:65535"), (Endpoint{address("2001:db8::1"), 65'535}));
}

TEST(Endpoint, RefusesEveryMalformedForm) {
  for (const auto text : {"",
                          ":",
                          ":80",
                          "198.18.0.1",
                          "198.18.0.1:",
                          "198.18.0.1:0",
                          "198.18.0.1:65536",
                          "198.18.0.1:-1",
                          "198.18.0.1:+80",
                          "198.18.0.1:http",
                          "198.18.0.1: 80",
                          "198.18.0.1:80 ",
                          "198.18.0.1:80:80",
                          "2001:db8::1:80",
                          "[2001:db8::1]",
                          "[2001:db8::1]:",
                          "[2001:db8::1]80",
                          "[2001:db8::1:80",
                          "2001:db8::1]:80",
                          "[198.18.0.1]:80",
                          "[]:80",
                          "[:80",
                          "host:80"}) {
    const auto parsed = Endpoint::parse(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_NE(parsed.error().find(text), std::string::npos) << parsed.error();
  }
}

TEST(Endpoint, IsPrintedAsItIsParsed) {
  for (const auto text : {"198.18.0.1:80", "[2001:db8::1]:443"}) {
    EXPECT_EQ(Endpoint::parse(text).value_or(Endpoint{}).to_string(), text);
  }
}

}  // namespace
}  // namespace handfast
