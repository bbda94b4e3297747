#include "apps/serve/services.hpp"

namespace handfast::serve {

ServiceTally& ServiceTally::operator+=(const ServiceTally& other) {
  opened += other.opened;
  for (std::size_t i = 0; i < closed.size(); ++i) closed[i] += other.closed[i];
  bytes_received += other.bytes_received;
  bytes_sent += other.bytes_sent;
  return *this;
}

std::size_t CountingService::give(Connection connection, Bytes bytes) {
  const std::size_t accepted = connection.send(bytes).value_or(0);
  tally_.bytes_sent += accepted;
  return accepted;
}

std::size_t Echo::on_data(Connection connection, Bytes data) {
  const std::size_t taken = give(connection, data);
  tally_.bytes_received += taken;
  return taken;
}

Chargen::Chargen() {
  constexpr char kFirst = ' ';
  std::size_t at = 0;
  for (std::size_t line = 0; line < kCharacters; ++line) {
    for (std::size_t column = 0; column < kLineBytes - 2; ++column) {
      const auto offset = static_cast<char>((line + column) % kCharacters);
      pattern_[at++] = static_cast<std::byte>(kFirst + offset);
    }
    pattern_[at++] = std::byte{'\r'};
    pattern_[at++] = std::byte{'\n'};
  }
}

void Chargen::on_open(Connection connection) {
  CountingService::on_open(connection);
  go_on(connection);
}

std::size_t Chargen::on_data(Connection, Bytes data) {
  tally_.bytes_received += data.size();
  return data.size();
}

void Chargen::go_on(Connection connection) {
  std::size_t at = static_cast<std::size_t>(connection.context());
  while (true) {
    const Bytes piece = Bytes(pattern_).subspan(at);
    const std::size_t accepted = give(connection, piece);
    at = (at + accepted) % kPatternBytes;
    if (accepted < piece.size()) break;  // full: on_writable goes on
  }
  connection.set_context(at);
}

std::size_t FirstChunk::on_data(Connection connection, Bytes data) {
  constexpr std::uint64_t kHadFirst = 1;
  const bool is_first = connection.context() != kHadFirst;
  if (is_first) {
    connection.set_context(kHadFirst);
    if (then_ == Then::abort) {
      (void)connection.abort();
    } else {
      give(connection, data);  // the first of a send buffer that nothing else is in
      (void)connection.close();
    }
  }
  if (is_first || then_ == Then::shut) tally_.bytes_received += data.size();
  return data.size();
}

void DialledEcho::on_closed(Connection connection, CloseReason reason) {
  Echo::on_closed(connection, reason);
  ending_.store(static_cast<int>(reason), std::memory_order_release);
}

std::optional<CloseReason> DialledEcho::ending() const {
  const int ending = ending_.load(std::memory_order_acquire);
  if (ending == kAlive) return std::nullopt;
  return static_cast<CloseReason>(ending);
}

}  // namespace handfast::serve
