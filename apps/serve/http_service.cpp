#include "apps/serve/http_service.hpp"

#include <new>
#include <type_traits>

namespace handfast::serve {

static_assert(std::is_trivially_destructible_v<HttpExchange>);
static_assert(alignof(HttpExchange) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);

HttpService::HttpService(std::uint32_t slots)
    : storage_(std::make_unique_for_overwrite<std::byte[]>(slots * sizeof(HttpExchange))),
      slots_(slots) {
  free_.reserve(slots);
}

HttpExchange* HttpService::exchange_of(Connection connection) {
  const std::uint64_t context = connection.context();
  if (context == 0) return nullptr;
  std::byte* const at = storage_.get() + (context - 1) * sizeof(HttpExchange);
  return std::launder(reinterpret_cast<HttpExchange*>(at));
}

void HttpService::on_open(Connection connection) {
  CountingService::on_open(connection);
  std::uint32_t slot = 0;
  if (!free_.empty()) {
    slot = free_.back();
    free_.pop_back();
  } else if (never_used_ < slots_) {
    slot = never_used_++;
  } else {
    (void)connection.abort();
    return;
  }
  ::new (storage_.get() + slot * sizeof(HttpExchange)) HttpExchange(hashes_);
  connection.set_context(std::uint64_t{slot} + 1);
}

std::size_t HttpService::on_data(Connection connection, Bytes data) {
  HttpExchange* const exchange = exchange_of(connection);
  if (exchange == nullptr) return data.size();
  std::size_t taken = 0;
  while (taken < data.size()) {
    const std::size_t more = exchange->receive(data.subspan(taken));
    taken += more;
    if (!flush(connection, *exchange) || more == 0) break;
  }
  tally_.bytes_received += taken;
  return taken;
}

bool HttpService::flush(Connection connection, HttpExchange& exchange) {
  for (Bytes piece = exchange.to_send(); !piece.empty(); piece = exchange.to_send()) {
    const std::size_t accepted = give(connection, piece);
    exchange.sent(accepted);
    if (accepted < piece.size()) return false;
  }
  if (exchange.finished()) (void)connection.close();
  return true;
}

void HttpService::on_writable(Connection connection) {
  HttpExchange* const exchange = exchange_of(connection);
  if (exchange != nullptr && flush(connection, *exchange)) (void)connection.resume_receive();
}

void HttpService::on_peer_finished(Connection connection) {
  HttpExchange* const exchange = exchange_of(connection);
  if (exchange == nullptr) return;
  exchange->peer_finished();
  flush(connection, *exchange);
}

void HttpService::on_closed(Connection connection, CloseReason reason) {
  CountingService::on_closed(connection, reason);
  const std::uint64_t context = connection.context();
  if (context == 0) return;
  exchange_of(connection)->release();
  free_.push_back(static_cast<std::uint32_t>(context - 1));
}

}  // namespace handfast::serve
