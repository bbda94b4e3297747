#include "apps/serve/server.hpp"

#include <fmt/format.h>

namespace handfast::serve {

Server::Server(const Options& options, bool dials)
    : options_(options),
      dials_(dials),
      http_(options.has(Service::http) ? options.max_connections : 0, options.http_patience),
      source_(options.bytes) {}

std::expected<void, std::string> Server::on_start(Worker& worker) {
  for (const Listen& wanted : options_.listen) {
    if (const auto listening = listen(worker, wanted); !listening) {
      return std::unexpected(fmt::format("cannot listen on {}: {}", local(wanted).to_string(),
                                         to_string(listening.error())));
    }
  }
  if (!dials_) return {};
  if (const auto dialled = worker.connect(*options_.dial, dialled_); !dialled) {
    return std::unexpected(fmt::format("cannot connect to {}: {}", options_.dial->to_string(),
                                       to_string(dialled.error())));
  }
  return {};
}

std::expected<void, Error> Server::listen(Worker& worker, const Listen& listen) {
  const Endpoint at = local(listen);
  switch (listen.service) {
    case Service::echo:
      return worker.listen(at, echo_);
    case Service::discard:
      return worker.listen(at, discard_);
    case Service::chargen:
      return worker.listen(at, chargen_);
    case Service::http:
      return worker.listen(at, http_);
    case Service::sink:
      return worker.listen(at, sink_);
    case Service::source:
      return worker.listen(at, source_);
    case Service::close_first:
      return worker.listen(at, close_first_);
    case Service::shut_first:
      return worker.listen(at, shut_first_);
    case Service::abort_first:
      return worker.listen(at, abort_first_);
  }
  return {};
}

void Server::on_drain(Worker& worker) {
  for (const Listen& listen : options_.listen) worker.stop_listening(local(listen));
}

std::vector<apps::TransferRecord> Server::transfers() const {
  std::vector<apps::TransferRecord> all = sink_.records();
  for (apps::TransferRecord& record : source_.records()) all.push_back(std::move(record));
  return all;
}

const ServiceTally& Server::tally(Service service) const {
  const std::array<const CountingService*, kServiceCount> all = {
      &echo_,   &discard_,     &chargen_,    &http_,       &sink_,
      &source_, &close_first_, &shut_first_, &abort_first_};
  return all[static_cast<std::size_t>(service)]->tally();
}

}  // namespace handfast::serve
