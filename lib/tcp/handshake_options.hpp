// What the SYNs exchange: MSS (RFC 9293 section 3.7.1), window scale and timestamps (RFC 7323).
// An option is used only when both sides sent it.
#pragma once

#include <algorithm>

#include "base/segment.hpp"
#include "tcp/parameters.hpp"
#include "tcp/tcb.hpp"

namespace handfast::tcp {

// The options of our SYN.
inline base::TcpOptions syn_options(bool is_v4, const Context& context) {
  const Parameters& p = context.parameters;
  base::TcpOptions options;
  options.present = base::TcpOptions::kMss;
  options.mss = p.receive_mss(is_v4);
  if (p.sack) options.present |= base::TcpOptions::kSackPermitted;
  if (p.window_scaling) {
    options.present |= base::TcpOptions::kWindowScale;
    options.window_scale = p.receive_shift;
  }
  if (p.timestamps) {
    options.present |= base::TcpOptions::kTimestamps;
    options.ts_value = context.timestamp;
    options.ts_echo = 0;
  }
  return options;
}

// What the peer's SYN said, reduced to what both sides will do.
struct PeerOffer {
  std::uint16_t mss = kDefaultSendMss;
  std::uint8_t window_shift = 0;
  bool window_scaling = false;
  bool timestamps = false;
  bool sack = false;
  std::uint32_t ts_value = 0;
};

inline PeerOffer read_offer(const base::TcpOptions& options, bool is_v4, const Parameters& p) {
  using O = base::TcpOptions;
  PeerOffer offer;
  offer.mss = is_v4 ? kDefaultSendMss : kDefaultSendMssV6;
  if (options.has(O::kMss)) offer.mss = std::max(options.mss, kMinSendMss);
  offer.window_scaling = p.window_scaling && options.has(O::kWindowScale);
  // RFC 7323 section 2.3: a larger shift is used as 14.
  if (offer.window_scaling) offer.window_shift = std::min(options.window_scale, kMaxWindowShift);
  offer.timestamps = p.timestamps && options.has(O::kTimestamps);
  offer.sack = p.sack && options.has(O::kSackPermitted);
  if (offer.timestamps) offer.ts_value = options.ts_value;
  return offer;
}

// Eff.snd.MSS (MUST-16): the peer's MSS and our own link's, less the options of every segment.
inline std::uint16_t effective_send_mss(std::uint16_t peer_mss, bool timestamps, bool is_v4,
                                        const Parameters& p) {
  const std::uint32_t option_bytes = timestamps ? kTimestampOption : 0;
  return static_cast<std::uint16_t>(std::min(peer_mss, p.receive_mss(is_v4)) - option_bytes);
}

// Whether a SYN offers ECN, or a SYN-ACK accepts it (RFC 3168 section 6.1.1).
inline bool offers_ecn(const base::Segment& seg, bool is_syn_ack) {
  return seg.has(base::kEce) && seg.has(base::kCwr) == !is_syn_ack;
}

inline void apply_offer(Tcb& tcb, const PeerOffer& offer, const Context& context) {
  tcb.timestamps = offer.timestamps;
  tcb.ts_recent = offer.ts_value;
  tcb.sack = offer.sack;
  tcb.window_scaling = offer.window_scaling;
  tcb.snd_shift = offer.window_shift & 0xf;
  tcb.receive_shift = offer.window_scaling ? context.parameters.receive_shift & 0xf : 0;
  tcb.snd_mss =
      effective_send_mss(offer.mss, offer.timestamps, tcb.key.local.is_v4(), context.parameters);
}

}  // namespace handfast::tcp
