// The IPv4 header we send (RFC 791): 20 bytes, no options, never to be fragmented. Parsing is
// parse_frame's. Used by the ICMP and TCP emitters.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "handfast/address.hpp"
#include "wire/checksum.hpp"

namespace handfast::wire {

inline constexpr std::uint8_t kProtocolIcmp = 1;
inline constexpr std::uint8_t kProtocolTcp = 6;
inline constexpr std::size_t kIpv4HeaderSize = 20;

struct Ipv4Fields {
  Address source;  // both IPv4
  Address destination;
  std::uint8_t protocol = 0;
  std::uint8_t tos = 0;
  std::uint8_t hop_limit = 64;
  // Means nothing in a packet that may not be fragmented (RFC 6864 section 4.1).
  std::uint16_t id = 0;
};

// Writes header words and sums them on the way, so that nothing just stored is read back.
class WordWriter {
 public:
  explicit WordWriter(std::byte* at, std::uint64_t sum = 0) : at_(at), sum_(sum) {}

  void put(std::uint32_t host_order) {
    const std::uint32_t stored = base::from_big_endian(host_order);
    std::memcpy(at_, &stored, sizeof stored);
    at_ += sizeof stored;
    sum_ += stored;
  }
  std::byte* at() const { return at_; }
  std::uint64_t sum() const { return sum_; }

 private:
  std::byte* at_;
  std::uint64_t sum_;
};

// Writes the header for `total_length` bytes of packet, itself included, and returns where its
// payload begins. `protocol` stands in for the fields' own, so that emitters need not copy them.
// With `offload_checksum` the checksum field stays 0, for the device to fill in.
inline std::byte* emit_ipv4_for(std::uint8_t protocol, std::byte* at, const Ipv4Fields& ip,
                                std::uint16_t total_length, bool offload_checksum = false) {
  constexpr std::uint32_t kVersionAndLength = 0x45;
  constexpr std::uint32_t kDontFragment = 0x4000;
  WordWriter header(at);
  header.put(kVersionAndLength << 24 | std::uint32_t{ip.tos} << 16 | total_length);
  header.put(std::uint32_t{ip.id} << 16 | kDontFragment);
  header.put(std::uint32_t{ip.hop_limit} << 24 | std::uint32_t{protocol} << 16);
  header.put(ip.source.v4_value());
  header.put(ip.destination.v4_value());
  if (!offload_checksum) store_checksum(at + 10, fold(header.sum()));
  return header.at();
}

// The same with the fields' own protocol.
inline std::byte* emit_ipv4(std::byte* at, const Ipv4Fields& ip, std::uint16_t total_length,
                            bool offload_checksum = false) {
  return emit_ipv4_for(ip.protocol, at, ip, total_length, offload_checksum);
}

}  // namespace handfast::wire
