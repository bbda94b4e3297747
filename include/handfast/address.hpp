// Addresses, prefixes and endpoints. An address is always 16 bytes; IPv4 is held IPv4-mapped
// (::ffff:a.b.c.d, RFC 4291 section 2.5.5.2). Ports are in host byte order.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <cstring>
#include <expected>
#include <string>
#include <string_view>

namespace handfast {

class Address {
 public:
  // The unspecified address. As a listener's local address it means "every address of ours".
  constexpr Address() = default;

  // `host_order` is the IPv4 address as a number: 198.18.0.1 is 0xc6120001.
  static constexpr Address v4(std::uint32_t host_order) {
    // As two words, so that what reads an address by words finds what a word store has written.
    constexpr bool kSwap = std::endian::native == std::endian::little;
    const std::uint64_t low = kSwap ? std::uint64_t{std::byteswap(host_order)} << 32 | kMappedPrefix
                                    : std::uint64_t{kMappedPrefix} << 32 | host_order;
    Address a;
    a.bytes_ = std::bit_cast<std::array<std::uint8_t, 16>>(std::array<std::uint64_t, 2>{0, low});
    return a;
  }
  static constexpr Address from_bytes(const std::array<std::uint8_t, 16>& bytes) {
    Address a;
    a.bytes_ = bytes;
    return a;
  }
  // Parses dotted IPv4 or RFC 4291 IPv6 text. The error is one sentence naming the bad text.
  static std::expected<Address, std::string> parse(std::string_view text);

  constexpr bool is_v4() const {
    const auto [high, low] = std::bit_cast<std::array<std::uint64_t, 2>>(bytes_);
    constexpr bool kFirstIsLow = std::endian::native == std::endian::little;
    const std::uint64_t prefix = kFirstIsLow ? static_cast<std::uint32_t>(low) : low >> 32;
    return high == 0 && prefix == kMappedPrefix;
  }
  // The IPv4 address as a number in host order; meaningful only when is_v4().
  constexpr std::uint32_t v4_value() const {
    const auto low = std::bit_cast<std::array<std::uint64_t, 2>>(bytes_)[1];
    return std::endian::native == std::endian::little
               ? std::byteswap(static_cast<std::uint32_t>(low >> 32))
               : static_cast<std::uint32_t>(low);
  }
  constexpr bool is_unspecified() const { return *this == Address{} || *this == v4(0); }
  // 224.0.0.0/4 and ff00::/8.
  constexpr bool is_multicast() const {
    return is_v4() ? (v4_value() >> 28) == 0xe : bytes_[0] == 0xff;
  }
  // 255.255.255.255; a subnet's directed broadcast is known only to its interface.
  constexpr bool is_limited_broadcast() const { return is_v4() && v4_value() == 0xffffffff; }
  // fe80::/10; of IPv4 none is told apart.
  constexpr bool is_link_local() const { return bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80; }
  constexpr bool is_loopback() const {
    return is_v4() ? (v4_value() >> 24) == 127
                   : *this == from_bytes({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
  }
  constexpr const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
  std::string to_string() const;

  // As two words: a defaulted comparison of the array would be a call to memcmp.
  constexpr bool operator==(const Address& other) const {
    const auto [a, b] = std::bit_cast<std::array<std::uint64_t, 2>>(bytes_);
    const auto [c, d] = std::bit_cast<std::array<std::uint64_t, 2>>(other.bytes_);
    return ((a ^ c) | (b ^ d)) == 0;
  }
  constexpr auto operator<=>(const Address&) const = default;

 private:
  // Bytes 8 to 11 of a mapped address (00 00 ff ff) as a little-endian number.
  static constexpr std::uint32_t kMappedPrefix =
      std::endian::native == std::endian::little ? 0xffff0000U : 0x0000ffffU;
  std::array<std::uint8_t, 16> bytes_{};
};

// A network prefix. `length` counts bits of the written family: to 32 for IPv4, to 128 for IPv6.
struct Prefix {
  Address network;  // host bits may be set: "198.18.0.1/15" is an address and its network in one
  std::uint8_t length = 0;

  // Parses "ADDRESS/LENGTH"; a bare address means a full-length prefix.
  static std::expected<Prefix, std::string> parse(std::string_view text);
  bool contains(const Address& address) const;
  // How many addresses lie inside, at most 2^63.
  std::uint64_t size() const;
  // The n-th address counted from the network's first; n < size().
  Address nth(std::uint64_t n) const;
  std::string to_string() const;
  bool operator==(const Prefix&) const = default;
};

struct Endpoint {
  Address address;
  std::uint16_t port = 0;

  // Parses "198.18.0.1:80" or "[2001:db8::1]:80".
  static std::expected<Endpoint, std::string> parse(std::string_view text);
  std::string to_string() const;
  bool operator==(const Endpoint&) const = default;
};

}  // namespace handfast
