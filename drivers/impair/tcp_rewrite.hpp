// TcpRewrite: reading and changing TCP frames where they lie, as boxes on the way do. For
// MiddleboxDevice and for tests that watch or forge frames; the stack parses and emits with
// lib/wire alone.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/flow_key.hpp"
#include "base/segment.hpp"
#include "wire/tcp_layout.hpp"

namespace handfast::drivers {

// What a box reads of a TCP frame. `text` is counted by IP's length, whatever of it is here.
struct TcpGlance {
  wire::TcpLayout layout;
  base::FlowKey flow;  // local is the sender
  base::Seq seq;
  base::Seq ack;
  std::uint16_t window = 0;
  std::uint8_t flags = 0;  // base::TcpFlag bits
  std::uint32_t text = 0;  // bytes
  // Of a SYN.
  std::optional<std::uint8_t> window_scale;
  std::optional<std::uint16_t> mss;

  bool has(base::TcpFlag flag) const { return (flags & flag) != 0; }
  std::uint32_t len() const {
    return text + (has(base::kSyn) ? 1U : 0U) + (has(base::kFin) ? 1U : 0U);
  }
  base::Seq end() const { return seq + len(); }
};

std::optional<TcpGlance> glance_at(base::Bytes frame);

// The same flow as the receiver sees it.
base::FlowKey reversed(const base::FlowKey& flow);

// Overwrites the options of this kind (RFC 9293 section 3.1) with NOPs, without mending the
// checksum. Returns whether there were any.
bool blank_option(base::MutableBytes frame, const wire::TcpLayout& layout, std::uint8_t kind);
// Lowers the MSS option to `mss_max`, without mending the checksum. Returns whether it was higher.
bool clamp_mss(base::MutableBytes frame, const wire::TcpLayout& layout, std::uint16_t mss_max);

// Takes the text out of a frame and mends lengths and checksums. Returns the frame's new length.
std::uint32_t cut_text(base::MutableBytes frame, const wire::TcpLayout& layout);

// Adds to the sequence number, to the acknowledgement if the flags say that there is one, and to
// the edges of SACK blocks (RFC 2018), without mending the checksum.
void shift_sequence(base::MutableBytes frame, const wire::TcpLayout& layout, std::uint32_t by);
void shift_acknowledgement(base::MutableBytes frame, const wire::TcpLayout& layout,
                           std::uint32_t by);
void shift_sack(base::MutableBytes frame, const wire::TcpLayout& layout, std::uint32_t by);

// What to write into a frame that nobody sent.
struct Forgery {
  base::Seq seq;
  base::Seq ack;
  std::uint8_t flags = 0;
  std::uint16_t window = 0;
  std::uint32_t text = 0;  // bytes, all alike
  bool is_answer = false;  // goes back to the sender of the frame it is made from
};

// Headers as those of `frame`, turned round if it is an answer, without options; checksums right.
std::vector<std::byte> forge(base::Bytes frame, const TcpGlance& glance, const Forgery& forgery);

}  // namespace handfast::drivers
