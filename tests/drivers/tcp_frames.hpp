// TCP frames for the tests of what devices do to them: the same segment as software sends it, and
// as it asks a device to cut it up.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "wire/checksum.hpp"
#include "wire/tcp.hpp"

namespace handfast::drivers {

using FrameBytes = std::vector<std::byte>;

struct TcpFrames {
  Address source = Address::v4(0xc6120001);
  Address destination = Address::v4(0xc6120002);
  std::optional<std::uint16_t> vlan;
  base::MacAddress to{2, 2, 2, 2, 2, 2};
  base::MacAddress from{2, 1, 1, 1, 1, 1};

  wire::LinkHeader link() const {
    return wire::make_link_header(
        to, from, vlan, destination.is_v4() ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6);
  }
  // `segment_size` 0: finished, checksums and all.
  FrameBytes frame(const base::Segment& segment, std::uint16_t segment_size = 0) const {
    const wire::LinkHeader header = link();
    const wire::TcpEmit emit{.link = header,
                             .ip = {.source = source, .destination = destination},
                             .ports = {.source = 1000, .destination = 80},
                             .segment = segment,
                             .segment_size = segment_size,
                             .offload_ip_checksum = segment_size != 0,
                             .offload_tcp_checksum = segment_size != 0};
    const std::uint32_t headers = wire::headers_length(emit);
    const auto text_length = static_cast<std::uint32_t>(segment.payload.size());
    FrameBytes bytes(headers + text_length);
    wire::emit_headers(bytes.data(), emit, text_length, wire::sum(segment.payload));
    std::ranges::copy(segment.payload, bytes.begin() + headers);
    return bytes;
  }
};

inline FrameBytes text_of_length(std::size_t length) {
  FrameBytes text(length);
  for (std::size_t i = 0; i < length; ++i) text[i] = static_cast<std::byte>(i * 31 + (i >> 8));
  return text;
}

// `whole` as a sender without TSO sends it: a segment for every `segment_size` bytes.
inline std::vector<base::Segment> segments_of(const base::Segment& whole,
                                              std::size_t segment_size) {
  std::vector<base::Segment> segments;
  for (std::size_t at = 0; at < whole.payload.size(); at += segment_size) {
    base::Segment segment = whole;
    segment.seq = whole.seq + static_cast<std::uint32_t>(at);
    segment.payload = whole.payload.subspan(at, std::min(segment_size, whole.payload.size() - at));
    const bool is_last = at + segment_size >= whole.payload.size();
    if (at != 0) segment.flags = static_cast<std::uint8_t>(segment.flags & ~base::kCwr);
    if (!is_last) {
      segment.flags = static_cast<std::uint8_t>(segment.flags & ~(base::kFin | base::kPsh));
    }
    segments.push_back(segment);
  }
  return segments;
}

}  // namespace handfast::drivers
