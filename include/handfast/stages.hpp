// StageTimes: what one worker's polls spent their processor time on, for builds with the option
// `stage_profile`; in others nothing is measured and everything is 0. See docs/performance.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace handfast {

enum class Stage : std::uint8_t {
  receive,   // the device's receive
  parse,     // Ethernet, IP, TCP headers and checksums, and who owns the flow
  demux,     // flow table and records
  protocol,  // segment arrival, and what applications call: connect, send, close
  callback,  // the application's own code
  emit,      // what is to be sent, and writing it
  transmit,  // the device's send
  timers,
  loop,  // the rest of a poll
};
inline constexpr std::size_t kStageCount = 9;

constexpr std::string_view to_string(Stage stage) {
  constexpr std::array<std::string_view, kStageCount> kNames = {
      "receive", "parse", "demux", "protocol", "callback", "emit", "transmit", "timers", "loop"};
  return kNames[static_cast<std::size_t>(stage)];
}

// Polls that moved no frame are left out, and what the readings of the counter cost is taken off.
struct StageTimes {
  bool is_measured = false;
  double reading_cycles = 0;  // what one reading costs; with several workers the last one's
  std::array<double, kStageCount> cycles{};
  std::array<std::uint64_t, kStageCount> readings{};

  double of(Stage stage) const { return cycles[static_cast<std::size_t>(stage)]; }
  double sum() const {
    double all = 0;
    for (const double one : cycles) all += one;
    return all;
  }
  StageTimes& operator+=(const StageTimes& other) {
    if (!other.is_measured) return *this;
    is_measured = true;
    reading_cycles = other.reading_cycles;
    for (std::size_t i = 0; i < kStageCount; ++i) {
      cycles[i] += other.cycles[i];
      readings[i] += other.readings[i];
    }
    return *this;
  }
};

}  // namespace handfast
