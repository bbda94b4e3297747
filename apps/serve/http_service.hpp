// HttpService: carries bytes between connections and their HttpExchange, which knows HTTP. Each
// connection has a slot of a table that is reserved at start. Context: the slot's number plus one.
//
// Nobody may hold a slot by being slow (slowloris): one timer a connection waits for the rest of a
// head, or for anything to move at all, and after the last answer for the peer to take it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "apps/serve/http_exchange.hpp"
#include "apps/serve/http_patience.hpp"
#include "apps/serve/services.hpp"

namespace handfast::serve {

class HttpService : public CountingService {
 public:
  // Room for `slots` connections; further ones are reset.
  explicit HttpService(std::uint32_t slots, const HttpPatience& patience = {});

  void on_open(Connection connection);
  std::size_t on_data(Connection connection, Bytes data);
  void on_writable(Connection connection);
  void on_peer_finished(Connection connection);
  void on_timer(Connection connection);
  void on_closed(Connection connection, CloseReason reason);

 private:
  struct Slot {
    explicit Slot(UploadHashes& hashes) : exchange(hashes) {}
    HttpExchange exchange;
    // Once closed: what the peer had not taken when last looked at.
    std::uint64_t untaken = 0;
    bool is_closed = false;
  };
  // Where an exchange stood before an event.
  struct Mark {
    explicit Mark(const HttpExchange& exchange)
        : answers(exchange.answers()), moved(exchange.moved()), in_head(exchange.is_in_head()) {}
    std::uint64_t answers;
    std::uint64_t moved;
    bool in_head;
  };

  Slot* slot_of(Connection connection);
  // Sends what the send buffer takes; closes after the last answer. True when nothing is left.
  bool flush(Connection connection, Slot& slot);
  // Begins to wait anew if something has happened since `before`.
  void wait(Connection connection, const Slot& slot, const Mark& before);

  // Left unwritten until used, so that unused slots cost no memory.
  std::unique_ptr<std::byte[]> storage_;
  std::uint32_t slots_;
  HttpPatience patience_;
  std::uint32_t never_used_ = 0;     // slots from here on
  std::vector<std::uint32_t> free_;  // used before and free again
  UploadHashes hashes_;
};

}  // namespace handfast::serve
