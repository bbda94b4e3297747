// Parameters: what the protocol is told once, and Context: what it is told with every burst.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/counter.hpp"
#include "base/packet.hpp"
#include "base/slab.hpp"
#include "base/tick.hpp"
#include "handfast/config.hpp"
#include "tcp/transfer.hpp"

namespace handfast::tcp {

inline constexpr std::uint16_t kDefaultSendMss = 536;     // IPv4, MUST-15
inline constexpr std::uint16_t kDefaultSendMssV6 = 1220;  // IPv6, MUST-15
inline constexpr std::uint16_t kMinSendMss = 88;          // a smaller offer is taken as this much
inline constexpr std::uint8_t kMaxWindowShift = 14;       // RFC 7323 section 2.3
inline constexpr std::uint32_t kTimestampOption = 12;     // bytes, with its padding

// As Tcb::keep_alive_s.
constexpr std::uint16_t keep_alive_seconds(Duration idle) {
  return static_cast<std::uint16_t>(std::chrono::ceil<std::chrono::seconds>(idle).count());
}

struct Parameters {
  std::uint32_t rto_initial_us;
  std::uint32_t rto_min_us;
  std::uint32_t rto_max_us;
  std::uint32_t syn_timeout;   // ticks
  std::uint32_t user_timeout;  // ticks
  std::uint32_t send_buffer;
  std::uint32_t receive_buffer;
  std::uint32_t send_buffer_max;
  std::uint32_t receive_buffer_max;
  std::uint32_t delayed_ack;          // ticks; 0: never delayed
  std::uint32_t keep_alive_interval;  // ticks
  std::uint16_t keep_alive_s;         // seconds; 0: none
  std::uint8_t keep_alive_probes;
  // With a port that cuts segments up (TSO): the most text, and packets of text, that one of them
  // has. 0: no such port.
  std::uint32_t large_text_max = 0;
  std::uint16_t large_packets_max = 0;
  std::uint16_t mtu;           // bytes of IP packet
  std::uint16_t mtu6;          // of IPv6, where routers may say less
  std::uint8_t receive_shift;  // window scale we offer
  std::uint8_t dscp;
  CongestionControl congestion;
  EcnMode ecn;
  FastOpen fast_open;
  bool nagle;
  bool sack;
  bool timestamps;
  bool window_scaling;
  bool textbook;
  std::uint32_t timestamp_offset;  // secret; RFC 7323 section 5.4

  // MMS_R - 20 (MUST-67): what we announce, and as much as we can send.
  std::uint16_t receive_mss(bool is_v4) const {
    return static_cast<std::uint16_t>(is_v4 ? mtu - 40 : mtu6 - 60);
  }

  static Parameters from(const StackConfig& config, std::uint32_t timestamp_offset) {
    const auto us = [](Duration d) { return static_cast<std::uint32_t>(d.count() / 1000); };
    const auto buffer = [&config](std::uint32_t bytes) {
      return config.window_scaling ? bytes : std::min(bytes, 65'535U);
    };
    const std::uint32_t receive_max = std::max(config.receive_buffer, config.receive_buffer_max);
    std::uint8_t shift = 0;
    while (shift < kMaxWindowShift && (65'535U << shift) < receive_max) ++shift;
    return {.rto_initial_us = us(config.rto_initial),
            .rto_min_us = us(config.rto_min),
            .rto_max_us = us(config.rto_max),
            .syn_timeout = base::ticks_in(config.syn_timeout),
            .user_timeout = base::ticks_in(config.user_timeout),
            .send_buffer = config.send_buffer,
            .receive_buffer = buffer(config.receive_buffer),
            .send_buffer_max = std::max(config.send_buffer, config.send_buffer_max),
            .receive_buffer_max = buffer(receive_max),
            .delayed_ack = config.delayed_ack.count() == 0 ? 0 : base::ticks_in(config.delayed_ack),
            .keep_alive_interval = base::ticks_in(config.keep_alive_interval),
            .keep_alive_s = keep_alive_seconds(config.keep_alive),
            .keep_alive_probes = config.keep_alive_probes,
            .mtu = config.interface.mtu,
            .mtu6 = config.interface.mtu,
            .receive_shift = shift,
            .dscp = config.interface.dscp,
            .congestion = config.congestion_control,
            .ecn = config.ecn,
            .fast_open = config.fast_open,
            .nagle = config.nagle,
            .sack = config.sack,
            .timestamps = config.timestamps,
            .window_scaling = config.window_scaling,
            .textbook = config.textbook,
            .timestamp_offset = timestamp_offset};
  }
};

struct Context {
  const Parameters& parameters;
  base::PacketCache& packets;
  base::LiveCounters& counters;
  base::Slab<Transfer>& transfers;
  Instant now;
  base::Tick tick = base::kNoTick;
  std::uint32_t now_us = 0;     // microseconds modulo 2^32, for round-trip times
  std::uint32_t timestamp = 0;  // TSval: milliseconds and the secret offset
  std::uint16_t hour = 0;       // modulo 2^16, for the age of timestamps

  void set_time(Instant at) {
    now = at;
    tick = base::tick_of(at);
    now_us = static_cast<std::uint32_t>(at.ns() / 1000);
    timestamp = static_cast<std::uint32_t>(at.ns() / 1'000'000) + parameters.timestamp_offset;
    hour = static_cast<std::uint16_t>(at.ns() / 3'600'000'000'000);
  }
};

}  // namespace handfast::tcp
