// What is believed of Neighbour Discovery, how it is answered, and what we ask.
#include "neighbours_fixture.hpp"

namespace handfast::net {
namespace {

const Address kOurs6 = Address::parse("2001:db8::1").value();
const Address kOwned6 = Address::parse("2001:db8::aa:0:5").value();
const Address kPeer6 = Address::parse("2001:db8::2").value();
const Address kLinkLocal = wire::link_local_address(kOurMac);
const Address kRouter = Address::parse("fe80::fe").value();

using Solicitation = wire::NeighbourSolicitation;
using Advertisement = wire::NeighbourAdvertisement;

// A Neighbours that speaks IPv6, and the messages that it has sent.
class DiscoveryTest : public testing::Test {
 protected:
  struct Message {
    base::MacAddress mac{};  // where the frame went
    wire::Frame frame{};
    wire::Icmp icmp;
    Solicitation question;
    Advertisement answer;
  };

  void TearDown() override {
    neighbours_.reset();
    sink_.clear();
    EXPECT_EQ(sink_.outstanding, 0);
  }

  static Message message_of(base::Packet frame) {
    Message out;
    out.mac = destination_of(frame);
    EXPECT_EQ(wire::parse_frame(frame, {.mac = out.mac}, out.frame), wire::Drop::none);
    EXPECT_EQ(wire::parse_icmpv6(out.frame, out.icmp), wire::Drop::none);
    const bool is_question = out.icmp.type == wire::kIcmpv6NeighbourSolicitation;
    EXPECT_EQ(is_question ? wire::parse_solicitation(out.icmp, out.frame, out.question)
                          : wire::parse_advertisement(out.icmp, out.frame, out.answer),
              wire::Drop::none);
    return out;
  }
  // The last frame sent.
  Message last() { return message_of(sink_.sent.back()); }

  bool hear(const Solicitation& question, const Address& source, const Address& destination) {
    wire::Frame frame{};
    frame.kind = wire::FrameKind::icmpv6;
    frame.source = source;
    frame.destination = destination;
    frame.source_mac = asking_mac_;
    return neighbours_->receive_solicitation(question, frame, now_);
  }
  bool hear(const Advertisement& answer) {
    return neighbours_->receive_advertisement(answer, now_);
  }
  bool hear_answer(const base::MacAddress& mac = kPeerMac) {
    return hear({.target = kPeer6, .solicited = true, .override_cached = true, .target_mac = mac});
  }
  NeighbourId add(const Address& address) {
    return neighbours_->find_or_add(address, now_).value();
  }
  void queue(NeighbourId id) {
    base::Packet frame;
    ASSERT_TRUE(sink_.allocate(frame));
    frame.length = 80;
    std::memcpy(frame.data, neighbours_->placeholder_header(id).bytes.data(), 14);
    neighbours_->queue(id, frame, now_);
  }
  std::optional<base::MacAddress> mac_of(NeighbourId id) {
    const wire::LinkHeader* header = neighbours_->link_header(id, now_);
    if (header == nullptr) return std::nullopt;
    base::MacAddress mac;
    std::memcpy(mac.data(), header->bytes.data(), mac.size());
    return mac;
  }
  // Use of a stale entry asks its owner; use of a reachable one asks nobody.
  bool is_stale(NeighbourId id) {
    sink_.clear();
    (void)neighbours_->link_header(id, now_);
    return !sink_.sent.empty();
  }
  void run(Duration duration) {
    const Instant end = now_ + duration;
    while (neighbours_->next_deadline() <= end) {
      now_ = std::max(now_, neighbours_->next_deadline());
      neighbours_->advance(now_);
    }
    now_ = end;
  }
  Counters counted() const { return counters_.snapshot(); }

  base::MacAddress asking_mac_ = kPeerMac;  // whose frame a question comes in
  FakeSink sink_;
  base::LiveCounters counters_;
  Interface interface_ =
      Interface::create({.addresses = {Prefix{kOurs6, 64}},
                         .owned_ranges = {Prefix::parse("2001:db8::aa:0:0/96").value()}},
                        {.mac = kOurMac})
          .value();
  Instant now_ = Instant::from_ns(1'000'000'000);
  std::optional<Neighbours> neighbours_{std::in_place, interface_, sink_, counters_};
};

TEST_F(DiscoveryTest, AQuestionGoesToTheSolicitedNodeGroup) {
  queue(add(kPeer6));
  ASSERT_EQ(sink_.sent.size(), 1U);
  const Message asked = last();
  EXPECT_EQ(asked.mac, wire::multicast_mac(wire::solicited_node(kPeer6)));
  EXPECT_EQ(asked.frame.source, kOurs6);
  EXPECT_EQ(asked.frame.destination, wire::solicited_node(kPeer6));
  EXPECT_EQ(asked.question, (Solicitation{.target = kPeer6, .source_mac = kOurMac}));
  EXPECT_EQ(counted().solicitations_sent, 1U);
}

TEST_F(DiscoveryTest, ALinkLocalNeighbourIsAskedFromOurLinkLocalAddress) {
  queue(add(kRouter));
  EXPECT_EQ(last().frame.source, kLinkLocal);
}

TEST_F(DiscoveryTest, AnAnswerReleasesWhatWaits) {
  const NeighbourId id = add(kPeer6);
  queue(id);
  sink_.clear();
  EXPECT_TRUE(hear_answer());
  ASSERT_EQ(sink_.sent.size(), 1U);
  EXPECT_EQ(destination_of(sink_.sent[0]), kPeerMac);
  EXPECT_EQ(base::load_be16(sink_.sent[0].data + 12), wire::kEtherTypeIpv6);
  EXPECT_FALSE(is_stale(id));
  const wire::LinkHeader* const header = neighbours_->link_header(id, now_);
  EXPECT_EQ(base::load_be16(header->bytes.data() + 12), wire::kEtherTypeIpv6);
}

TEST_F(DiscoveryTest, NobodyAnswersThreeQuestions) {
  const NeighbourId id = add(kPeer6);
  neighbours_->pin(id);
  queue(id);
  run(3s);
  EXPECT_EQ(counted().solicitations_sent, 3U);
  EXPECT_EQ(counted().neighbour_unreachable, 1U);
  EXPECT_EQ(counted().neighbour_queue_dropped, 1U);
  neighbours_->unpin(id);
}

TEST_F(DiscoveryTest, AStaleNeighbourIsAskedDirectly) {
  const NeighbourId id = add(kPeer6);
  hear_answer();
  run(kReachableTime);
  EXPECT_EQ(mac_of(id), kPeerMac);
  const Message probe = last();
  EXPECT_EQ(probe.mac, kPeerMac);
  EXPECT_EQ(probe.frame.destination, kPeer6);
  EXPECT_TRUE(hear_answer());
  EXPECT_FALSE(is_stale(id));
}

TEST_F(DiscoveryTest, AnAnswerMakesNoEntryButIsPassedOn) {
  EXPECT_TRUE(hear_answer());
  EXPECT_EQ(neighbours_->size(), 0U);
}

// RFC 4861 section 7.2.5, INCOMPLETE.
TEST_F(DiscoveryTest, WhatNobodyAskedForIsStale) {
  const NeighbourId id = add(kPeer6);
  queue(id);
  hear({.target = kPeer6});  // no link address: nothing learned
  EXPECT_EQ(mac_of(id), std::nullopt);
  EXPECT_FALSE(hear({.target = kPeer6, .target_mac = kPeerMac}));
  EXPECT_EQ(mac_of(id), kPeerMac);
  EXPECT_EQ(counted().solicitations_sent, 2U);  // the question, and the probe that its use sent
}

// RFC 4861 section 7.2.5, I.
TEST_F(DiscoveryTest, AnotherMacWithoutOverrideOnlyCastsDoubt) {
  const NeighbourId id = add(kPeer6);
  hear_answer();
  hear({.target = kPeer6, .solicited = true, .target_mac = kOtherMac});
  EXPECT_TRUE(is_stale(id));
  EXPECT_EQ(mac_of(id), kPeerMac);
  hear({.target = kPeer6, .solicited = true, .target_mac = kOtherMac});
  EXPECT_EQ(mac_of(id), kPeerMac);
}

// RFC 4861 section 7.2.5, II.
TEST_F(DiscoveryTest, OverrideMovesTheNeighbour) {
  const NeighbourId id = add(kPeer6);
  hear_answer();
  hear_answer(kOtherMac);
  EXPECT_EQ(mac_of(id), kOtherMac);
  EXPECT_FALSE(is_stale(id));
  EXPECT_TRUE(hear({.target = kPeer6, .override_cached = true, .target_mac = kPeerMac}));
  EXPECT_TRUE(is_stale(id));
  EXPECT_EQ(mac_of(id), kPeerMac);
}

TEST_F(DiscoveryTest, TheSameMacUnaskedChangesNothing) {
  const NeighbourId id = add(kPeer6);
  hear_answer();
  hear({.target = kPeer6, .override_cached = true, .target_mac = kPeerMac});
  EXPECT_FALSE(is_stale(id));
}

TEST_F(DiscoveryTest, AConfirmationNeedsNoLinkAddress) {
  const NeighbourId id = add(kPeer6);
  hear_answer();
  run(kReachableTime);
  hear({.target = kPeer6, .solicited = true});
  EXPECT_FALSE(is_stale(id));
}

TEST_F(DiscoveryTest, AQuestionToUsIsAnsweredAndItsSenderLearned) {
  EXPECT_TRUE(hear(Solicitation{.target = kOurs6, .source_mac = kOtherMac}, kPeer6,
                   wire::solicited_node(kOurs6)));
  ASSERT_EQ(sink_.sent.size(), 1U);
  const Message answered = last();
  EXPECT_EQ(answered.mac, kOtherMac);
  EXPECT_EQ(answered.frame.source, kOurs6);
  EXPECT_EQ(answered.frame.destination, kPeer6);
  EXPECT_EQ(
      answered.answer,
      (Advertisement{
          .target = kOurs6, .solicited = true, .override_cached = true, .target_mac = kOurMac}));
  EXPECT_EQ(counted().advertisements_sent, 1U);
  // Learned, but not known to hear us (section 7.2.3).
  const NeighbourId id = add(kPeer6);
  EXPECT_TRUE(is_stale(id));
  EXPECT_EQ(mac_of(id), kOtherMac);
}

// RFC 4429 section 3.3: what may be another's does not take its place in anybody's cache.
TEST_F(DiscoveryTest, AnAddressThatIsNotSureYetDoesNotOverride) {
  neighbours_->set_optimistic(true);
  EXPECT_TRUE(hear(Solicitation{.target = kOurs6, .source_mac = kOtherMac}, kPeer6,
                   wire::solicited_node(kOurs6)));
  ASSERT_EQ(sink_.sent.size(), 1U);
  EXPECT_FALSE(last().answer.override_cached);
  neighbours_->set_optimistic(false);
  EXPECT_TRUE(hear(Solicitation{.target = kOurs6, .source_mac = kOtherMac}, kPeer6,
                   wire::solicited_node(kOurs6)));
  EXPECT_TRUE(last().answer.override_cached);
}

TEST_F(DiscoveryTest, AQuestionDoesNotMakeAReachableNeighbourStale) {
  const NeighbourId id = add(kPeer6);
  hear_answer();
  hear(Solicitation{.target = kOurs6, .source_mac = kPeerMac}, kPeer6, kOurs6);
  EXPECT_FALSE(is_stale(id));
}

TEST_F(DiscoveryTest, AQuestionWithoutALinkAddressIsAnsweredToItsFrame) {
  EXPECT_FALSE(hear(Solicitation{.target = kOurs6}, kPeer6, kOurs6));
  EXPECT_EQ(last().mac, kPeerMac);
  EXPECT_EQ(neighbours_->size(), 0U);
}

// No frame comes from a group (IEEE 802.3): an answer would go to everybody.
TEST_F(DiscoveryTest, AQuestionInAGroupsFrameIsNotAnswered) {
  asking_mac_ = wire::kBroadcastMac;
  hear(Solicitation{.target = kOurs6}, kPeer6, wire::solicited_node(kOurs6));
  EXPECT_TRUE(sink_.sent.empty());
}

TEST_F(DiscoveryTest, QuestionsAreAnsweredForRangesAndTheLinkLocalAddress) {
  for (const Address& target : {kOwned6, kLinkLocal}) {
    hear(Solicitation{.target = target, .source_mac = kPeerMac}, kPeer6,
         wire::solicited_node(target));
    EXPECT_EQ(last().answer.target, target);
    EXPECT_EQ(last().frame.source, target);
  }
}

TEST_F(DiscoveryTest, QuestionsForOthersAreNotAnswered) {
  EXPECT_FALSE(hear(Solicitation{.target = kPeer6, .source_mac = kPeerMac}, kRouter,
                    wire::solicited_node(kPeer6)));
  EXPECT_TRUE(sink_.sent.empty());
  EXPECT_EQ(neighbours_->size(), 0U);
}

// RFC 4862 section 5.4.3: who wants our address hears that it is taken.
TEST_F(DiscoveryTest, AProbeForDuplicatesIsAnsweredToAllNodes) {
  EXPECT_FALSE(hear(Solicitation{.target = kOurs6}, Address{}, wire::solicited_node(kOurs6)));
  ASSERT_EQ(sink_.sent.size(), 1U);
  const Message answered = last();
  EXPECT_EQ(answered.frame.destination, wire::kAllNodes);
  EXPECT_EQ(answered.mac, wire::multicast_mac(wire::kAllNodes));
  EXPECT_FALSE(answered.answer.solicited);
  EXPECT_TRUE(answered.answer.override_cached);
}

TEST_F(DiscoveryTest, WhatNoNeighbourCanSayIsIgnored) {
  const auto say = [&](const Address& target, const base::MacAddress& mac) {
    return hear({.target = target, .solicited = true, .override_cached = true, .target_mac = mac});
  };
  EXPECT_FALSE(say(kOurs6, kPeerMac));
  EXPECT_FALSE(say(Address::parse("2001:db9::1").value(), kPeerMac));  // off-link
  EXPECT_FALSE(say(kPeer6, base::MacAddress{}));
  EXPECT_FALSE(hear(Solicitation{.target = kOurs6, .source_mac = kPeerMac}, kOwned6, kOurs6));
  EXPECT_TRUE(sink_.sent.empty());
  EXPECT_EQ(neighbours_->size(), 0U);
}

TEST_F(DiscoveryTest, AnnouncesItsAddressesAndTheLinkLocalOne) {
  neighbours_->announce();
  ASSERT_EQ(sink_.sent.size(), 2U);
  EXPECT_EQ(message_of(sink_.sent[0]).answer,
            (Advertisement{.target = kOurs6, .override_cached = true, .target_mac = kOurMac}));
  EXPECT_EQ(message_of(sink_.sent[1]).answer.target, kLinkLocal);
  EXPECT_EQ(last().frame.destination, wire::kAllNodes);
}

TEST_F(DiscoveryTest, ADryPoolLosesNothingForGood) {
  const NeighbourId id = add(kPeer6);
  queue(id);
  sink_.clear();
  sink_.dry = true;
  run(1s);
  EXPECT_EQ(counted().no_packet_buffer, 1U);
  sink_.dry = false;
  run(1s);
  EXPECT_EQ(counted().solicitations_sent, 2U);
  EXPECT_TRUE(hear_answer());
}

TEST_F(DiscoveryTest, AFloodOfQuestionsFillsTheTableAndNoMore) {
  auto bytes = kPeer6.bytes();
  for (std::uint32_t n = 0; n < 2 * kNeighboursMax; ++n) {
    bytes[12] = 0x77;
    bytes[14] = static_cast<std::uint8_t>(n >> 8);
    bytes[15] = static_cast<std::uint8_t>(n);
    hear(Solicitation{.target = kOurs6, .source_mac = kPeerMac}, Address::from_bytes(bytes),
         kOurs6);
    sink_.clear();
  }
  EXPECT_EQ(neighbours_->size(), kNeighboursMax);
}

}  // namespace
}  // namespace handfast::net
