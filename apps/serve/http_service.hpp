// HttpService: carries bytes between connections and their HttpExchange, which knows HTTP. Each
// connection has a slot of a table that is reserved at start. Context: the slot's number plus one.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "apps/serve/http_exchange.hpp"
#include "apps/serve/services.hpp"

namespace handfast::serve {

class HttpService : public CountingService {
 public:
  // Room for `slots` connections; further ones are reset.
  explicit HttpService(std::uint32_t slots);

  void on_open(Connection connection);
  std::size_t on_data(Connection connection, Bytes data);
  void on_writable(Connection connection);
  void on_peer_finished(Connection connection);
  void on_closed(Connection connection, CloseReason reason);

 private:
  HttpExchange* exchange_of(Connection connection);
  // Sends what the send buffer takes; closes after the last answer. True when nothing is left.
  bool flush(Connection connection, HttpExchange& exchange);

  // Left unwritten until used, so that unused slots cost no memory.
  std::unique_ptr<std::byte[]> storage_;
  std::uint32_t slots_;
  std::uint32_t never_used_ = 0;     // slots from here on
  std::vector<std::uint32_t> free_;  // used before and free again
  UploadHashes hashes_;
};

}  // namespace handfast::serve
