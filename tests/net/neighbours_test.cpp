// The life of an entry: resolution, its failure, confirmation, expiry, and the table's bounds.
#include <map>
#include <set>

#include "base/random.hpp"
#include "neighbours_fixture.hpp"

namespace handfast::net {
namespace {

TEST_F(NeighboursTest, AnUnusedEntryAsksNothing) {
  const NeighbourId id = add(kPeer);
  EXPECT_EQ(neighbours_->link_header(id, now_), nullptr);
  run(5s);
  EXPECT_TRUE(sink_.sent.empty());
  EXPECT_EQ(add(kPeer), id);
  EXPECT_EQ(neighbours_->size(), 1U);
}

TEST_F(NeighboursTest, FramesWaitForTheAnswerAndLeaveInOrder) {
  const NeighbourId id = add(kPeer);
  for (int mark = 1; mark <= 3; ++mark) queue(id, mark);
  ASSERT_EQ(sink_.sent.size(), 1U);
  EXPECT_EQ(destination_of(sink_.sent[0]), wire::kBroadcastMac);
  EXPECT_EQ(source_of(sink_.sent[0]), kOurMac);
  EXPECT_EQ(arp_of(sink_.sent[0]), (wire::Arp{.operation = wire::Arp::Operation::request,
                                              .sender_mac = kOurMac,
                                              .sender_ip = kOurs,
                                              .target_ip = kPeer}));
  EXPECT_TRUE(receive_reply(kPeer));
  ASSERT_EQ(sink_.sent.size(), 4U);
  for (int mark = 1; mark <= 3; ++mark) {
    const base::Packet& frame = sink_.sent[static_cast<std::size_t>(mark)];
    EXPECT_EQ(mark_of(frame), mark);
    EXPECT_EQ(destination_of(frame), kPeerMac);
    EXPECT_EQ(source_of(frame), kOurMac);
  }
  EXPECT_EQ(neighbours_->queued_frames(), 0U);
  EXPECT_EQ(counted().arp_requests_sent, 1U);
  EXPECT_EQ(counted().neighbour_queue_dropped, 0U);
}

TEST_F(NeighboursTest, TheHeaderIsForIpv4FromUsToTheNeighbour) {
  const NeighbourId id = reachable(kPeer);
  const wire::LinkHeader* header = neighbours_->link_header(id, now_);
  const wire::LinkHeader expected =
      wire::make_link_header(kPeerMac, kOurMac, std::nullopt, wire::kEtherTypeIpv4);
  EXPECT_EQ(header->length, expected.length);
  EXPECT_EQ(std::memcmp(header->bytes.data(), expected.bytes.data(), expected.length), 0);
  EXPECT_EQ(neighbours_->placeholder_header(id).length, expected.length);
}

TEST_F(NeighboursTest, AFrameQueuedForAKnownNeighbourLeavesAtOnce) {
  const NeighbourId id = reachable(kPeer);
  queue(id, 9);
  ASSERT_EQ(sink_.sent.size(), 1U);
  EXPECT_EQ(destination_of(sink_.sent[0]), kPeerMac);
}

TEST_F(NeighboursTest, ThreeRequestsASecondApartThenFailure) {
  const NeighbourId id = add(kPeer);
  neighbours_->pin(id);
  queue(id, 1);
  queue(id, 2);
  for (std::size_t requests = 1; requests <= kRequestsMax; ++requests) {
    EXPECT_EQ(sink_.sent.size(), requests);
    wait(kRequestInterval - kNeighbourTick);
    EXPECT_EQ(sink_.sent.size(), requests);
    EXPECT_EQ(neighbours_->queued_frames(), 2U);
    wait(kNeighbourTick);
  }
  EXPECT_EQ(sink_.sent.size(), kRequestsMax);
  EXPECT_EQ(neighbours_->queued_frames(), 0U);
  EXPECT_EQ(counted().neighbour_queue_dropped, 2U);
  EXPECT_EQ(counted().neighbour_unreachable, 1U);
  std::vector<NeighbourId> failed;
  neighbours_->take_failed([&](NeighbourId failed_id) { failed.push_back(failed_id); });
  EXPECT_EQ(failed, std::vector{id});
  neighbours_->take_failed([&](NeighbourId) { FAIL() << "told twice"; });
  neighbours_->unpin(id);
}

TEST_F(NeighboursTest, FailuresOfUnpinnedEntriesAreToldToNobody) {
  queue(add(kPeer), 1);
  run(3s);
  EXPECT_EQ(counted().neighbour_unreachable, 1U);
  neighbours_->take_failed([&](NeighbourId) { FAIL(); });
}

TEST_F(NeighboursTest, AfterAFailureAHoldOffThenANewStart) {
  const NeighbourId id = add(kPeer);
  queue(id, 1);
  run(3s);
  queue(id, 2);  // in FAILED: dropped, and nothing asked
  EXPECT_EQ(sink_.sent.size(), 3U);
  EXPECT_EQ(counted().neighbour_queue_dropped, 2U);
  run(kFailureHoldOff);
  EXPECT_EQ(sink_.sent.size(), 3U);
  queue(id, 3);
  EXPECT_EQ(sink_.sent.size(), 4U);
  EXPECT_TRUE(receive_reply(kPeer));
  ASSERT_EQ(sink_.sent.size(), 5U);
  EXPECT_EQ(mark_of(sink_.sent[4]), 3);
}

TEST_F(NeighboursTest, ALateReplyEndsAFailure) {
  const NeighbourId id = add(kPeer);
  queue(id, 1);
  run(3s);
  EXPECT_TRUE(receive_reply(kPeer));
  EXPECT_EQ(mac_of(id), kPeerMac);
}

TEST_F(NeighboursTest, ADryPoolCostsTheRequestNotTheFrame) {
  const NeighbourId id = add(kPeer);
  base::Packet frame;
  ASSERT_TRUE(sink_.allocate(frame));
  sink_.dry = true;
  neighbours_->queue(id, frame, now_);
  EXPECT_TRUE(sink_.sent.empty());
  EXPECT_EQ(counted().no_packet_buffer, 1U);
  EXPECT_EQ(counted().arp_requests_sent, 0U);
  sink_.dry = false;
  wait(kRequestInterval);
  EXPECT_EQ(counted().arp_requests_sent, 1U);
  EXPECT_EQ(neighbours_->queued_frames(), 1U);
}

TEST_F(NeighboursTest, OverAnEntrysBoundTheOldestFrameGoes) {
  const NeighbourId id = add(kPeer);
  for (int i = 0; i < kQueuedFramesMax; ++i) queue(id, 0);
  queue(id, 1);
  queue(id, 2);
  EXPECT_EQ(neighbours_->queued_frames(), kQueuedFramesMax);
  EXPECT_EQ(counted().neighbour_queue_dropped, 2U);
  EXPECT_TRUE(receive_reply(kPeer));
  ASSERT_EQ(sink_.sent.size(), 1U + kQueuedFramesMax);
  EXPECT_EQ(mark_of(sink_.sent.back()), 2);
}

TEST_F(NeighboursTest, TheTotalBoundHolds) {
  for (std::uint32_t n = 0; n < 4; ++n) {
    for (int i = 0; i < kQueuedFramesMax; ++i) queue(add(host(n)), 0);
  }
  ASSERT_EQ(neighbours_->queued_frames(), kQueuedFramesTotalMax);
  const NeighbourId late = add(kPeer);
  queue(late, 1);  // holds none, so there is no older one to drop for it
  EXPECT_EQ(counted().neighbour_queue_dropped, 1U);
  EXPECT_TRUE(receive_reply(host(0)));
  queue(late, 2);
  EXPECT_EQ(neighbours_->queued_frames(), kQueuedFramesTotalMax - kQueuedFramesMax + 1U);
  EXPECT_EQ(counted().neighbour_queue_dropped, 1U);
}

TEST_F(NeighboursTest, TheRoomOfFramesThatLeftIsUsedAgain) {
  for (int round = 0; round < 3; ++round) {
    for (std::uint32_t n = 0; n < 4; ++n) {
      const NeighbourId id = add(host(4U * static_cast<std::uint32_t>(round) + n));
      for (int i = 0; i < kQueuedFramesMax; ++i) queue(id, i);
    }
    EXPECT_EQ(neighbours_->queued_frames(), kQueuedFramesTotalMax);
    for (std::uint32_t n = 0; n < 4; ++n) {
      EXPECT_TRUE(receive_reply(host(4U * static_cast<std::uint32_t>(round) + n)));
    }
    EXPECT_EQ(neighbours_->queued_frames(), 0U);
  }
  EXPECT_EQ(counted().neighbour_queue_dropped, 0U);
}

TEST_F(NeighboursTest, UseOfAStaleEntryProbesByUnicast) {
  const NeighbourId id = stale(kPeer);
  EXPECT_TRUE(sink_.sent.empty());
  EXPECT_EQ(mac_of(id), kPeerMac);
  ASSERT_EQ(sink_.sent.size(), 1U);
  EXPECT_EQ(destination_of(sink_.sent[0]), kPeerMac);
  EXPECT_EQ(arp_of(sink_.sent[0]).operation, wire::Arp::Operation::request);
  EXPECT_EQ(arp_of(sink_.sent[0]).target_ip, kPeer);
  EXPECT_EQ(mac_of(id), kPeerMac);  // used meanwhile, and asked only once
  EXPECT_EQ(sink_.sent.size(), 1U);
  EXPECT_TRUE(receive_reply(kPeer));
  run(kReachableTime - 1s);
  EXPECT_EQ(mac_of(id), kPeerMac);
  EXPECT_EQ(sink_.sent.size(), 1U);
}

TEST_F(NeighboursTest, OneTickBeforeItIsStaleNothingIsProbed) {
  const NeighbourId id = reachable(kPeer);
  wait(kReachableTime - kNeighbourTick);
  EXPECT_EQ(mac_of(id), kPeerMac);
  EXPECT_TRUE(sink_.sent.empty());
  wait(kNeighbourTick);
  EXPECT_EQ(mac_of(id), kPeerMac);
  EXPECT_EQ(sink_.sent.size(), 1U);
}

TEST_F(NeighboursTest, ProbesWithoutAnswerForgetTheMappingAndBroadcastAnew) {
  const NeighbourId id = stale(kPeer);
  neighbours_->pin(id);
  EXPECT_EQ(mac_of(id), kPeerMac);
  run(kProbesMax * kRequestInterval - kNeighbourTick);
  EXPECT_EQ(mac_of(id), kPeerMac);
  run(kNeighbourTick);
  EXPECT_EQ(sink_.sent.size(), kProbesMax);
  EXPECT_EQ(mac_of(id), std::nullopt);
  EXPECT_EQ(counted().neighbour_unreachable, 0U);
  queue(id, 1);
  ASSERT_EQ(sink_.sent.size(), kProbesMax + 1U);
  EXPECT_EQ(destination_of(sink_.sent.back()), wire::kBroadcastMac);
  EXPECT_TRUE(receive_reply(kPeer, kOtherMac));
  EXPECT_EQ(destination_of(sink_.sent.back()), kOtherMac);
  neighbours_->unpin(id);
}

TEST_F(NeighboursTest, UnusedEntriesExpirePinnedOnesStay) {
  neighbours_->pin(reachable(kPeer));
  reachable(kThird);
  run(kUnusedTime - kNeighbourTick);
  EXPECT_EQ(neighbours_->size(), 2U);
  EXPECT_EQ(neighbours_->removals(), 0U);
  run(kNeighbourTick);
  EXPECT_EQ(neighbours_->size(), 1U);
  EXPECT_EQ(neighbours_->removals(), 1U);
  run(3 * kUnusedTime);
  EXPECT_EQ(neighbours_->size(), 1U);
  neighbours_->unpin(add(kPeer));
  run(2 * kUnusedTime);
  EXPECT_EQ(neighbours_->size(), 0U);
}

TEST_F(NeighboursTest, UseKeepsAnEntry) {
  const NeighbourId id = stale(kPeer);
  run(kUnusedTime / 2);
  EXPECT_EQ(mac_of(id), kPeerMac);
  EXPECT_TRUE(receive_reply(kPeer));
  run(kUnusedTime - kNeighbourTick);
  EXPECT_EQ(neighbours_->size(), 1U);
  run(kNeighbourTick);
  EXPECT_EQ(neighbours_->size(), 0U);
}

TEST_F(NeighboursTest, WithoutEntriesThereIsNoDeadline) {
  EXPECT_TRUE(neighbours_->next_deadline().is_never());
  add(kPeer);
  run(2 * kUnusedTime);
  EXPECT_EQ(neighbours_->size(), 0U);
  EXPECT_TRUE(neighbours_->next_deadline().is_never());
}

TEST_F(NeighboursTest, AFullTableGivesUpUnresolvedEntriesFirst) {
  const NeighbourId known = reachable(kPeer);
  queue(add(kThird), 1);
  for (std::uint32_t n = 0; neighbours_->size() < kNeighboursMax; ++n) {
    add(host(n));
    now_ = now_ + 1ns;
  }
  EXPECT_EQ(neighbours_->removals(), 0U);
  const NeighbourId late = add(host(5000));
  EXPECT_EQ(neighbours_->size(), kNeighboursMax);
  EXPECT_EQ(neighbours_->removals(), 1U);
  EXPECT_EQ(add(host(5000)), late);
  EXPECT_EQ(add(kPeer), known);  // still there, though older
  EXPECT_EQ(mac_of(known), kPeerMac);
  EXPECT_EQ(neighbours_->queued_frames(), 0U);  // the oldest unresolved one went, with its frame
  EXPECT_EQ(counted().neighbour_queue_dropped, 1U);
}

TEST_F(NeighboursTest, PinnedEntriesAreNeverGivenUp) {
  std::set<NeighbourId> pinned;
  for (std::uint32_t n = 0; n < kNeighboursMax; ++n) {
    const NeighbourId id = add(host(n));
    neighbours_->pin(id);
    pinned.insert(id);
  }
  EXPECT_EQ(pinned.size(), kNeighboursMax);
  EXPECT_EQ(neighbours_->find_or_add(kPeer, now_), std::nullopt);
  EXPECT_TRUE(receive_reply(kPeer));  // believed, but there is no room to remember it
  EXPECT_EQ(neighbours_->size(), kNeighboursMax);

  const NeighbourId last = add(host(kNeighboursMax - 1));
  neighbours_->unpin(last);
  EXPECT_EQ(neighbours_->find_or_add(kPeer, now_), last);
  for (std::uint32_t n = 0; n + 1 < kNeighboursMax; ++n) {
    ASSERT_TRUE(pinned.contains(add(host(n))));
    ASSERT_NE(add(host(n)), last);
  }
}

TEST_F(NeighboursTest, LookupSurvivesManyComingsAndGoings) {
  base::Random random(1);
  std::map<Address, NeighbourId> kept;
  for (int i = 0; i < 40'000; ++i) {
    const Address address = host(static_cast<std::uint32_t>(random.below(0xfe00)));
    const NeighbourId id = add(address);
    ASSERT_EQ(add(address), id);
    // Half the table is kept, taken in while the rest comes and goes.
    const bool keep = i % 8 == 0 && kept.size() < kNeighboursMax / 2;
    if (keep && kept.emplace(address, id).second) neighbours_->pin(id);
  }
  EXPECT_EQ(kept.size(), kNeighboursMax / 2);
  EXPECT_EQ(neighbours_->size(), kNeighboursMax);
  for (const auto& [address, id] : kept) ASSERT_EQ(add(address), id) << address.to_string();
}

TEST_F(NeighboursTest, DeadlinesAreRoundedUpNeverDown) {
  now_ = now_ + 1ns;
  queue(add(kPeer), 1);
  EXPECT_GE(neighbours_->next_deadline(), now_ + kRequestInterval);
  EXPECT_LT(neighbours_->next_deadline(), now_ + kRequestInterval + kNeighbourTick);
}

TEST_F(NeighboursTest, AFailureNobodyWaitsForAnyMoreIsForgottenWithItsEntry) {
  const NeighbourId id = add(kPeer);
  neighbours_->pin(id);
  queue(id, 1);
  run(3s);
  neighbours_->unpin(id);
  run(2 * kUnusedTime);
  EXPECT_EQ(neighbours_->size(), 0U);
  EXPECT_EQ(add(kThird), id);
  neighbours_->take_failed([&](NeighbourId) { FAIL(); });
}

TEST(NeighboursVlan, EveryFrameCarriesTheTag) {
  FakeSink sink;
  base::LiveCounters counters;
  const Interface interface =
      Interface::create({.addresses = {Prefix{kOurs, 15}}, .vlan = 42}, {.mac = kOurMac}).value();
  Neighbours neighbours(interface, sink, counters);
  const auto id = neighbours.find_or_add(kPeer, Instant{});
  EXPECT_EQ(neighbours.placeholder_header(id.value()).length, 18);
  neighbours.announce();
  ASSERT_EQ(sink.sent.size(), 1U);
  EXPECT_EQ(base::load_be16(sink.sent[0].data + 12), wire::kEtherTypeVlan);
  EXPECT_EQ(base::load_be16(sink.sent[0].data + 14), 42);
  sink.clear();
  EXPECT_EQ(sink.outstanding, 0);
}

TEST(NeighboursEnd, FramesStillHeldAreFreed) {
  FakeSink sink;
  base::LiveCounters counters;
  const Interface interface =
      Interface::create({.addresses = {Prefix{kOurs, 15}}}, {.mac = kOurMac}).value();
  {
    Neighbours neighbours(interface, sink, counters);
    base::Packet frame;
    ASSERT_TRUE(sink.allocate(frame));
    const auto now = Instant::from_ns(0);
    neighbours.queue(neighbours.find_or_add(kPeer, now).value(), frame, now);
  }
  sink.clear();
  EXPECT_EQ(sink.outstanding, 0);
}

}  // namespace
}  // namespace handfast::net
