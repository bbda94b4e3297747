// What is believed of received ARP packets, and how they are answered.
#include "neighbours_fixture.hpp"

namespace handfast::net {
namespace {

using enum wire::Arp::Operation;

TEST_F(NeighboursTest, ARequestToUsIsAnsweredAndItsSenderLearned) {
  EXPECT_TRUE(receive(request, kPeer, kOurs));
  ASSERT_EQ(sink_.sent.size(), 1U);
  EXPECT_EQ(destination_of(sink_.sent[0]), kPeerMac);
  EXPECT_GE(sink_.sent[0].length, 60U);
  EXPECT_EQ(arp_of(sink_.sent[0]), (wire::Arp{.operation = reply,
                                              .sender_mac = kOurMac,
                                              .sender_ip = kOurs,
                                              .target_mac = kPeerMac,
                                              .target_ip = kPeer}));
  EXPECT_EQ(counted().arp_replies_sent, 1U);
  EXPECT_EQ(mac_of(add(kPeer)), kPeerMac);
}

TEST_F(NeighboursTest, RequestsForOwnedRangesAreAnsweredWithTheAddressAsked) {
  EXPECT_TRUE(receive(request, kPeer, kOwned));
  ASSERT_EQ(sink_.sent.size(), 1U);
  EXPECT_EQ(arp_of(sink_.sent[0]).sender_ip, kOwned);
  EXPECT_EQ(arp_of(sink_.sent[0]).sender_mac, kOurMac);
}

TEST_F(NeighboursTest, ABroadcastAddressIsNobodysEvenInsideAnOwnedRange) {
  EXPECT_TRUE(receive(request, kPeer, Address::v4(0xc613ffff)));
  EXPECT_TRUE(sink_.sent.empty());
  EXPECT_EQ(neighbours_->size(), 0U);
}

TEST_F(NeighboursTest, RequestsForOthersAreNotAnswered) {
  EXPECT_TRUE(receive(request, kPeer, kThird));
  EXPECT_TRUE(sink_.sent.empty());
}

TEST_F(NeighboursTest, AProbeIsAnsweredNotLearned) {
  EXPECT_FALSE(receive(request, Address::v4(0), kOurs));
  ASSERT_EQ(sink_.sent.size(), 1U);
  EXPECT_EQ(destination_of(sink_.sent[0]), kPeerMac);
  EXPECT_EQ(arp_of(sink_.sent[0]).target_ip, Address::v4(0));
  EXPECT_EQ(neighbours_->size(), 0U);
}

TEST_F(NeighboursTest, AReplyToUsIsLearned) {
  EXPECT_TRUE(receive_reply(kPeer));
  EXPECT_EQ(neighbours_->size(), 1U);
  EXPECT_TRUE(sink_.sent.empty());
}

TEST_F(NeighboursTest, ThirdPartiesGossipMakesNoEntry) {
  EXPECT_TRUE(receive(request, kPeer, kThird));
  EXPECT_TRUE(receive(reply, kPeer, kThird));
  EXPECT_TRUE(receive(request, kPeer, kPeer));  // an announcement
  EXPECT_EQ(neighbours_->size(), 0U);
}

TEST_F(NeighboursTest, GossipRefreshesAnEntry) {
  const NeighbourId id = reachable(kPeer);
  run(kReachableTime - 1s);
  EXPECT_TRUE(receive(request, kPeer, kThird));
  run(kReachableTime - 1s);
  EXPECT_EQ(mac_of(id), kPeerMac);
  EXPECT_TRUE(sink_.sent.empty());
}

TEST_F(NeighboursTest, AnAnnouncementOfANewMacMovesTheEntry) {
  const NeighbourId id = reachable(kPeer);
  EXPECT_TRUE(receive(request, kPeer, kPeer, kOtherMac));
  EXPECT_EQ(mac_of(id), kOtherMac);
  EXPECT_TRUE(receive(reply, kPeer, kPeer, kPeerMac));
  EXPECT_EQ(mac_of(id), kPeerMac);
}

TEST_F(NeighboursTest, APeersOwnRequestReleasesFramesHeldForIt) {
  queue(add(kPeer), 7);
  EXPECT_TRUE(receive(request, kPeer, kOurs));
  ASSERT_EQ(sink_.sent.size(), 3U);
  EXPECT_EQ(mark_of(sink_.sent[1]), 7);
  EXPECT_EQ(arp_of(sink_.sent[2]).operation, reply);
}

TEST_F(NeighboursTest, AClaimToAnAddressOfOursIsIgnored) {
  EXPECT_FALSE(receive(request, kOurs, kOurs));
  EXPECT_FALSE(receive(request, kOwned, kOurs));
  EXPECT_FALSE(receive(reply, kOurs, kPeer));
  EXPECT_EQ(neighbours_->size(), 0U);
  EXPECT_TRUE(sink_.sent.empty());
}

TEST_F(NeighboursTest, WhatNoNeighbourCanBeIsNotLearned) {
  const auto learn = [&](const Address& address, const base::MacAddress& mac) {
    return neighbours_->learn(address, mac, now_, true);
  };
  EXPECT_FALSE(learn(Address::v4(0x0a000001), kPeerMac));  // off-link
  EXPECT_FALSE(learn(Address::v4(0xc613ffff), kPeerMac));  // our network's broadcast
  EXPECT_FALSE(learn(Address::v4(0), kPeerMac));
  EXPECT_FALSE(learn(kOurs, kPeerMac));
  EXPECT_FALSE(learn(kPeer, wire::kBroadcastMac));
  EXPECT_FALSE(learn(kPeer, base::MacAddress{}));
  EXPECT_EQ(neighbours_->size(), 0U);
  EXPECT_TRUE(learn(kPeer, kPeerMac));
}

TEST_F(NeighboursTest, WhatAnotherWorkerLearnedUpdatesButMakesNoEntry) {
  EXPECT_TRUE(neighbours_->learn(kThird, kOtherMac, now_, false));
  EXPECT_EQ(neighbours_->size(), 0U);
  const NeighbourId id = add(kPeer);
  queue(id, 1);
  EXPECT_TRUE(neighbours_->learn(kPeer, kPeerMac, now_, false));
  EXPECT_EQ(mac_of(id), kPeerMac);
  EXPECT_EQ(neighbours_->queued_frames(), 0U);
}

TEST_F(NeighboursTest, AnnouncesItsOwnAddresses) {
  neighbours_->announce();
  ASSERT_EQ(sink_.sent.size(), 1U);
  EXPECT_EQ(destination_of(sink_.sent[0]), wire::kBroadcastMac);
  EXPECT_EQ(
      arp_of(sink_.sent[0]),
      (wire::Arp{
          .operation = request, .sender_mac = kOurMac, .sender_ip = kOurs, .target_ip = kOurs}));
}

TEST_F(NeighboursTest, AFloodOfRequestsFillsTheTableAndNoMore) {
  for (std::uint32_t n = 0; n < 3 * kNeighboursMax; ++n) {
    EXPECT_TRUE(receive(request, host(n), kOurs));
    sink_.clear();
  }
  EXPECT_EQ(neighbours_->size(), kNeighboursMax);
  EXPECT_EQ(counted().arp_replies_sent, 3 * kNeighboursMax);
}

}  // namespace
}  // namespace handfast::net
