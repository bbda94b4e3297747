#include "wire/checksum.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "base/random.hpp"

namespace handfast::wire {
namespace {

// RFC 1071 section 1, word for word: 16-bit big-endian words, carries folded at the end.
std::uint16_t naive_checksum(Bytes bytes) {
  std::uint32_t total = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto value = std::to_integer<std::uint32_t>(bytes[i]);
    total += i % 2 == 0 ? value << 8 : value;
  }
  while ((total >> 16) != 0) total = (total & 0xffff) + (total >> 16);
  return static_cast<std::uint16_t>(~total);
}

std::uint16_t big_endian(std::uint16_t folded) {
  return base::from_big_endian(folded);
}

std::vector<std::byte> random_bytes(std::size_t size, std::uint64_t seed) {
  base::Random random(seed);
  std::vector<std::byte> out(size);
  for (auto& byte : out) byte = static_cast<std::byte>(random.below(256));
  return out;
}

TEST(Checksum, AgreesWithTheExampleOfRfc1071) {
  constexpr std::array kExample{std::byte{0x00}, std::byte{0x01}, std::byte{0xf2}, std::byte{0x03},
                                std::byte{0xf4}, std::byte{0xf5}, std::byte{0xf6}, std::byte{0xf7}};
  EXPECT_EQ(big_endian(fold(sum(kExample))), 0x220d);  // the complement of ddf2
}

TEST(Checksum, AgreesWithANaiveOneAtEveryLengthAndAlignment) {
  const auto bytes = random_bytes(2100, 1);
  std::vector<std::size_t> lengths;
  for (std::size_t length = 0; length <= 100; ++length) lengths.push_back(length);
  for (const std::size_t length : {511U, 512U, 1459U, 1460U, 1461U, 2048U}) {
    lengths.push_back(length);
  }
  for (const std::size_t length : lengths) {
    for (std::size_t at = 0; at < 16; ++at) {
      const Bytes range = Bytes{bytes}.subspan(at, length);
      EXPECT_EQ(big_endian(fold(sum(range))), naive_checksum(range)) << length << " at " << at;
    }
  }
}

TEST(Checksum, CarriesOfAllOnesAreNotLost) {
  for (const std::size_t length : {1U, 8U, 9U, 64U, 65U, 1460U, 65'535U}) {
    const std::vector<std::byte> ones(length, std::byte{0xff});
    EXPECT_EQ(big_endian(fold(sum(ones))), naive_checksum(ones)) << length;
  }
}

TEST(Checksum, PartialSumsComposeAtEvenOffsets) {
  const auto bytes = random_bytes(301, 2);
  for (std::size_t split = 0; split <= bytes.size(); split += 2) {
    const Bytes head = Bytes{bytes}.first(split);
    const Bytes tail = Bytes{bytes}.subspan(split);
    EXPECT_EQ(big_endian(fold(sum(tail, sum(head)))), naive_checksum(bytes)) << split;
    EXPECT_EQ(big_endian(fold(sum(tail) + sum(head))), naive_checksum(bytes)) << split;
  }
}

TEST(Checksum, ResultsAreSmallEnoughToBeAdded) {
  const std::vector<std::byte> ones(65'535, std::byte{0xff});
  for (const std::size_t length : {8U, 64U, 65U, 65'535U}) {
    EXPECT_LT(sum(Bytes{ones}.first(length)), std::uint64_t{1} << 34) << length;
  }
}

TEST(Checksum, CopiesAndSumsInOnePass) {
  const auto bytes = random_bytes(1600, 3);
  for (std::size_t length = 0; length <= 1500; length += length < 140 ? 1 : 97) {
    for (std::size_t at = 0; at < 3; ++at) {
      const Bytes from = Bytes{bytes}.subspan(at, length);
      const auto to = std::make_unique<std::byte[]>(length);
      EXPECT_EQ(fold(copy_and_sum(to.get(), from)), fold(sum(from))) << length;
      EXPECT_TRUE(std::equal(from.begin(), from.end(), to.get())) << length;
    }
  }
}

TEST(Checksum, OfBytesWithTheirOwnChecksumIsZero) {
  auto bytes = random_bytes(20, 4);
  base::store_be16(&bytes[10], 0);
  store_checksum(&bytes[10], fold(sum(bytes)));
  EXPECT_EQ(fold(sum(bytes)), 0);
  bytes[3] ^= std::byte{1};
  EXPECT_NE(fold(sum(bytes)), 0);
}

TEST(Checksum, PseudoHeaderOfIpv4IsItsTwelveBytes) {
  // 198.18.0.2 to 198.18.0.1, zero, protocol 6, length 1000.
  constexpr std::array<unsigned char, 12> kBytes{198, 18, 0, 2, 198, 18, 0, 1, 0, 6, 3, 232};
  const Address from = Address::v4(0xc6120002);
  const Address to = Address::v4(0xc6120001);
  EXPECT_EQ(fold(pseudo_header_sum(from, to, 6, 1000)),
            fold(sum(std::as_bytes(std::span{kBytes}))));
}

TEST(Checksum, PseudoHeaderOfIpv6IsItsFortyBytes) {
  std::array<std::uint8_t, 16> from{0x20, 0x01, 0x0d, 0xb8};
  std::array<std::uint8_t, 16> to = from;
  from[15] = 1;
  to[15] = 2;
  std::vector<std::byte> bytes(40);
  std::memcpy(&bytes[0], from.data(), 16);
  std::memcpy(&bytes[16], to.data(), 16);
  base::store_be32(&bytes[32], 70'000);
  bytes[39] = std::byte{6};
  EXPECT_EQ(fold(pseudo_header_sum(Address::from_bytes(from), Address::from_bytes(to), 6, 70'000)),
            fold(sum(bytes)));
}

}  // namespace
}  // namespace handfast::wire
