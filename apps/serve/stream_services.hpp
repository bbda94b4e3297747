// The services that move one measured stream a connection: `sink` hashes what it is sent, `source`
// sends as many bytes as the program was told. Both keep a record of each connection, up to a
// bound; context: the record's number plus one, 0 beyond it.
#pragma once

#include <vector>

#include "apps/serve/services.hpp"
#include "apps/stream/payload.hpp"
#include "apps/stream/transfer.hpp"

namespace handfast::serve {

class StreamService : public CountingService {
 public:
  // Connections beyond so many are served and not recorded.
  static constexpr std::size_t kRecordsMax = 1024;

  explicit StreamService(bool hashes);
  void on_open(Connection connection);
  std::size_t on_data(Connection connection, Bytes data);
  void on_closed(Connection connection, CloseReason reason);
  std::vector<apps::TransferRecord> records() const;

 protected:
  apps::Transfer* transfer_of(Connection connection);

 private:
  const bool hashes_;
  std::vector<apps::Transfer> transfers_;
};

class Sink : public StreamService {
 public:
  Sink() : StreamService(true) {}
  void on_peer_finished(Connection connection);
};

// Without a record there is nothing to say how much was sent, so it resets those beyond the bound.
class Source : public StreamService {
 public:
  explicit Source(std::uint64_t bytes) : StreamService(false), bytes_(bytes) {}
  void on_open(Connection connection);
  void on_writable(Connection connection);
  void on_peer_finished(Connection) {}  // it closes when everything is sent

 private:
  const std::uint64_t bytes_;
  const apps::Payload payload_;
};

}  // namespace handfast::serve
