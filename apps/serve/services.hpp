// The services, each a handler: what is done with a connection from its opening to its end. One
// object of each serves all of a worker's connections; what there is to know of one stands in its
// context word. HTTP has a file of its own.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "handfast/handler.hpp"

namespace handfast::serve {

inline constexpr std::size_t kReasonCount = static_cast<std::size_t>(CloseReason::stopped) + 1;

// What every service counts.
struct ServiceTally {
  std::uint64_t opened = 0;
  std::array<std::uint64_t, kReasonCount> closed{};
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;

  ServiceTally& operator+=(const ServiceTally& other);
};

class CountingService {
 public:
  void on_open(Connection) { ++tally_.opened; }
  void on_closed(Connection, CloseReason reason) {
    ++tally_.closed[static_cast<std::size_t>(reason)];
  }
  const ServiceTally& tally() const { return tally_; }

 protected:
  // Sends what fits and counts it; 0 as well when the connection takes no more at all.
  std::size_t give(Connection connection, Bytes bytes);

  ServiceTally tally_;
};

// RFC 862. Takes from the receive queue only what the send buffer accepts, so it never owes the
// peer more than a send buffer, and the peer's window closes while it does. On the peer's FIN what
// is owed leaves, then FIN.
class Echo : public CountingService {
 public:
  std::size_t on_data(Connection connection, Bytes data);
  void on_writable(Connection connection) { (void)connection.resume_receive(); }
};

// RFC 863.
class Discard : public CountingService {
 public:
  std::size_t on_data(Connection, Bytes data) {
    tally_.bytes_received += data.size();
    return data.size();
  }
};

// RFC 864: lines of 72 printable characters, each line beginning one character later, until the
// peer closes. Context: where in the pattern it is.
class Chargen : public CountingService {
 public:
  static constexpr std::size_t kCharacters = 95;
  static constexpr std::size_t kLineBytes = 74;  // 72, CR, LF
  static constexpr std::size_t kPatternBytes = kCharacters * kLineBytes;

  Chargen();
  void on_open(Connection connection);
  std::size_t on_data(Connection, Bytes data);
  void on_writable(Connection connection) { go_on(connection); }
  Bytes pattern() const { return pattern_; }

 private:
  void go_on(Connection connection);
  std::array<std::byte, kPatternBytes> pattern_;
};

// Echoes the first chunk, then ends its side in one of three ways. Later data is taken and dropped.
class FirstChunk : public CountingService {
 public:
  enum class Then : std::uint8_t {
    close,  // FIN at once, so that TIME-WAIT is this end's
    shut,   // FIN too, and what comes until the peer's FIN is read and counted
    abort,  // RST instead of an echo
  };
  explicit FirstChunk(Then then) : then_(then) {}
  std::size_t on_data(Connection connection, Bytes data);

 private:
  Then then_;
};

// The echo of `--dial`: tells the main thread how its one connection ended.
class DialledEcho : public Echo {
 public:
  void on_closed(Connection connection, CloseReason reason);
  // From any thread; empty while it lives.
  std::optional<CloseReason> ending() const;

 private:
  static constexpr int kAlive = -1;
  std::atomic<int> ending_{kAlive};
};

}  // namespace handfast::serve
