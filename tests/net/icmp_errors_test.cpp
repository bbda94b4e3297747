#include "net/icmp_errors.hpp"

#include <gtest/gtest.h>

#include <array>

#include "wire/discovery.hpp"
#include "wire/ip.hpp"

namespace handfast::net {
namespace {

using namespace std::chrono_literals;
using wire::Complaint;

const Address kOurs = Address::v4(0xc6120001);  // 198.18.0.1/15
const Address kPeer = Address::v4(0xc6120002);
const Address kSubnetBroadcast = Address::v4(0xc613ffff);
const Address kOurs6 = Address::parse("2001:db8::1").value();
const Address kPeer6 = Address::parse("2001:db8::2").value();

class IcmpErrorsTest : public testing::Test {
 protected:
  wire::Frame refused(Complaint complaint, std::uint8_t protocol, const Address& source = kPeer,
                      const Address& destination = kOurs) const {
    wire::Frame frame{};
    frame.source = source;
    frame.destination = destination;
    frame.refused = {.begin = packet_.data(),
                     .length = 20,
                     .at = 6,
                     .protocol = protocol,
                     .complaint = complaint};
    return frame;
  }
  wire::Frame refused6(Complaint complaint, std::uint8_t protocol, const Address& source = kPeer6,
                       const Address& destination = kOurs6) const {
    return refused(complaint, protocol, source, destination);
  }
  std::optional<wire::IcmpError> error_for(const wire::Frame& frame) {
    const auto own = errors_.about(frame, now_);
    if (!own) return std::nullopt;
    EXPECT_EQ(own->destination, frame.source);
    EXPECT_EQ(own->quoted.data(), packet_.data());
    EXPECT_EQ(own->quoted.size(), 20U);
    return own->error;
  }

  std::array<std::byte, 20> packet_{};
  Interface interface_ = Interface::create({.addresses = {Prefix{kOurs, 15}, Prefix{kOurs6, 64}}},
                                           {.mac = {2, 0, 0, 0, 0, 1}})
                             .value();
  base::LiveCounters counters_;
  IcmpErrors errors_{interface_, counters_};
  Instant now_ = Instant::from_ns(1'000'000'000);
};

TEST_F(IcmpErrorsTest, ProtocolsAreUnreachable) {
  constexpr std::uint8_t kSctp = 132;
  EXPECT_EQ(error_for(refused(Complaint::protocol, kSctp)), (wire::IcmpError{3, 2, 0}));
  EXPECT_EQ(error_for(refused6(Complaint::next_header, kSctp)), (wire::IcmpError{4, 1, 6}));
}

TEST_F(IcmpErrorsTest, OfUdpItIsThePortThatIsUnreachable) {
  EXPECT_EQ(error_for(refused(Complaint::protocol, wire::kProtocolUdp)),
            (wire::IcmpError{3, 3, 0}));
  EXPECT_EQ(error_for(refused6(Complaint::next_header, wire::kProtocolUdp)),
            (wire::IcmpError{1, 4, 0}));
}

TEST_F(IcmpErrorsTest, OptionsAndRoutingHeadersAreAParameterProblem) {
  EXPECT_EQ(error_for(refused6(Complaint::option, 0x80)), (wire::IcmpError{4, 2, 6}));
  EXPECT_EQ(error_for(refused6(Complaint::option_of_any_kind, 0x80)), (wire::IcmpError{4, 2, 6}));
  EXPECT_EQ(error_for(refused6(Complaint::header_field, 0)), (wire::IcmpError{4, 0, 6}));
  EXPECT_FALSE(error_for(refused6(Complaint::none, 0)));
}

// RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e).
TEST_F(IcmpErrorsTest, GroupsAndStrangersHearNothing) {
  const auto answered = [this](const Address& source, const Address& destination) {
    return error_for(refused(Complaint::protocol, 132, source, destination)).has_value();
  };
  EXPECT_TRUE(answered(kPeer, kOurs));
  EXPECT_FALSE(answered(kPeer, kSubnetBroadcast));
  EXPECT_FALSE(answered(kPeer, Address::v4(0xffffffff)));
  EXPECT_FALSE(answered(kPeer, Address::v4(0xe0000001)));
  EXPECT_FALSE(answered(kPeer, kPeer));
  EXPECT_FALSE(answered(kSubnetBroadcast, kOurs));
  EXPECT_FALSE(answered(kOurs, kOurs));
  EXPECT_FALSE(answered(Address::v4(0), kOurs));
  EXPECT_FALSE(answered(Address{}, kOurs6));
  EXPECT_FALSE(answered(kPeer6, wire::kAllNodes));
  wire::Frame by_link_broadcast = refused(Complaint::protocol, 132);
  by_link_broadcast.link_broadcast = true;
  EXPECT_FALSE(error_for(by_link_broadcast));
}

// RFC 8200 section 4.2: the option type says whether a group's packet is answered.
TEST_F(IcmpErrorsTest, OneKindOfOptionIsComplainedOfEvenToAGroup) {
  wire::Frame frame = refused6(Complaint::option_of_any_kind, 0x80, kPeer6, wire::kAllNodes);
  frame.link_broadcast = true;
  const auto own = errors_.about(frame, now_);
  ASSERT_TRUE(own);
  EXPECT_EQ(own->source, kOurs6);
  frame.refused.complaint = Complaint::option;
  EXPECT_FALSE(errors_.about(frame, now_));
  frame = refused6(Complaint::option_of_any_kind, 0x80, kPeer6, Address::parse("ff02::2").value());
  EXPECT_FALSE(errors_.about(frame, now_));
}

// RFC 4443 section 2.4 (f).
TEST_F(IcmpErrorsTest, TheyHaveARate) {
  const auto answered = [&](unsigned asked) {
    unsigned count = 0;
    for (unsigned i = 0; i < asked; ++i) {
      count += error_for(refused(Complaint::protocol, 132)).has_value() ? 1 : 0;
    }
    return count;
  };
  EXPECT_EQ(answered(2 * kIcmpErrorsBurstMax), kIcmpErrorsBurstMax);
  EXPECT_EQ(counters_.snapshot().icmp_errors_limited, kIcmpErrorsBurstMax);
  now_ = now_ + 100ms;
  EXPECT_EQ(answered(2 * kIcmpErrorsBurstMax), kIcmpErrorsPerSecondMax / 10);
}

}  // namespace
}  // namespace handfast::net
