#include "base/packet.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace handfast::base {
namespace {

// A pool of `size` numbered packets that notices one given back twice.
class CountingPool final : public PacketPool {
 public:
  explicit CountingPool(std::size_t size) : blocks_(size), is_out_(size, false) {}

  std::size_t allocate(std::span<Packet> out) override {
    ++allocations;
    std::size_t count = 0;
    for (std::size_t i = 0; i < blocks_.size() && count < out.size(); ++i) {
      if (is_out_[i]) continue;
      is_out_[i] = true;
      out[count++] = Packet{.data = &blocks_[i], .buffer = &blocks_[i]};
    }
    return count;
  }
  void free(std::span<const Packet> packets) override {
    if (!packets.empty()) ++frees;
    for (const Packet& packet : packets) {
      const auto index = static_cast<std::size_t>(packet.data - blocks_.data());
      EXPECT_TRUE(is_out_.at(index)) << "given back twice";
      is_out_.at(index) = false;
    }
  }
  void share(const Packet&) override {}
  bool is_shared(const Packet&) const override { return false; }
  std::size_t data_room() const override { return 2048; }
  unsigned free_sixteenths() const override { return sixteenths; }
  std::ptrdiff_t out() const { return std::ranges::count(is_out_, true); }

  int allocations = 0;
  int frees = 0;
  unsigned sixteenths = 16;

 private:
  std::vector<std::byte> blocks_;
  std::vector<bool> is_out_;
};

TEST(PacketCache, TakesInBulkAndGivesBackAll) {
  CountingPool pool(100);
  {
    PacketCache cache(pool);
    std::vector<Packet> packets(40);
    for (Packet& packet : packets) ASSERT_TRUE(cache.allocate(packet));
    EXPECT_EQ(pool.allocations, 2);
    for (const Packet& packet : packets) cache.free(packet);
    EXPECT_EQ(pool.frees, 1);  // 32 at once; the rest waits
  }
  EXPECT_EQ(pool.out(), 0);
}

TEST(PacketCache, NeverGivesOnePacketTwice) {
  CountingPool pool(100);
  PacketCache cache(pool);
  std::vector<Packet> packets(100);
  for (Packet& packet : packets) ASSERT_TRUE(cache.allocate(packet));
  std::ranges::sort(packets, {}, &Packet::data);
  EXPECT_EQ(std::ranges::adjacent_find(packets, {}, &Packet::data), packets.end());
  for (const Packet& packet : packets) cache.free(packet);
}

TEST(PacketCache, SaysWhenThePoolIsDry) {
  CountingPool pool(2);
  PacketCache cache(pool);
  Packet first;
  Packet second;
  Packet third;
  EXPECT_TRUE(cache.allocate(first));
  EXPECT_TRUE(cache.allocate(second));
  EXPECT_FALSE(cache.allocate(third));
  cache.free(first);
  EXPECT_TRUE(cache.allocate(third)) << "what was freed serves when the pool is dry";
  EXPECT_EQ(third.data, first.data);
  cache.free(second);
  cache.free(third);
}

TEST(PacketCache, FlushesOnRequest) {
  CountingPool pool(64);
  PacketCache cache(pool);
  Packet packet;
  ASSERT_TRUE(cache.allocate(packet));
  const auto before = pool.out();
  cache.free(packet);
  EXPECT_EQ(pool.out(), before);
  cache.flush_freed();
  EXPECT_EQ(pool.out(), before - 1);
  EXPECT_EQ(cache.data_room(), 2048U);
}

TEST(PacketCache, KeepsNoMoreWhileThePoolIsLowButAnswers) {
  CountingPool pool(64);
  PacketCache cache(pool);
  pool.sixteenths = 3;
  Packet packet;
  EXPECT_FALSE(cache.allocate_to_keep(packet));
  ASSERT_TRUE(cache.allocate(packet));
  cache.set_answering(true);
  EXPECT_TRUE(cache.can_keep());
  pool.sixteenths = 0;
  EXPECT_FALSE(cache.can_keep());
  cache.set_answering(false);
  pool.sixteenths = 4;
  EXPECT_TRUE(cache.can_keep()) << "it is looked at again as long as it is low";
  cache.free(packet);
}

}  // namespace
}  // namespace handfast::base
