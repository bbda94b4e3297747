#include "net/icmp_input.hpp"

#include <gtest/gtest.h>

#include <array>

namespace handfast::net {
namespace {

using namespace std::chrono_literals;

const Address kOurs = Address::v4(0xc6120001);    // 198.18.0.1
const Address kPeer = Address::v4(0xc6120002);    // 198.18.0.2
const Address kRouter = Address::v4(0xc61200fe);  // 198.18.0.254
const Address kSubnetBroadcast = Address::v4(0xc613ffff);

class IcmpInputTest : public testing::Test {
 protected:
  IcmpInputTest() { quote(kOurs, wire::kProtocolTcp); }

  // What a router quotes of a segment from `source` to the peer: 198.18.0.1:4660 to port 80.
  void quote(const Address& source, std::uint8_t protocol) {
    std::byte* tcp =
        wire::emit_ip(quoted_.data(), protocol, {.source = source, .destination = kPeer}, 20);
    base::store_be16(tcp, 0x1234);
    base::store_be16(tcp + 2, 80);
    base::store_be32(tcp + 4, 0xfffffff0);
  }
  wire::Icmp message(std::uint8_t type, std::uint8_t code, std::uint32_t rest = 0) const {
    return {.type = type, .code = code, .rest = rest, .body = quoted_};
  }
  static wire::Frame frame(const Address& source, const Address& destination) {
    wire::Frame out{};
    out.kind = wire::FrameKind::icmp;
    out.source = source;
    out.destination = destination;
    return out;
  }
  IcmpVerdict decide(std::uint8_t type, std::uint8_t code, std::uint32_t rest = 0) {
    return input_.decide(message(type, code, rest), frame(kRouter, kOurs), now_);
  }
  bool answers_echo(const wire::Frame& carrier) {
    return std::holds_alternative<AnswerEcho>(
        input_.decide(message(wire::kIcmpEchoRequest, 0), carrier, now_));
  }

  std::array<std::byte, 28> quoted_{};
  Interface interface_ = Interface::create({.addresses = {Prefix{kOurs, 15}},
                                            .owned_ranges = {Prefix{Address::v4(0xc6138000), 17}}},
                                           {.mac = {2, 0, 0, 0, 0, 1}})
                             .value();
  IcmpInput input_{interface_};
  Instant now_ = Instant::from_ns(1'000'000'000);
};

TEST_F(IcmpInputTest, EveryErrorHasItsKind) {
  using Kind = TcpError::Kind;
  struct Case {
    std::uint8_t type;
    std::uint8_t code;
    Kind kind;
  };
  std::vector<Case> cases{{3, 2, Kind::unreachable_hard},  {3, 3, Kind::unreachable_hard},
                          {3, 4, Kind::packet_too_big},    {11, 0, Kind::time_exceeded},
                          {11, 1, Kind::time_exceeded},    {12, 0, Kind::parameter_problem},
                          {3, 0, Kind::unreachable_soft},  {3, 1, Kind::unreachable_soft},
                          {3, 255, Kind::unreachable_soft}};
  for (std::uint8_t code = 5; code <= 15; ++code)
    cases.push_back({3, code, Kind::unreachable_soft});
  for (const Case& c : cases) {
    const IcmpVerdict verdict = decide(c.type, c.code);
    const auto* error = std::get_if<TcpError>(&verdict);
    ASSERT_NE(error, nullptr) << int{c.type} << '/' << int{c.code};
    EXPECT_EQ(error->kind, c.kind) << int{c.type} << '/' << int{c.code};
    EXPECT_EQ(error->next_hop_mtu, 0);
  }
}

TEST_F(IcmpInputTest, AnErrorSaysWhichSegmentItIsAbout) {
  const auto error = std::get<TcpError>(decide(3, 3));
  EXPECT_EQ(error.quoted.source, kOurs);
  EXPECT_EQ(error.quoted.destination, kPeer);
  EXPECT_EQ(error.quoted.source_port, 0x1234);
  EXPECT_EQ(error.quoted.destination_port, 80);
  EXPECT_EQ(error.quoted.seq.raw(), 0xfffffff0);
}

TEST_F(IcmpInputTest, PacketTooBigCarriesTheNextHopsMtu) {
  EXPECT_EQ(std::get<TcpError>(decide(3, 4, 0xabcd0000 | 1400)).next_hop_mtu, 1400);
  EXPECT_EQ(std::get<TcpError>(decide(3, 3, 1400)).next_hop_mtu, 0);
}

TEST_F(IcmpInputTest, SourceQuenchAndQueriesAreIgnored) {
  constexpr std::uint8_t kOtherTypes[] = {0, 4, 5, 9, 10, 13, 14, 17, 18, 42, 255};
  for (const std::uint8_t type : kOtherTypes) {
    EXPECT_TRUE(std::holds_alternative<IgnoreIcmp>(decide(type, 0))) << int{type};
  }
}

TEST_F(IcmpInputTest, ErrorsAboutWhatWeNeverSentAreNotBelieved) {
  quote(kPeer, wire::kProtocolTcp);
  EXPECT_TRUE(std::holds_alternative<DisbelieveIcmp>(decide(3, 3)));
  quote(kOurs, 17);
  EXPECT_TRUE(std::holds_alternative<DisbelieveIcmp>(decide(3, 3)));
  quote(Address::v4(0xc6138005), wire::kProtocolTcp);  // inside the owned range
  EXPECT_TRUE(std::holds_alternative<TcpError>(decide(3, 3)));
}

TEST_F(IcmpInputTest, ErrorsToOrFromBroadcastAreNotBelieved) {
  for (wire::Frame carrier :
       {frame(kRouter, kSubnetBroadcast), frame(kSubnetBroadcast, kOurs), frame(kRouter, kPeer)}) {
    EXPECT_TRUE(
        std::holds_alternative<DisbelieveIcmp>(input_.decide(message(3, 3), carrier, now_)));
  }
  wire::Frame by_link_broadcast = frame(kRouter, kOurs);
  by_link_broadcast.link_broadcast = true;
  EXPECT_TRUE(std::holds_alternative<DisbelieveIcmp>(
      input_.decide(message(3, 3), by_link_broadcast, now_)));
}

TEST_F(IcmpInputTest, EchoIsAnsweredToUnicastOnly) {
  EXPECT_TRUE(answers_echo(frame(kPeer, kOurs)));
  EXPECT_TRUE(answers_echo(frame(kPeer, Address::v4(0xc6138005))));
  // The owned range reaches over the network's broadcast address.
  EXPECT_FALSE(answers_echo(frame(kPeer, kSubnetBroadcast)));
  EXPECT_FALSE(answers_echo(frame(kPeer, Address::v4(0xffffffff))));
  EXPECT_FALSE(answers_echo(frame(kPeer, kPeer)));
  EXPECT_FALSE(answers_echo(frame(kSubnetBroadcast, kOurs)));
  EXPECT_FALSE(answers_echo(frame(Address::v4(0), kOurs)));
  wire::Frame by_link_broadcast = frame(kPeer, kOurs);
  by_link_broadcast.link_broadcast = true;
  EXPECT_FALSE(answers_echo(by_link_broadcast));
}

TEST_F(IcmpInputTest, EchoHasARate) {
  const auto answered = [&](unsigned asked) {
    unsigned count = 0;
    for (unsigned i = 0; i < asked; ++i) count += answers_echo(frame(kPeer, kOurs)) ? 1 : 0;
    return count;
  };
  EXPECT_EQ(answered(2 * kEchoBurstMax), kEchoBurstMax);
  now_ = now_ + 10ms;
  EXPECT_EQ(answered(2 * kEchoBurstMax), kEchoPerSecondMax / 100);
  now_ = now_ + 10s;
  EXPECT_EQ(answered(2 * kEchoBurstMax), kEchoBurstMax);
}

// RFC 9293 section 3.9.2.2 (MUST-54): the application can be told.
TEST_F(IcmpInputTest, AnErrorSaysWhatTheNetworkSaid) {
  const auto said = [this](std::uint8_t type, std::uint8_t code) {
    return std::get<TcpError>(decide(type, code)).said;
  };
  EXPECT_EQ(said(3, 0), NetworkError::network_unreachable);
  EXPECT_EQ(said(3, 1), NetworkError::host_unreachable);
  EXPECT_EQ(said(3, 2), NetworkError::not_listening);
  EXPECT_EQ(said(3, 3), NetworkError::not_listening);
  EXPECT_EQ(said(3, 4), NetworkError::none);
  EXPECT_EQ(said(3, 13), NetworkError::prohibited);
  EXPECT_EQ(said(3, 255), NetworkError::host_unreachable);
  EXPECT_EQ(said(11, 0), NetworkError::time_exceeded);
  EXPECT_EQ(said(12, 0), NetworkError::malformed);
}

// The same of ICMPv6.
class Icmpv6InputTest : public testing::Test {
 protected:
  Icmpv6InputTest() { quote(kOurs6); }

  void quote(const Address& source) {
    std::byte* tcp = wire::emit_ip(quoted_.data(), wire::kProtocolTcp,
                                   {.source = source, .destination = kPeer6}, 20);
    base::store_be16(tcp, 0x1234);
    base::store_be16(tcp + 2, 80);
    base::store_be32(tcp + 4, 0xfffffff0);
  }
  static wire::Frame frame(const Address& source, const Address& destination) {
    wire::Frame out{};
    out.kind = wire::FrameKind::icmpv6;
    out.source = source;
    out.destination = destination;
    return out;
  }
  IcmpVerdict decide(std::uint8_t type, std::uint8_t code, std::uint32_t rest = 0) {
    return input_.decide({.type = type, .code = code, .rest = rest, .body = quoted_},
                         frame(kRouter6, kOurs6), now_);
  }
  bool answers_echo(const wire::Frame& carrier) {
    return std::holds_alternative<AnswerEcho>(
        input_.decide({.type = wire::kIcmpv6EchoRequest}, carrier, now_));
  }

  const Address kOurs6 = Address::parse("2001:db8::1").value();
  const Address kPeer6 = Address::parse("2001:db8::2").value();
  const Address kRouter6 = Address::parse("fe80::fe").value();
  std::array<std::byte, 48> quoted_{};
  Interface interface_ =
      Interface::create({.addresses = {Prefix{kOurs6, 64}}}, {.mac = {2, 0, 0, 0, 0, 1}}).value();
  IcmpInput input_{interface_};
  Instant now_ = Instant::from_ns(1'000'000'000);
};

TEST_F(Icmpv6InputTest, EveryErrorHasItsKind) {
  using Kind = TcpError::Kind;
  struct Case {
    std::uint8_t type;
    std::uint8_t code;
    Kind kind;
  };
  for (const Case& c : {Case{1, 0, Kind::unreachable_soft}, Case{1, 1, Kind::unreachable_hard},
                        Case{1, 2, Kind::unreachable_soft}, Case{1, 3, Kind::unreachable_soft},
                        Case{1, 4, Kind::unreachable_hard}, Case{1, 5, Kind::unreachable_soft},
                        Case{1, 6, Kind::unreachable_soft}, Case{2, 0, Kind::packet_too_big},
                        Case{3, 0, Kind::time_exceeded}, Case{3, 1, Kind::time_exceeded},
                        Case{4, 1, Kind::parameter_problem}}) {
    const IcmpVerdict verdict = decide(c.type, c.code, 1400);
    const auto* error = std::get_if<TcpError>(&verdict);
    ASSERT_NE(error, nullptr) << int{c.type} << '/' << int{c.code};
    EXPECT_EQ(error->kind, c.kind) << int{c.type} << '/' << int{c.code};
    EXPECT_EQ(error->quoted.source, kOurs6);
    EXPECT_EQ(error->quoted.destination, kPeer6);
    EXPECT_EQ(error->quoted.source_port, 0x1234);
    EXPECT_EQ(error->quoted.seq.raw(), 0xfffffff0);
  }
}

TEST_F(Icmpv6InputTest, AnErrorSaysWhatTheNetworkSaid) {
  const auto said = [this](std::uint8_t type, std::uint8_t code) {
    return std::get<TcpError>(decide(type, code)).said;
  };
  EXPECT_EQ(said(1, 0), NetworkError::network_unreachable);
  EXPECT_EQ(said(1, 1), NetworkError::prohibited);
  EXPECT_EQ(said(1, 3), NetworkError::host_unreachable);
  EXPECT_EQ(said(1, 4), NetworkError::not_listening);
  EXPECT_EQ(said(1, 5), NetworkError::prohibited);
  EXPECT_EQ(said(2, 0), NetworkError::none);
  EXPECT_EQ(said(3, 0), NetworkError::time_exceeded);
  EXPECT_EQ(said(4, 1), NetworkError::malformed);
}

// RFC 8201 section 4: not below 1280, which every link carries.
TEST_F(Icmpv6InputTest, PacketTooBigHasAFloor) {
  const auto mtu = [this](std::uint32_t said) {
    return std::get<TcpError>(decide(2, 0, said)).next_hop_mtu;
  };
  EXPECT_EQ(mtu(1400), 1400);
  EXPECT_EQ(mtu(1280), 1280);
  EXPECT_EQ(mtu(1279), 1280);
  EXPECT_EQ(mtu(0), 1280);
  EXPECT_EQ(mtu(0x10000 | 1400), 65'535);
}

TEST_F(Icmpv6InputTest, OtherTypesAreIgnored) {
  for (const auto type : std::to_array<std::uint8_t>({0, 5, 8, 11, 100, 129, 130, 131, 132, 143})) {
    EXPECT_TRUE(std::holds_alternative<IgnoreIcmp>(decide(type, 0))) << int{type};
  }
}

TEST_F(Icmpv6InputTest, ErrorsAboutWhatWeNeverSentAreNotBelieved) {
  quote(kPeer6);
  EXPECT_TRUE(std::holds_alternative<DisbelieveIcmp>(decide(1, 4)));
}

TEST_F(Icmpv6InputTest, EchoIsAnsweredToUnicastOnlyAndAtARate) {
  EXPECT_TRUE(answers_echo(frame(kPeer6, kOurs6)));
  EXPECT_FALSE(answers_echo(frame(kPeer6, wire::kAllNodes)));
  EXPECT_FALSE(answers_echo(frame(Address{}, kOurs6)));
  wire::Frame by_group = frame(kPeer6, kOurs6);
  by_group.link_broadcast = true;
  EXPECT_FALSE(answers_echo(by_group));
  unsigned answered = 0;
  for (unsigned i = 0; i < 2 * kEchoBurstMax; ++i) {
    answered += answers_echo(frame(kPeer6, kOurs6)) ? 1 : 0;
  }
  EXPECT_EQ(answered, kEchoBurstMax - 1);
}

TEST(TokenBucket, AskingOftenEarnsNoLess) {
  TokenBucket bucket(10, 1);
  Instant now = Instant::from_ns(0);
  unsigned taken = 0;
  for (int i = 0; i < 1000; ++i, now = now + 7ms) taken += bucket.take(now) ? 1 : 0;
  EXPECT_EQ(taken, 70U);  // the one it began with and ten for each of 6.9 s
}

}  // namespace
}  // namespace handfast::net
