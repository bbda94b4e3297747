// Fetcher: the client of the mode `fetch`. Downloads one page over HTTP on each connection, whole,
// and hashes it. Asks as HTTP/1.0, so that the answer is one body and then the server's FIN.
//
//   context = kOpened | where in `downloads_` it stands
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/load/end.hpp"
#include "apps/load/http_response.hpp"
#include "apps/load/opener.hpp"

namespace handfast::load {

class Fetcher final : public End {
 public:
  explicit Fetcher(const ClientPlan& plan);

  void on_poll(Worker& worker) override;
  Instant next_poll() const override { return opener_.next_poll(); }
  void on_drain(Worker&) override { stop(); }

  void on_open(Connection connection);
  std::size_t on_data(Connection connection, Bytes data);
  void on_writable(Connection connection) { ask(connection); }
  void on_peer_finished(Connection connection);
  void on_closed(Connection connection, CloseReason reason);

  std::vector<apps::TransferRecord> transfers() const override;

 private:
  struct Download {
    Connection connection;
    apps::Transfer transfer;
    HttpResponseReader head;
    std::size_t asked = 0;  // bytes of the request
    bool has_head = false;
    bool whole = false;
  };

  Download& download_of(Connection connection);
  void ask(Connection connection);
  void stop();

  const ClientPlan plan_;
  const std::string request_;
  Opener opener_;
  std::vector<Download> downloads_;
  std::uint64_t in_flight_ = 0;
  std::optional<Instant> end_;
  bool started_ = false;
};

}  // namespace handfast::load
