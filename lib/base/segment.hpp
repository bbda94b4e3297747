// Segment: one TCP segment as a value. wire parses bytes into it and emits bytes from it; tcp
// knows nothing else. Names follow RFC 9293 section 3.3 (SEG.SEQ, SEG.ACK, SEG.LEN, SEG.WND).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/seq.hpp"

namespace handfast::base {

enum TcpFlag : std::uint8_t {
  kFin = 0x01,
  kSyn = 0x02,
  kRst = 0x04,
  kPsh = 0x08,
  kAck = 0x10,
  kUrg = 0x20,
  kEce = 0x40,
  kCwr = 0x80,
};

// The IP header's two bits (RFC 3168 section 5).
enum class Ecn : std::uint8_t { not_ect = 0, ect_1 = 1, ect_0 = 2, ce = 3 };

struct SackBlock {
  Seq left;
  Seq right;
  bool operator==(const SackBlock&) const = default;
};

struct TcpOptions {
  enum Present : std::uint8_t {
    kMss = 1 << 0,
    kWindowScale = 1 << 1,
    kSackPermitted = 1 << 2,
    kTimestamps = 1 << 3,
    kFastOpen = 1 << 4,  // RFC 7413: `cookie`; empty asks for one
  };
  std::uint8_t present = 0;        // Present bits: which of the fields below mean anything
  std::uint8_t window_scale = 0;   // shift count as received; RFC 7323 section 2.3 uses up to 14
  std::uint16_t mss = 0;           // bytes
  std::uint32_t ts_value = 0;      // TSval (RFC 7323 section 3.2)
  std::uint32_t ts_echo = 0;       // TSecr
  std::uint8_t sack_count = 0;     // how many of `sack` are set (RFC 2018), 0 to 4
  std::uint8_t cookie_length = 0;  // 0, or 4 to 16 bytes
  std::array<SackBlock, 4> sack;
  std::array<std::uint8_t, 16> cookie;

  bool has(Present option) const { return (present & option) != 0; }
};

struct Segment {
  Seq seq;
  Seq ack;
  std::uint16_t window = 0;  // as in the header, unscaled
  std::uint16_t urgent = 0;
  std::uint8_t flags = 0;  // TcpFlag bits
  Ecn ecn = Ecn::not_ect;  // of the IP header
  TcpOptions options;
  std::span<const std::byte> payload;

  bool has(TcpFlag flag) const { return (flags & flag) != 0; }
  // SEG.LEN: payload bytes, and one for each of SYN and FIN.
  std::uint32_t len() const {
    return static_cast<std::uint32_t>(payload.size()) + (has(kSyn) ? 1 : 0) + (has(kFin) ? 1 : 0);
  }
};

}  // namespace handfast::base
