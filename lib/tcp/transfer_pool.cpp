#include "tcp/transfer_pool.hpp"

#include <algorithm>

#include "tcp/congestion/congestion.hpp"

namespace handfast::tcp {

namespace {

// For longer than an RTO: nobody knows what the path takes now (RFC 5681 section 4.1).
bool has_been_idle(const Tcb& tcb, const Context& context) {
  return tcb.send_queue.is_empty() && tcb.in_flight() == 0 && tcb.is_synchronized() &&
         context.now_us - tcb.transfer->delivered_us > tcb.rto_us;
}

// The restart window is no larger than that of a new connection.
void restart(Tcb& tcb, const Context& context) {
  tcb.cwnd = std::min(tcb.cwnd, initial_window(tcb.snd_mss));
  congestion_of(tcb.congestion).start(tcb, context);
}

}  // namespace

Transfer* take_transfer(Tcb& tcb, Context& context) {
  if (tcb.transfer != nullptr) {
    const bool owns_window = congestion_of(tcb.congestion).owns_window;
    if (has_been_idle(tcb, context) && !owns_window) restart(tcb, context);
    return tcb.transfer;
  }
  const auto index = context.transfers.allocate();
  if (!index) return nullptr;
  Transfer& fresh = context.transfers[*index];
  const std::uint32_t generation = fresh.generation;
  fresh = Transfer{};
  fresh.generation = generation;
  fresh.delivered_us = fresh.first_sent_us = context.now_us;
  fresh.reorder_windows = 1;
  fresh.recover = fresh.reorder_round = tcb.snd_una;
  fresh.rack_end = fresh.rack_fack = tcb.snd_una;
  fresh.small_end = tcb.snd_una;
  tcb.transfer = &fresh;
  if (tcb.is_synchronized()) restart(tcb, context);
  return &fresh;
}

void give_transfer_back(Tcb& tcb, Context& context) {
  if (tcb.transfer == nullptr) return;
  context.transfers.free(static_cast<std::uint32_t>(tcb.transfer - &context.transfers[0]));
  tcb.transfer = nullptr;
  tcb.urgent_ahead = false;
}

void start_congestion_control(Tcb& tcb, bool syn_lost, const Context& context) {
  const std::uint32_t mss = tcb.snd_mss;
  tcb.cwnd = syn_lost ? mss : initial_window(mss);  // RFC 5681 section 3.1
  tcb.ssthresh = 0xffffffff;
  if (tcb.transfer != nullptr) congestion_of(tcb.congestion).start(tcb, context);
}

}  // namespace handfast::tcp
