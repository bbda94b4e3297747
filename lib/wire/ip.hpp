// The IP header we send, of either version: IPv4 (RFC 791) without options and never to be
// fragmented, IPv6 (RFC 8200) without extension headers. Parsing is parse_frame's. Used by the
// ICMP, Neighbour Discovery and TCP emitters.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "base/flow_key.hpp"
#include "handfast/address.hpp"
#include "wire/checksum.hpp"

namespace handfast::wire {

inline constexpr std::uint8_t kProtocolIcmp = 1;
inline constexpr std::uint8_t kProtocolTcp = 6;
inline constexpr std::uint8_t kProtocolUdp = 17;  // not spoken here
inline constexpr std::uint8_t kProtocolIcmpv6 = 58;
inline constexpr std::size_t kIpv4HeaderSize = 20;
inline constexpr std::size_t kIpv6HeaderSize = 40;
inline constexpr std::uint32_t kFlowLabelMask = 0xfffff;

// RFC 1122 section 3.2.1.3: IPv4 addresses that no host may send from. 0.0.0.0 (a host that asks
// for its own) is of no use to TCP either, and answering it would be a broadcast.
constexpr bool is_impossible_source(std::uint32_t address) {
  return address == 0 || (address >> 28) == 0xe || address == 0xffffffff || (address >> 24) == 127;
}

// The version follows the addresses, which are of one family and stay as they were given.
struct IpFields {
  Address source;
  Address destination;
  bool is_v4 = destination.is_v4();  // asked several times for each frame
  std::uint8_t traffic_class = 0;    // DSCP and ECN (RFC 2474, RFC 3168); IPv4 calls it TOS
  std::uint8_t hop_limit = 64;
  std::uint32_t flow_label = 0;  // IPv6 only, 20 bits (RFC 6437)
};

// The label of all packets of a flow (RFC 6437 section 3: the same for each, unpredictable, never
// 0), from its keyed hash. Mixed once more, so that it does not show which bits choose a place in a
// table.
constexpr std::uint32_t flow_label_of(std::uint64_t flow_hash) {
  constexpr std::uint64_t kMixer = 0x9e3779b97f4a7c15;
  const auto label = static_cast<std::uint32_t>(base::fold_multiply(flow_hash, kMixer) >> 44);
  return label != 0 ? label : 1;
}

inline std::uint32_t ip_header_length(const IpFields& ip) {
  return static_cast<std::uint32_t>(ip.is_v4 ? kIpv4HeaderSize : kIpv6HeaderSize);
}

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

// The identification is 0: it means nothing in a packet that may not be fragmented (RFC 6864
// section 4.1). With `offload_checksum` the checksum field stays 0, for the device to fill in.
inline std::byte* emit_ipv4(std::byte* at, std::uint8_t protocol, const IpFields& ip,
                            std::uint32_t payload_length, bool offload_checksum) {
  constexpr std::uint32_t kVersionAndLength = 0x45;
  constexpr std::uint32_t kDontFragment = 0x4000;
  const auto total_length = static_cast<std::uint16_t>(kIpv4HeaderSize + payload_length);
  WordWriter header(at);
  header.put(kVersionAndLength << 24 | std::uint32_t{ip.traffic_class} << 16 | total_length);
  header.put(kDontFragment);
  header.put(std::uint32_t{ip.hop_limit} << 24 | std::uint32_t{protocol} << 16);
  header.put(ip.source.v4_value());
  header.put(ip.destination.v4_value());
  if (!offload_checksum) store_checksum(at + 10, fold(header.sum()));
  return header.at();
}

inline std::byte* emit_ipv6(std::byte* at, std::uint8_t protocol, const IpFields& ip,
                            std::uint32_t payload_length) {
  constexpr std::uint32_t kVersion = 6;
  base::store_be32(at, kVersion << 28 | std::uint32_t{ip.traffic_class} << 20 |
                           (ip.flow_label & kFlowLabelMask));
  base::store_be32(at + 4, payload_length << 16 | std::uint32_t{protocol} << 8 | ip.hop_limit);
  std::memcpy(at + 8, ip.source.bytes().data(), sizeof(Address));
  std::memcpy(at + 24, ip.destination.bytes().data(), sizeof(Address));
  return at + kIpv6HeaderSize;
}

// Writes the header before `payload_length` bytes of `protocol` and returns where these begin. An
// IPv4 packet has at most 65,535 bytes with its header, an IPv6 packet without.
inline std::byte* emit_ip(std::byte* at, std::uint8_t protocol, const IpFields& ip,
                          std::uint32_t payload_length, bool offload_checksum = false) {
  return ip.is_v4 ? emit_ipv4(at, protocol, ip, payload_length, offload_checksum)
                  : emit_ipv6(at, protocol, ip, payload_length);
}

}  // namespace handfast::wire
