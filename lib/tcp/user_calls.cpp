#include "tcp/user_calls.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "tcp/congestion/congestion.hpp"
#include "tcp/handshake_options.hpp"
#include "tcp/path_mtu.hpp"
#include "tcp/timeouts.hpp"
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

bool can_append(const SendNode& node) {
  return !node.is_sent && !node.is_closed;
}

void queue_node(Tcb& tcb, SendNode* node) {
  tcb.send_queue.push_back(node);
  if (tcb.transfer->unsent == nullptr) tcb.transfer->unsent = node;
  tcb.snd_end += node->length;
}

// The last packet, if it has not been sent and can take more; otherwise a new one, or null when the
// pool is dry.
SendNode* node_to_fill(Tcb& tcb, std::uint32_t capacity, Context& context) {
  SendNode* const last = tcb.send_queue.back();
  if (last != nullptr && can_append(*last) && last->length < capacity) return last;
  base::Packet packet;
  if (!context.packets.allocate_to_keep(packet)) {
    ++context.counters.no_packet_buffer;
    return nullptr;
  }
  SendNode* const fresh = make_send_node(packet, tcb.snd_end);
  queue_node(tcb, fresh);
  return fresh;
}

// Where the window is the limit, twice that, so that the next flight is there when this one is
// acknowledged. Where it is not, what is in flight of late and a little more: text that waits for
// longer has left the cache when its turn comes, and is fetched from memory again to be sent. An
// algorithm that paces keeps what is in flight below its window, and has need of all of it when
// something is lost.
std::uint32_t send_buffer(const Tcb& tcb, const Parameters& p) {
  const std::uint32_t window = std::min(tcb.cwnd, p.send_buffer_max);
  const Transfer* const t = tcb.transfer;
  const std::uint32_t flight = t == nullptr ? 0 : t->flight_of_late;
  const bool is_paced = t != nullptr && t->pacing_rate != 0;
  const bool is_limit = is_paced || flight >= window - window / 4;
  return std::clamp(is_limit ? 2 * window : flight + p.send_buffer, p.send_buffer,
                    p.send_buffer_max);
}

std::size_t send_room(const Tcb& tcb, const Parameters& p) {
  // While SYN is unacknowledged snd_una counts it too.
  const std::uint32_t queued = tcb.snd_end - tcb.snd_una;
  const std::uint32_t buffer = send_buffer(tcb, p);
  return buffer > queued ? buffer - queued : 0;
}

// So little text is better copied behind the last, unsent piece than sent by itself (SHLD-28).
bool append_small(Tcb& tcb, std::span<const std::byte> text, std::uint32_t capacity) {
  constexpr std::size_t kSmall = 256;
  SendNode* const last = tcb.send_queue.back();
  if (text.size() > kSmall || last == nullptr || !can_append(*last)) return false;
  if (last->length + text.size() > capacity) return false;
  std::memcpy(last->text + last->length, text.data(), text.size());
  last->length += static_cast<std::uint32_t>(text.size());
  tcb.snd_end += static_cast<std::uint32_t>(text.size());
  return true;
}

// Packets for what does not fit one segment; at most so many (a packet of 9,000 bytes and more is
// cut to the smallest MSS).
constexpr std::size_t kPiecesMax = 128;

// All that are asked for, or none.
bool allocate_pieces(std::span<base::Packet> out, Context& context) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (context.packets.allocate_to_keep(out[i])) continue;
    for (const base::Packet& packet : out.first(i)) context.packets.free(packet);
    ++context.counters.no_packet_buffer;
    return false;
  }
  return true;
}

}  // namespace

void configure(Tcb& tcb, const ConnectionOptions& options, const Parameters& parameters) {
  tcb.congestion = options.congestion_control.value_or(parameters.congestion);
  tcb.nagle = options.nagle.value_or(parameters.nagle);
  tcb.dscp = options.dscp.value_or(parameters.dscp);
  tcb.keep_alive_s =
      options.keep_alive ? keep_alive_seconds(*options.keep_alive) : parameters.keep_alive_s;
  tcb.user_timeout_set = options.user_timeout.has_value();
  tcb.user_timeout =
      tcb.user_timeout_set ? base::ticks_in(*options.user_timeout) : parameters.user_timeout;
}

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
  if (!tcb.user_timeout_set) tcb.user_timeout = context.parameters.syn_timeout;
  tcb.syn_pending = true;
}

std::expected<std::size_t, Error> send(Tcb& tcb, std::span<const std::byte> bytes,
                                       Context& context) {
  if (tcb.fin_queued || !may_queue(tcb.state)) return std::unexpected(Error::wrong_state);
  const std::size_t room = send_room(tcb, context.parameters);
  std::span<const std::byte> rest = bytes.first(std::min(bytes.size(), room));
  if (rest.empty() || take_transfer(tcb, context) == nullptr) return 0;
  if (knows_smaller_path(tcb)) [[unlikely]]
    try_full_size(tcb, context);
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

std::expected<void, Error> send(Tcb& tcb, const base::Packet& packet, std::span<std::byte> text,
                                Context& context) {
  if (tcb.fin_queued || !may_queue(tcb.state)) return std::unexpected(Error::wrong_state);
  if (text.size() > send_room(tcb, context.parameters)) {
    return std::unexpected(Error::send_buffer_full);
  }
  if (text.empty()) {
    context.packets.free(packet);
    return {};
  }
  if (take_transfer(tcb, context) == nullptr) return std::unexpected(Error::send_buffer_full);
  if (knows_smaller_path(tcb)) [[unlikely]]
    try_full_size(tcb, context);
  const std::uint32_t capacity = node_capacity(tcb, context);
  if (append_small(tcb, text, capacity)) {
    context.packets.free(packet);
    return {};
  }
  const std::size_t further = (text.size() - 1) / capacity;
  std::array<base::Packet, kPiecesMax> packets;
  if (further > packets.size() || !allocate_pieces(std::span{packets}.first(further), context)) {
    return std::unexpected(Error::no_packet_buffer);
  }
  const auto first = static_cast<std::uint32_t>(std::min<std::size_t>(text.size(), capacity));
  queue_node(tcb, make_send_node(packet, text.data(), first, tcb.snd_end));
  std::span<const std::byte> rest = text.subspan(first);
  for (const base::Packet& piece : std::span{packets}.first(further)) {
    SendNode* const node = make_send_node(piece, tcb.snd_end);
    node->length = static_cast<std::uint32_t>(std::min<std::size_t>(rest.size(), capacity));
    std::memcpy(node->text, rest.data(), node->length);
    rest = rest.subspan(node->length);
    queue_node(tcb, node);
  }
  return {};
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

namespace {

// The timer that stands may be later than patience now ends.
void keep_to_user_timeout(Tcb& tcb) {
  if (tcb.retransmit_at == base::kNoTick || tcb.waits_idly()) return;
  tcb.retransmit_at = base::earlier_of(tcb.retransmit_at, patience_ends(tcb));
}

}  // namespace

void limit_close(Tcb& tcb, std::uint32_t ticks, const Context& context) {
  if (tcb.fin_acked()) return;
  tcb.user_timeout = ticks;
  tcb.user_timeout_set = true;
  tcb.lingers = false;
  tcb.heard(context.tick);
  tcb.lingers = true;
  keep_to_user_timeout(tcb);
}

void set_user_timeout(Tcb& tcb, std::uint32_t ticks) {
  tcb.user_timeout = ticks;
  tcb.user_timeout_set = true;
  keep_to_user_timeout(tcb);
}

void set_keep_alive(Tcb& tcb, std::uint16_t seconds, const Context& context) {
  tcb.keep_alive_s = seconds;
  if (tcb.in_flight() == 0 && !tcb.is_persisting()) tcb.heard(context.tick);
  if (tcb.timer_is != TimerIs::keep_alive) return;
  tcb.retransmits = 0;
  tcb.stop_timer();
}

bool set_congestion_control(Tcb& tcb, CongestionControl algorithm, const Context& context) {
  const Congestion& congestion = congestion_of(algorithm);
  const bool is_open = tcb.is_synchronized();
  if (congestion.needs_ecn && is_open && !tcb.ecn) return false;
  if (congestion.needs_ecn && tcb.state == State::syn_sent && tcb.snd_max == tcb.snd_una) {
    tcb.ecn = true;  // the SYN has not left yet
  }
  tcb.congestion = algorithm;
  if (tcb.transfer == nullptr || !is_open) return true;
  tcb.transfer->pacing_rate = 0;
  congestion.start(tcb, context);
  return true;
}

}  // namespace handfast::tcp
