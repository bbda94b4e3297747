// One Neighbours with a fake sink around it, and the steps its tests are built from. Ends every
// test by checking that no packet was leaked.
#pragma once

#include <gtest/gtest.h>

#include <optional>

#include "fake_sink.hpp"
#include "net/neighbours.hpp"

namespace handfast::net {

using namespace std::chrono_literals;

inline constexpr base::MacAddress kOurMac{0x02, 0, 0, 0, 0, 0x01};
inline constexpr base::MacAddress kPeerMac{0x02, 0, 0, 0, 0, 0x02};
inline constexpr base::MacAddress kOtherMac{0x02, 0, 0, 0, 0, 0x03};
inline constexpr Address kOurs = Address::v4(0xc6120001);   // 198.18.0.1/15
inline constexpr Address kOwned = Address::v4(0xc6130005);  // inside 198.19.0.0/16
inline constexpr Address kPeer = Address::v4(0xc6120002);
inline constexpr Address kThird = Address::v4(0xc6120003);

class NeighboursTest : public testing::Test {
 protected:
  void TearDown() override {
    neighbours_.reset();
    sink_.clear();
    EXPECT_EQ(sink_.outstanding, 0);
  }

  // The n-th host of our network behind the ones named above.
  static Address host(std::uint32_t n) { return Address::v4(0xc6120100 + n); }

  NeighbourId add(const Address& address) {
    return neighbours_->find_or_add(address, now_).value();
  }

  // Queues a frame whose last byte is `mark`.
  void queue(NeighbourId id, int mark) {
    base::Packet frame;
    ASSERT_TRUE(sink_.allocate(frame));
    frame.length = 60;
    std::memcpy(frame.data, neighbours_->placeholder_header(id).bytes.data(), 14);
    frame.data[59] = static_cast<std::byte>(mark);
    neighbours_->queue(id, frame, now_);
  }
  static int mark_of(const base::Packet& frame) { return static_cast<int>(frame.data[59]); }

  void wait(Duration duration) {
    now_ = now_ + duration;
    neighbours_->advance(now_);
  }
  // Steps to each deadline until `duration` has passed.
  void run(Duration duration) {
    const Instant end = now_ + duration;
    while (neighbours_->next_deadline() <= end) {
      now_ = std::max(now_, neighbours_->next_deadline());
      neighbours_->advance(now_);
    }
    now_ = end;
  }

  bool receive(wire::Arp::Operation operation, const Address& sender, const Address& target,
               const base::MacAddress& mac = kPeerMac) {
    return neighbours_->receive_arp(
        {.operation = operation, .sender_mac = mac, .sender_ip = sender, .target_ip = target},
        now_);
  }
  bool receive_reply(const Address& sender, const base::MacAddress& mac = kPeerMac) {
    return receive(wire::Arp::Operation::reply, sender, kOurs, mac);
  }
  NeighbourId reachable(const Address& address) {
    const NeighbourId id = add(address);
    EXPECT_TRUE(receive_reply(address));
    EXPECT_NE(neighbours_->link_header(id, now_), nullptr);
    return id;
  }
  NeighbourId stale(const Address& address) {
    const NeighbourId id = reachable(address);
    wait(kReachableTime);
    return id;
  }
  // Where frames to this neighbour go now; nothing while that is unknown.
  std::optional<base::MacAddress> mac_of(NeighbourId id) {
    const wire::LinkHeader* header = neighbours_->link_header(id, now_);
    if (header == nullptr) return std::nullopt;
    base::MacAddress mac;
    std::memcpy(mac.data(), header->bytes.data(), mac.size());
    return mac;
  }
  Counters counted() const { return counters_.snapshot(); }

  FakeSink sink_;
  base::LiveCounters counters_;
  Interface interface_ = Interface::create({.addresses = {Prefix{kOurs, 15}},
                                            .owned_ranges = {Prefix{Address::v4(0xc6130000), 16}}},
                                           {.mac = kOurMac})
                             .value();
  Instant now_ = Instant::from_ns(1'000'000'000);
  std::optional<Neighbours> neighbours_{std::in_place, interface_, sink_, counters_};
};

}  // namespace handfast::net
