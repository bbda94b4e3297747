// Server: handfast-serve's application on one worker. Listens for every service that was asked for
// and, on the first worker, dials.
#pragma once

#include <array>

#include "apps/serve/http_service.hpp"
#include "apps/serve/options.hpp"
#include "apps/serve/services.hpp"
#include "apps/serve/stream_services.hpp"

namespace handfast::serve {

class Server final : public Application {
 public:
  // `options` outlives it.
  Server(const Options& options, bool dials);

  std::expected<void, std::string> on_start(Worker& worker) override;
  void on_drain(Worker& worker) override;

  // On the worker's thread.
  const ServiceTally& tally(Service service) const;
  std::vector<apps::TransferRecord> transfers() const;
  const ServiceTally& dialled() const { return dialled_.tally(); }
  // From any thread: how the dialled connection ended.
  std::optional<CloseReason> dial_ending() const { return dialled_.ending(); }

 private:
  std::expected<void, Error> listen(Worker& worker, const Listen& listen);
  Endpoint local(const Listen& listen) const { return {options_.address.network, listen.port}; }

  const Options& options_;
  const bool dials_;
  Echo echo_;
  Discard discard_;
  Chargen chargen_;
  HttpService http_;
  Sink sink_;
  Source source_;
  FirstChunk close_first_{FirstChunk::Then::close};
  FirstChunk shut_first_{FirstChunk::Then::shut};
  FirstChunk abort_first_{FirstChunk::Then::abort};
  DialledEcho dialled_;
};

}  // namespace handfast::serve
