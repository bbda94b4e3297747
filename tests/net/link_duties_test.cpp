// Duplicate address detection, and reports of multicast groups.
#include "link_fixture.hpp"
#include "net/duplicate_detection.hpp"
#include "net/group_reports.hpp"

namespace handfast::net {
namespace {

class DuplicateDetectionTest : public LinkTest {
 protected:
  static wire::Frame from(const Address& source, const base::MacAddress& mac = kTheirMac) {
    wire::Frame frame{};
    frame.source = source;
    frame.source_mac = mac;
    return frame;
  }
  void ask() {
    detection_.advance(now_);
    now_ = now_ + 300ms;
    detection_.advance(now_);
  }

  const Address kOurs = address("2001:db8::1");
  DuplicateDetection detection_{interface_, sink_, counters_, true, true, 300ms};
};

// RFC 4862 section 5.4.2: for each address, the link-local one too.
TEST_F(DuplicateDetectionTest, AsksOnceForEachAddress) {
  ask();
  const auto sent = take_sent();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].type, wire::kIcmpv6NeighbourSolicitation);
  EXPECT_TRUE(sent[0].frame.source.is_unspecified());
  EXPECT_EQ(sent[0].frame.destination, wire::solicited_node(kOurs));
  EXPECT_EQ(sent[0].body_size, 16U);  // no link address
  EXPECT_FALSE(detection_.advance(now_ + kDuplicateWait - 1ns));
  EXPECT_TRUE(detection_.is_running());
  EXPECT_TRUE(detection_.advance(now_ + kDuplicateWait));
  EXPECT_FALSE(detection_.is_running());
  EXPECT_EQ(detection_.next_deadline(), Instant::never());
  EXPECT_TRUE(interface_.is_ours(kOurs));
  EXPECT_EQ(take_sent().size(), 0U);
}

TEST_F(DuplicateDetectionTest, AnAnswerTakesTheAddressAway) {
  ask();
  EXPECT_EQ(detection_.receive(wire::NeighbourAdvertisement{.target = kOurs}, from(kOurs)), kOurs);
  EXPECT_FALSE(interface_.is_ours(kOurs));
  EXPECT_FALSE(interface_.source_for(address("2001:db8::5")).has_value());
  EXPECT_TRUE(interface_.is_ours(wire::link_local_address(kOurMac)));
  EXPECT_EQ(counted().duplicate_addresses, 1U);
  ASSERT_EQ(detection_.duplicates().size(), 1U);
  EXPECT_EQ(detection_.duplicates()[0], kOurs);
  // Said twice, it is lost once.
  EXPECT_FALSE(detection_.receive(wire::NeighbourAdvertisement{.target = kOurs}, from(kOurs)));
}

// RFC 4862 section 5.4.3.
TEST_F(DuplicateDetectionTest, AnothersQuestionTakesItAwayToo) {
  ask();
  const wire::NeighbourSolicitation question{.target = kOurs, .source_mac = std::nullopt};
  EXPECT_FALSE(detection_.receive(question, from(address("2001:db8::9"))));  // only resolves it
  EXPECT_FALSE(detection_.receive(question, from(Address{}, kOurMac)));      // our own, looped back
  EXPECT_TRUE(interface_.is_ours(kOurs));
  EXPECT_EQ(detection_.receive(question, from(Address{})), kOurs);
  EXPECT_FALSE(interface_.is_ours(kOurs));
}

TEST_F(DuplicateDetectionTest, OthersAddressesAreNoneOfItsBusiness) {
  ask();
  const Address other = address("2001:db8::2");
  EXPECT_FALSE(detection_.receive(wire::NeighbourAdvertisement{.target = other}, from(other)));
  EXPECT_EQ(counted().duplicate_addresses, 0U);
}

// Or anybody could take our addresses away at any time.
TEST_F(DuplicateDetectionTest, AfterwardsNothingIsBelieved) {
  ask();
  detection_.advance(now_ + kDuplicateWait);
  EXPECT_FALSE(detection_.receive(wire::NeighbourAdvertisement{.target = kOurs}, from(kOurs)));
  EXPECT_TRUE(interface_.is_ours(kOurs));
}

class GroupReportsTest : public LinkTest {
 protected:
  void begin() {
    for (int i = 0; i < 30; ++i, now_ = now_ + 100ms) reports_.advance(now_);
  }

  const Address kOurGroup = wire::solicited_node(address("2001:db8::1"));
  GroupReports reports_{interface_, sink_, counters_, true, true, 7};
};

// RFC 3810 section 6.1.
TEST_F(GroupReportsTest, AreSentTwiceAtStart) {
  begin();
  const auto sent = take_sent();
  ASSERT_EQ(sent.size(), kReportsAtStart);
  for (const Sent& report : sent) {
    EXPECT_EQ(report.type, wire::kIcmpv6ListenerReportV2);
    EXPECT_EQ(report.rest, 2U);  // that of the link-local address too
    EXPECT_EQ(report.frame.source, wire::link_local_address(kOurMac));
    EXPECT_EQ(report.frame.destination, wire::kAllMldRouters);
  }
  EXPECT_EQ(reports_.next_deadline(), Instant::never());
}

TEST_F(GroupReportsTest, AQueryIsAnsweredOnceWithinItsDelay) {
  begin();
  sink_.clear();
  reports_.receive({.group = Address{}, .max_delay = 10s}, now_);
  EXPECT_LT(reports_.next_deadline(), now_ + 10s);
  reports_.receive({.group = kOurGroup, .max_delay = 10s}, now_);
  now_ = now_ + 10s;
  reports_.advance(now_);
  reports_.advance(now_ + 20s);
  EXPECT_EQ(take_sent().size(), 1U);
  EXPECT_EQ(counted().listener_queries_received, 2U);
}

TEST_F(GroupReportsTest, ASecondQueryDoesNotPutTheAnswerOff) {
  begin();
  reports_.receive({.group = Address{}, .max_delay = 1ms}, now_);
  reports_.receive({.group = Address{}, .max_delay = 8000s}, now_);
  EXPECT_LT(reports_.next_deadline(), now_ + 1ms);
}

TEST_F(GroupReportsTest, AQueryAboutAnothersGroupIsNot) {
  begin();
  reports_.receive({.group = address("ff02::1:ff00:77"), .max_delay = 1s}, now_);
  EXPECT_EQ(reports_.next_deadline(), Instant::never());
}

// RFC 3810 section 8.2.1.
TEST_F(GroupReportsTest, AQueryOfVersion1IsAnsweredInIt) {
  begin();
  sink_.clear();
  reports_.receive({.group = Address{}, .max_delay = 1s, .is_version_1 = true}, now_);
  reports_.advance(now_ + 1s);
  const auto sent = take_sent();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].type, wire::kIcmpv6ListenerReportV1);
  EXPECT_EQ(sent[0].frame.destination, kOurGroup);
}

TEST_F(GroupReportsTest, OwnedRangesAreReportedAsFarAsThereIsRoom) {
  const Interface wide = Interface::create({.addresses = {Prefix{address("2001:db8::1"), 64}},
                                            .owned_ranges = {Prefix{address("2001:db8:1::"), 112}}},
                                           {.mac = kOurMac})
                             .value();
  const GroupReports reports(wide, sink_, counters_, true, true, 7);
  EXPECT_EQ(reports.groups().size(), wire::kReportedGroupsMax);
}

TEST_F(GroupReportsTest, WithoutIpv6OrTheSettingThereAreNone) {
  const Interface v4 =
      Interface::create({.addresses = {Prefix{Address::v4(0xc6120001), 15}}}, {.mac = kOurMac})
          .value();
  const GroupReports none(v4, sink_, counters_, true, true, 7);
  const GroupReports off(interface_, sink_, counters_, false, true, 7);
  EXPECT_EQ(none.next_deadline(), Instant::never());
  EXPECT_EQ(off.next_deadline(), Instant::never());
}

}  // namespace
}  // namespace handfast::net
