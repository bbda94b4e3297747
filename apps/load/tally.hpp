// Tally: what one end of the load has counted by its own callbacks. It is compared with the stack's
// counters and with the other end's tally; the books must agree.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "handfast/error.hpp"

namespace handfast::load {

inline constexpr std::size_t kReasonCount = static_cast<std::size_t>(CloseReason::stopped) + 1;
inline constexpr std::size_t kErrorCount = static_cast<std::size_t>(Error::too_many_listeners) + 1;

struct Tally {
  std::uint64_t attempted = 0;    // connect() calls that returned a connection
  std::uint64_t established = 0;  // on_open
  std::uint64_t completed = 0;    // did all they were to do and ended as asked
  std::uint64_t responses = 0;    // whole responses received (client) or sent (server)
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  std::array<std::uint64_t, kReasonCount> failed_to_open{};    // on_closed before on_open
  std::array<std::uint64_t, kReasonCount> failed_when_open{};  // on_closed before it was completed
  std::array<std::uint64_t, kErrorCount> open_errors{};        // connect() that returned an error
  std::uint64_t room_wait_ns = 0;  // time in which TIME-WAIT records left no room to open

  std::uint64_t failed() const;
  Tally& operator+=(const Tally& other);
};

inline std::size_t place(CloseReason reason) {
  return static_cast<std::size_t>(reason);
}
inline std::size_t place(Error error) {
  return static_cast<std::size_t>(error);
}

inline std::uint64_t Tally::failed() const {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : failed_to_open) sum += count;
  for (const std::uint64_t count : failed_when_open) sum += count;
  return sum;
}

inline Tally& Tally::operator+=(const Tally& other) {
  attempted += other.attempted;
  established += other.established;
  completed += other.completed;
  responses += other.responses;
  bytes_received += other.bytes_received;
  bytes_sent += other.bytes_sent;
  for (std::size_t i = 0; i < kReasonCount; ++i) {
    failed_to_open[i] += other.failed_to_open[i];
    failed_when_open[i] += other.failed_when_open[i];
  }
  for (std::size_t i = 0; i < kErrorCount; ++i) open_errors[i] += other.open_errors[i];
  room_wait_ns += other.room_wait_ns;
  return *this;
}

}  // namespace handfast::load
