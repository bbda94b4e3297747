#include "base/siphash.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <unordered_map>
#include <unordered_set>

#include "base/flow_key.hpp"
#include "base/random.hpp"

namespace handfast::base {
namespace {

// The key 00 01 .. 0f of the paper's appendix A, as two little-endian words.
constexpr SipKey kKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};

constexpr auto kMessage = [] {
  std::array<std::byte, 16> out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::byte>(i);
  return out;
}();
std::span<const std::byte> counting(std::size_t size) {
  return std::span{kMessage}.first(size);
}

// The first of the reference implementation's vectors: messages 00 01 .. of length 0 to 15.
TEST(SipHash, AgreesWithTheReferenceVectors) {
  constexpr std::array<std::uint64_t, 16> kExpected{
      0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
      0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
      0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
      0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5};
  for (std::size_t length = 0; length < kExpected.size(); ++length) {
    EXPECT_EQ(siphash(kKey, counting(length)), kExpected[length]) << length;
  }
}

TEST(SipHash, OfTwoWordsIsThatOfTheirSixteenBytes) {
  const auto message = counting(16);
  std::array<std::uint64_t, 2> words;
  std::memcpy(words.data(), message.data(), 16);
  EXPECT_EQ(siphash(kKey, words[0], words[1]), siphash(kKey, message));
  EXPECT_EQ(siphash(kKey, message), 0x3f2acc7f57c29bdbU);
}

TEST(SipHash, DependsOnBothHalvesOfTheKey) {
  const auto message = counting(12);
  EXPECT_NE(siphash({kKey[0] ^ 1, kKey[1]}, message), siphash(kKey, message));
  EXPECT_NE(siphash({kKey[0], kKey[1] ^ 1}, message), siphash(kKey, message));
}

TEST(FlowHash, TakesEveryPartOfTheKey) {
  const HashSecret secret;
  const FlowKey key{Address::v4(0xc6120001), Address::v4(0xc6120002), 80, 40'000};
  const std::uint64_t hash = hash_flow(key, secret);
  FlowKey other = key;
  other.local = Address::v4(0xc6120003);
  EXPECT_NE(hash_flow(other, secret), hash);
  other = key;
  other.remote = Address::v4(0xc6120003);
  EXPECT_NE(hash_flow(other, secret), hash);
  other = key;
  other.local_port = 81;
  EXPECT_NE(hash_flow(other, secret), hash);
  other = key;
  other.remote_port = 40'001;
  EXPECT_NE(hash_flow(other, secret), hash);
  EXPECT_NE(hash_flow(key, {.a = 1, .b = 2}), hash);
}

TEST(FlowHash, IsTheSameFromBothEnds) {
  const HashSecret secret{.a = 3, .b = 5};
  for (const auto& [ours, theirs] :
       {std::pair{Address::v4(0xc6120001), Address::v4(0xc6120002)},
        std::pair{*Address::parse("2001:db8::1"), *Address::parse("2001:db8:1::2")}}) {
    EXPECT_EQ(hash_flow({ours, theirs, 80, 40'000}, secret),
              hash_flow({theirs, ours, 40'000, 80}, secret));
    EXPECT_NE(hash_flow({ours, theirs, 80, 40'000}, secret),
              hash_flow({ours, theirs, 40'000, 80}, secret));
  }
}

TEST(FlowHash, FourPortsOfAClientLieTogetherAndNoOthers) {
  const HashSecret secret{.a = 0x243f6a8885a308d3, .b = 0x13198a2e03707344};
  const Address ours = Address::v4(0xc6120001);
  const Address theirs = Address::v4(0xc6120002);
  std::unordered_map<std::uint64_t, unsigned> of_group;
  std::unordered_set<std::uint64_t> hashes;
  for (std::uint16_t port = 1024; port < 5120; ++port) {
    const std::uint64_t hash = hash_flow({ours, theirs, port, 80}, secret);
    ++of_group[hash / kPortsTogether];
    hashes.insert(hash);
  }
  EXPECT_EQ(of_group.size(), 1024U);
  for (const auto& [group, flows] : of_group) EXPECT_EQ(flows, kPortsTogether);
  EXPECT_EQ(hashes.size(), 4096U);
}

// Whoever has a network of IPv6 chooses 64 bits of address and 16 of port: where one made up for
// the other, all of these would be one hash under every secret.
TEST(FlowHash, NoPartOfAnAddressMakesUpForThePort) {
  const HashSecret secret{.a = 0x243f6a8885a308d3, .b = 0x13198a2e03707344};
  for (const std::size_t at : {0U, 8U}) {
    std::unordered_set<std::uint32_t> low_halves;
    for (unsigned port = 1; port <= 5000; ++port) {
      std::array<std::uint8_t, 16> bytes{0x20, 1, 0x0d, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9};
      bytes[at] = static_cast<std::uint8_t>(port);
      bytes[at + 1] = static_cast<std::uint8_t>(port >> 8);
      const FlowKey key{*Address::parse("2001:db8::1"), Address::from_bytes(bytes), 80,
                        static_cast<std::uint16_t>(port)};
      low_halves.insert(static_cast<std::uint32_t>(hash_flow(key, secret)));
    }
    EXPECT_GT(low_halves.size(), 4990U) << at;
  }
}

TEST(FlowHash, SpreadsFlowsOverWorkers) {
  constexpr unsigned kWorkers = 3;
  constexpr unsigned kFlows = 30'000;
  std::array<unsigned, kWorkers> owned{};
  for (unsigned i = 0; i < kFlows; ++i) {
    const auto port = static_cast<std::uint16_t>(1024 + i);
    const FlowKey key{Address::v4(0xc6120001), Address::v4(0xc6120002), port, 80};
    ++owned.at(owner_of(hash_flow(key, {}), kWorkers));
  }
  for (const unsigned count : owned) EXPECT_NEAR(count, kFlows / kWorkers, kFlows / 50);
}

// The flow table goes by the low half: it would else use a part of its buckets only.
TEST(FlowHash, TheHighHalfSaysWhoOwnsAFlow) {
  EXPECT_EQ(owner_of(0x00000000ffffffff, 4), 0U);
  EXPECT_EQ(owner_of(0x4000000000000000, 4), 1U);
  EXPECT_EQ(owner_of(0xffffffff00000000, 4), 3U);
}

TEST(Random, EqualSeedsGiveEqualNumbers) {
  Random a(42);
  Random b(42);
  Random c(43);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t value = a.next();
    EXPECT_EQ(value, b.next());
    differs |= value != c.next();
  }
  EXPECT_TRUE(differs);
}

// A run's report is compared over versions, so a seed's numbers must not change.
TEST(Random, TheNumbersOfASeedStay) {
  std::uint64_t state = 0;
  EXPECT_EQ(split_mix(state), 0xe220a8397b1dcdafU);
  EXPECT_EQ(split_mix(state), 0x6e789e6aa1b965f4U);
}

TEST(Random, StaysBelowItsBoundAndReachesAllOfIt) {
  Random random(1);
  std::array<int, 7> seen{};
  for (int i = 0; i < 7000; ++i) ++seen.at(random.below(7));
  for (const int count : seen) EXPECT_NEAR(count, 1000, 200);
  EXPECT_EQ(random.below(1), 0U);
}

TEST(Random, ChanceIsItsProbability) {
  Random random(2);
  int hits = 0;
  for (int i = 0; i < 10'000; ++i) {
    hits += random.chance(0.1) ? 1 : 0;
    EXPECT_FALSE(random.chance(0));
    EXPECT_TRUE(random.chance(1));
  }
  EXPECT_NEAR(hits, 1000, 150);
}

}  // namespace
}  // namespace handfast::base
