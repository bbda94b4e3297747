// Transfer: one stream as one end of it saw it, kept by that end's handler, and its record as JSON.
// The program or script that started both ends compares the two.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>

#include "apps/stream/sha256.hpp"
#include "handfast/connection.hpp"
#include "handfast/error.hpp"
#include "handfast/time.hpp"

namespace handfast::apps {

// What is left of one when it is over.
struct TransferRecord {
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  Duration time{};             // from the opening to the last byte, the peer's FIN or the end
  bool peer_finished = false;  // its FIN has come: nothing of what it sent is missing
  std::string ending;          // why the connection ended; empty when it has not
  std::string sha256;          // of what was received; empty when it was not hashed
  std::optional<ConnectionInfo> info;  // when its end began; none of a kernel's
};

nlohmann::ordered_json to_json(const TransferRecord& record);

struct Transfer {
  Transfer(Instant now, bool hashes) : opened(now), last(now) {
    if (hashes) received.emplace();
  }
  void take(Instant now, std::span<const std::byte> bytes) {
    bytes_received += bytes.size();
    last = now;
    if (received) received->add(bytes);
  }
  // While the connection is there to be asked; the last time counts.
  void look_at(const Connection& connection) {
    if (const auto found = connection.info()) info = *found;
  }
  // The peer's FIN has come.
  void finish(Instant now) {
    peer_finished = true;
    last = now;
  }
  void end(Instant now, CloseReason reason) {
    if (!peer_finished) last = now;
    ending = reason;
  }
  TransferRecord record() const;

  Instant opened;
  Instant last;
  std::uint64_t bytes_sent = 0;  // accepted by the stack
  std::uint64_t bytes_received = 0;
  bool peer_finished = false;
  std::optional<CloseReason> ending;
  std::optional<Sha256> received;
  std::optional<ConnectionInfo> info;
};

}  // namespace handfast::apps
