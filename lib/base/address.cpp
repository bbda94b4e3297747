#include "handfast/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace handfast {
namespace {

__extension__ using Bits = unsigned __int128;

constexpr unsigned kV4Bits = 32;
constexpr unsigned kV6Bits = 128;
constexpr unsigned kMappedPrefixBits = kV6Bits - kV4Bits;

Bits bits_of(const Address& address) {
  Bits bits = 0;
  for (const std::uint8_t byte : address.bytes()) bits = bits << 8 | byte;
  return bits;
}

Address address_of(Bits bits) {
  std::array<std::uint8_t, 16> bytes;
  for (std::size_t i = bytes.size(); i-- > 0; bits >>= 8) {
    bytes[i] = static_cast<std::uint8_t>(bits);
  }
  return Address::from_bytes(bytes);
}

unsigned family_bits(const Address& address) {
  return address.is_v4() ? kV4Bits : kV6Bits;
}

// How many low bits are the host's. A length beyond the family's counts as a full one.
unsigned host_bits(const Prefix& prefix) {
  const unsigned family = family_bits(prefix.network);
  return family - std::min<unsigned>(prefix.length, family);
}

Bits network_bits(const Address& address, unsigned host) {
  return host == kV6Bits ? 0 : bits_of(address) >> host << host;
}

// Digits only, nothing before or behind them, and at most `max`.
std::optional<unsigned> parse_number(std::string_view text, unsigned max) {
  unsigned value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || value > max) return std::nullopt;
  return value;
}

std::unexpected<std::string> bad(std::string_view text, std::string_view what) {
  std::string sentence = "\"";
  sentence += text;
  sentence += "\" is not ";
  sentence += what;
  return std::unexpected(std::move(sentence));
}

constexpr std::string_view kAnAddress =
    "an IP address: expected one like 198.18.0.1 or 2001:db8::1";
constexpr std::string_view kAnEndpoint =
    "an address and port: expected 198.18.0.1:80 or [2001:db8::1]:80, with a port from 1 to 65535";

}  // namespace

std::expected<Address, std::string> Address::parse(std::string_view text) {
  // inet_pton wants a terminated string, and would stop at a zero byte inside.
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size() || text.find('\0') != text.npos) {
    return bad(text, kAnAddress);
  }
  std::ranges::copy(text, terminated.begin());
  std::array<std::uint8_t, 4> v4_bytes;
  if (::inet_pton(AF_INET, terminated.data(), v4_bytes.data()) == 1) {
    return v4(std::uint32_t{v4_bytes[0]} << 24 | std::uint32_t{v4_bytes[1]} << 16 |
              std::uint32_t{v4_bytes[2]} << 8 | std::uint32_t{v4_bytes[3]});
  }
  std::array<std::uint8_t, 16> v6_bytes;
  if (::inet_pton(AF_INET6, terminated.data(), v6_bytes.data()) == 1) return from_bytes(v6_bytes);
  return bad(text, kAnAddress);
}

std::string Address::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text;
  const void* const from = is_v4() ? &bytes_[12] : bytes_.data();
  ::inet_ntop(is_v4() ? AF_INET : AF_INET6, from, text.data(), text.size());
  return text.data();
}

std::expected<Prefix, std::string> Prefix::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view address_text = text.substr(0, slash);
  const auto address = Address::parse(address_text);
  if (!address) return std::unexpected(address.error());

  // "::ffff:198.18.0.0/111" was written as IPv6, but is IPv4 to us.
  const bool mapped = address->is_v4() && address_text.find(':') != text.npos;
  const unsigned written_bits = mapped ? kV6Bits : family_bits(*address);
  unsigned length = written_bits;
  if (slash != text.npos) {
    const auto number = parse_number(text.substr(slash + 1), written_bits);
    if (!number || (mapped && *number < kMappedPrefixBits)) {
      return bad(text, written_bits == kV4Bits
                           ? "a prefix: expected ADDRESS/LENGTH with a length from 0 to 32"
                           : "a prefix: expected ADDRESS/LENGTH with a length from 0 to 128");
    }
    length = *number;
  }
  if (mapped) length -= kMappedPrefixBits;
  return Prefix{.network = *address, .length = static_cast<std::uint8_t>(length)};
}

bool Prefix::contains(const Address& address) const {
  if (address.is_v4() != network.is_v4()) return false;
  const unsigned host = host_bits(*this);
  return network_bits(address, host) == network_bits(network, host);
}

std::uint64_t Prefix::size() const {
  return std::uint64_t{1} << std::min(host_bits(*this), 63U);
}

Address Prefix::nth(std::uint64_t n) const {
  return address_of(network_bits(network, host_bits(*this)) + n);
}

std::string Prefix::to_string() const {
  return network.to_string() + '/' + std::to_string(unsigned{length});
}

std::expected<Endpoint, std::string> Endpoint::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos) return bad(text, kAnEndpoint);
  std::string_view address_text = text.substr(0, colon);
  const bool bracketed =
      address_text.size() >= 2 && address_text.front() == '[' && address_text.back() == ']';
  if (bracketed) address_text = address_text.substr(1, address_text.size() - 2);

  // Without brackets the last group of an IPv6 address could be taken for the port.
  if (bracketed != (address_text.find(':') != text.npos)) return bad(text, kAnEndpoint);
  const auto address = Address::parse(address_text);
  const auto port = parse_number(text.substr(colon + 1), 65'535);
  if (!address || !port || *port == 0) return bad(text, kAnEndpoint);
  return Endpoint{.address = *address, .port = static_cast<std::uint16_t>(*port)};
}

std::string Endpoint::to_string() const {
  const std::string host = address.is_v4() ? address.to_string() : '[' + address.to_string() + ']';
  return host + ':' + std::to_string(port);
}

}  // namespace handfast
