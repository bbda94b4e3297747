#include "tcp/user_calls.hpp"

#include <algorithm>
#include <cstring>

#include "tcp/congestion/congestion.hpp"
#include "tcp/handshake_options.hpp"
#include "tcp/transfer_pool.hpp"

namespace handfast::tcp {

namespace {

bool may_queue(State state) {
  return state == State::syn_sent || state == State::syn_received || state == State::established ||
         state == State::close_wait;
}

// Room for one full segment in each packet, so that segments are full-sized (SHLD-28).
std::uint32_t node_capacity(const Tcb& tcb, const Context& context) {
  return std::min<std::uint32_t>(tcb.snd_mss, send_node_room(context.packets));
}

// The last packet, if it has not been sent and can take more; otherwise a new one, or null when the
// pool is dry.
SendNode* node_to_fill(Tcb& tcb, std::uint32_t capacity, Context& context) {
  SendNode* const last = tcb.send_queue.back();
  if (last != nullptr && !last->is_sent && last->length < capacity) return last;
  base::Packet packet;
  if (!context.packets.allocate_to_keep(packet)) {
    ++context.counters.no_packet_buffer;
    return nullptr;
  }
  SendNode* const fresh = make_send_node(packet, tcb.snd_end);
  tcb.send_queue.push_back(fresh);
  if (tcb.transfer->unsent == nullptr) tcb.transfer->unsent = fresh;
  return fresh;
}

// Twice the window, so that the next flight is there when this one is acknowledged; within bounds.
std::uint32_t send_buffer(const Tcb& tcb, const Parameters& p) {
  return std::clamp(2 * std::min(tcb.cwnd, p.send_buffer_max), p.send_buffer, p.send_buffer_max);
}

}  // namespace

void open(Tcb& tcb, const base::FlowKey& key, Seq iss, const Context& context) {
  tcb.key = key;
  tcb.state = State::syn_sent;
  tcb.snd_una = tcb.snd_nxt = tcb.snd_max = iss;
  tcb.snd_end = iss + 1;
  const bool is_v4 = key.local.is_v4();
  tcb.snd_mss = effective_send_mss(is_v4 ? kDefaultSendMss : kDefaultSendMssV6, false, is_v4,
                                   context.parameters);
  tcb.ecn = context.parameters.ecn == EcnMode::offer || congestion_of(tcb.congestion).needs_ecn;
  tcb.rto_us = context.parameters.rto_initial_us;
  tcb.user_timeout = context.parameters.syn_timeout;
  tcb.syn_pending = true;
}

std::expected<std::size_t, Error> send(Tcb& tcb, std::span<const std::byte> bytes,
                                       Context& context) {
  if (tcb.fin_queued || !may_queue(tcb.state)) return std::unexpected(Error::wrong_state);
  // While SYN is unacknowledged snd_una counts it too.
  const std::uint32_t queued = tcb.snd_end - tcb.snd_una;
  const std::uint32_t buffer = send_buffer(tcb, context.parameters);
  const std::size_t room = buffer > queued ? buffer - queued : 0;
  std::span<const std::byte> rest = bytes.first(std::min(bytes.size(), room));
  if (rest.empty() || take_transfer(tcb, context) == nullptr) return 0;
  const std::uint32_t capacity = node_capacity(tcb, context);
  std::size_t accepted = 0;
  while (!rest.empty()) {
    SendNode* const node = node_to_fill(tcb, capacity, context);
    if (node == nullptr) break;
    const std::size_t n = std::min<std::size_t>(rest.size(), capacity - node->length);
    std::memcpy(node->text + node->length, rest.data(), n);
    node->length += static_cast<std::uint32_t>(n);
    tcb.snd_end += static_cast<std::uint32_t>(n);
    rest = rest.subspan(n);
    accepted += n;
  }
  return accepted;
}

bool close(Tcb& tcb) {
  switch (tcb.state) {
    case State::syn_sent:
      return false;
    case State::syn_received:  // FIN-WAIT-1 follows ESTABLISHED
      tcb.fin_queued = true;
      return true;
    case State::established:
      tcb.fin_queued = true;
      tcb.state = State::fin_wait_1;
      return true;
    case State::close_wait:
      tcb.fin_queued = true;
      tcb.state = State::last_ack;
      return true;
    default:  // closed already: the FIN is on its way
      return true;
  }
}

}  // namespace handfast::tcp
