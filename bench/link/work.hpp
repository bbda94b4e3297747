// Work: which frames one unit of a kind of work is made of, in order, and who sends each. The
// lengths are those of our segments with timestamps over IPv4 and Ethernet. For bare_link only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace handfast::bench {

struct Step {
  bool by_client;
  std::uint16_t length;
};

struct Work {
  std::string_view name;
  std::string_view unit;
  std::span<const Step> steps;
  // The server answers only every so manieth unit, and the client begins as many at a time.
  std::uint32_t group = 1;
  std::uint32_t payload = 0;  // bytes of text of the first step; both ends sum them
};

namespace frames {

inline constexpr std::uint16_t kSyn = 74;
inline constexpr std::uint16_t kAck = 66;
inline constexpr std::uint16_t kSmallText = kAck + 64;
inline constexpr std::uint16_t kFull = 1514;

// The ACK of the SYN-ACK rides on the FIN, the last ACK is the client's.
inline constexpr auto kConnect =
    std::to_array<Step>({{true, kSyn}, {false, kSyn}, {true, kAck}, {false, kAck}, {true, kAck}});
inline constexpr auto kTextbook = std::to_array<Step>({{true, kSyn},
                                                       {false, kSyn},
                                                       {true, kAck},
                                                       {true, kAck},
                                                       {false, kAck},
                                                       {false, kAck},
                                                       {true, kAck}});
inline constexpr auto kRequest = std::to_array<Step>({{true, kSyn},
                                                      {false, kSyn},
                                                      {true, kSmallText},
                                                      {false, kSmallText},
                                                      {true, kAck},
                                                      {false, kAck},
                                                      {true, kAck}});
inline constexpr auto kExchange = std::to_array<Step>({{true, kSmallText}, {false, kSmallText}});
inline constexpr auto kStream = std::to_array<Step>({{true, kFull}, {false, kAck}});

}  // namespace frames

inline constexpr std::array<Work, 5> kWorks = {{
    {"connect", "connections", frames::kConnect},
    {"textbook", "connections", frames::kTextbook},
    {"request", "connections", frames::kRequest},
    {"exchange", "exchanges", frames::kExchange},
    {"stream", "frames", frames::kStream, 2, frames::kFull - frames::kAck},
}};

}  // namespace handfast::bench
