#include "apps/serve/http_service.hpp"

#include <new>
#include <type_traits>

namespace handfast::serve {

HttpService::HttpService(std::uint32_t slots, const HttpPatience& patience)
    : storage_(std::make_unique_for_overwrite<std::byte[]>(slots * sizeof(Slot))),
      slots_(slots),
      patience_(patience) {
  static_assert(std::is_trivially_destructible_v<Slot>);
  static_assert(alignof(Slot) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
  free_.reserve(slots);
}

HttpService::Slot* HttpService::slot_of(Connection connection) {
  const std::uint64_t context = connection.context();
  if (context == 0) return nullptr;
  std::byte* const at = storage_.get() + (context - 1) * sizeof(Slot);
  return std::launder(reinterpret_cast<Slot*>(at));
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
  ::new (storage_.get() + slot * sizeof(Slot)) Slot(hashes_);
  connection.set_context(std::uint64_t{slot} + 1);
  (void)connection.set_timer(patience_.idle);
}

std::size_t HttpService::on_data(Connection connection, Bytes data) {
  Slot* const slot = slot_of(connection);
  if (slot == nullptr) return data.size();
  const Mark before(slot->exchange);
  std::size_t taken = 0;
  while (taken < data.size()) {
    const std::size_t more = slot->exchange.receive(data.subspan(taken));
    taken += more;
    if (!flush(connection, *slot) || more == 0) break;
  }
  tally_.bytes_received += taken;
  wait(connection, *slot, before);
  return taken;
}

bool HttpService::flush(Connection connection, Slot& slot) {
  HttpExchange& exchange = slot.exchange;
  for (Bytes piece = exchange.to_send(); !piece.empty(); piece = exchange.to_send()) {
    const std::size_t accepted = give(connection, piece);
    exchange.sent(accepted);
    if (accepted < piece.size()) return false;
  }
  if (exchange.finished() && !slot.is_closed) {
    slot.is_closed = true;
    slot.untaken = ~std::uint64_t{0};
    (void)connection.close();
    (void)connection.set_timer(patience_.idle);
  }
  return true;
}

// Empty lines before a request count for nothing.
void HttpService::wait(Connection connection, const Slot& slot, const Mark& before) {
  if (slot.is_closed) return;
  const Mark now(slot.exchange);
  if (now.in_head) {
    if (!before.in_head || now.answers != before.answers) {
      (void)connection.set_timer(patience_.head);
    }
  } else if (before.in_head || now.moved != before.moved) {
    (void)connection.set_timer(patience_.idle);
  }
}

void HttpService::on_writable(Connection connection) {
  Slot* const slot = slot_of(connection);
  if (slot == nullptr) return;
  const Mark before(slot->exchange);
  if (flush(connection, *slot)) (void)connection.resume_receive();
  wait(connection, *slot, before);
}

void HttpService::on_peer_finished(Connection connection) {
  Slot* const slot = slot_of(connection);
  if (slot == nullptr) return;
  slot->exchange.peer_finished();
  flush(connection, *slot);
}

void HttpService::on_timer(Connection connection) {
  Slot* const slot = slot_of(connection);
  if (slot == nullptr) return;
  if (!slot->is_closed) {
    if (slot->exchange.time_out()) {
      flush(connection, *slot);
    } else {
      (void)connection.abort();
    }
    return;
  }
  // Closed: as long as the peer goes on taking what was sent it may do so at its own pace.
  const auto info = connection.info();
  const std::uint64_t untaken =
      info ? std::uint64_t{info->unacked} + info->notsent : std::uint64_t{0};
  if (untaken == 0 || untaken >= slot->untaken) {
    (void)connection.abort();
    return;
  }
  slot->untaken = untaken;
  (void)connection.set_timer(patience_.idle);
}

void HttpService::on_closed(Connection connection, CloseReason reason) {
  CountingService::on_closed(connection, reason);
  Slot* const slot = slot_of(connection);
  if (slot == nullptr) return;
  slot->exchange.release();
  free_.push_back(static_cast<std::uint32_t>(connection.context() - 1));
}

}  // namespace handfast::serve
