// Ledger: what each connection of a transfer should bring and what it has brought, at both ends.
// Kept by the two handlers, judged at the end. Also the streams' contents: each is a
// stretch of one random text, beginning where the seed says for this connection and direction, so
// that a byte from the wrong stream or place does not match.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "tests/sim/transfer.hpp"

namespace handfast::sim {

enum class End : std::uint8_t { client, server };

constexpr End other(End end) {
  return end == End::client ? End::server : End::client;
}

// One end of one connection.
struct EndRecord {
  std::uint32_t sent = 0;
  std::uint32_t received = 0;
  std::uint8_t opened = 0;
  std::uint8_t peer_finished = 0;
  std::uint8_t closed = 0;
  std::uint16_t source_port = 0;  // of the connection; kept at the client's end
};

class Ledger {
 public:
  explicit Ledger(const TransferConfig& config);

  const TransferConfig& config() const { return config_; }
  EndRecord& record(std::uint32_t number, End end) {
    return records_[number * 2 + (end == End::server ? 1 : 0)];
  }
  // What `end` sends on this connection.
  base::Bytes stream(std::uint32_t number, End end) const;
  // Whether this connection's handler takes its data late and in parts.
  bool is_slow(std::uint32_t number) const;

  void fail(std::string what);
  void fail(std::uint32_t number, End end, const std::string& what);
  // Each connection opened once, closed once, with all its bytes.
  void judge_records();
  const std::vector<std::string>& failures() const { return failures_; }
  std::uint64_t failure_count() const { return failure_count_; }

 private:
  static constexpr std::size_t kTextBytes = std::size_t{1} << 20;

  std::uint64_t draw(std::uint32_t number, std::uint32_t purpose) const;

  TransferConfig config_;
  std::vector<std::byte> text_;
  std::vector<EndRecord> records_;
  std::vector<std::string> failures_;
  std::uint64_t failure_count_ = 0;
};

}  // namespace handfast::sim
