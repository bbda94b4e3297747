// Parameters: what the protocol is told once, and Context: what it is told with every burst.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/counter.hpp"
#include "base/packet.hpp"
#include "base/tick.hpp"
#include "handfast/config.hpp"

namespace handfast::tcp {

inline constexpr std::uint16_t kDefaultSendMss = 536;  // IPv4, MUST-15
inline constexpr std::uint16_t kMinSendMss = 88;       // a smaller offer is taken as this much
inline constexpr std::uint8_t kMaxWindowShift = 14;    // RFC 7323 section 2.3
inline constexpr std::uint32_t kTimestampOption = 12;  // bytes, with its padding
// Packets one connection may hold out of order: bounds what a hostile peer can pin.
inline constexpr std::uint16_t kReassemblyPacketsMax = 256;

struct Parameters {
  std::uint32_t rto_initial_us;
  std::uint32_t rto_min_us;
  std::uint32_t rto_max_us;
  std::uint32_t syn_timeout;   // ticks
  std::uint32_t user_timeout;  // ticks
  std::uint32_t send_buffer;
  std::uint32_t receive_buffer;
  std::uint16_t receive_mss;   // MMS_R - 20 (MUST-67): what we announce
  std::uint8_t receive_shift;  // window scale we offer
  bool timestamps;
  bool window_scaling;
  bool textbook;
  std::uint32_t timestamp_offset;  // secret; RFC 7323 section 5.4

  static Parameters from(const StackConfig& config, std::uint32_t timestamp_offset) {
    const auto us = [](Duration d) { return static_cast<std::uint32_t>(d.count() / 1000); };
    std::uint8_t shift = 0;
    while (shift < kMaxWindowShift && (65'535U << shift) < config.receive_buffer) ++shift;
    return {.rto_initial_us = us(config.rto_initial),
            .rto_min_us = us(config.rto_min),
            .rto_max_us = us(config.rto_max),
            .syn_timeout = base::ticks_in(config.syn_timeout),
            .user_timeout = base::ticks_in(config.user_timeout),
            .send_buffer = config.send_buffer,
            .receive_buffer = config.window_scaling ? config.receive_buffer
                                                    : std::min(config.receive_buffer, 65'535U),
            .receive_mss = static_cast<std::uint16_t>(config.interface.mtu - 40),
            .receive_shift = shift,
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
  Instant now;
  base::Tick tick = base::kNoTick;
  std::uint32_t now_us = 0;     // microseconds modulo 2^32, for round-trip times
  std::uint32_t timestamp = 0;  // TSval: milliseconds and the secret offset

  void set_time(Instant at) {
    now = at;
    tick = base::tick_of(at);
    now_us = static_cast<std::uint32_t>(at.ns() / 1000);
    timestamp = static_cast<std::uint32_t>(at.ns() / 1'000'000) + parameters.timestamp_offset;
  }
};

}  // namespace handfast::tcp
