#include "tests/fuzz/driven_connection.hpp"

#include "base/assert.hpp"
#include "tcp/icmp_error.hpp"
#include "tcp/path_mtu.hpp"
#include "tcp/transfer_pool.hpp"
#include "tcp/user_calls.hpp"
#include "tests/fuzz/stream_bytes.hpp"
#include "tests/fuzz/tcb_check.hpp"

namespace handfast::fuzz {

using base::Segment;
using base::TcpOptions;

namespace {

constexpr std::uint32_t kIss = 0xffffff00;  // it wraps soon
constexpr std::uint32_t kPeerIss = 0x7ffffe00;
constexpr std::size_t kPackets = 96;
constexpr std::size_t kTextAt = 74;

StackConfig choose_config(Input& input) {
  const std::uint8_t a = input.byte();
  const std::uint8_t b = input.byte();
  StackConfig config;
  config.timestamps = (a & 1) != 0;
  config.window_scaling = (a & 2) != 0;
  config.sack = (a & 4) != 0;
  config.nagle = (a & 8) != 0;
  config.textbook = (a & 16) != 0;
  if ((a & 32) != 0) config.delayed_ack = Duration(0);
  if ((a & 64) != 0) config.send_buffer = config.receive_buffer = 4096;
  if ((a & 128) != 0) config.send_buffer_max = config.receive_buffer_max = 8192;
  config.congestion_control = static_cast<CongestionControl>(b % 5);
  config.ecn = static_cast<EcnMode>((b >> 3) % 3);
  if ((b & 64) != 0) config.keep_alive = std::chrono::seconds(20);
  if ((b & 128) != 0) config.interface.mtu = 1280;
  return config;
}

}  // namespace

DrivenConnection::DrivenConnection(Input& input)
    : input_(input),
      config_(choose_config(input)),
      parameters_(tcp::Parameters::from(config_, 0xfffffff0)),
      pool_(kPackets),
      cache_(std::in_place, pool_),
      context_{.parameters = parameters_,
               .packets = *cache_,
               .counters = counters_,
               .transfers = transfers_,
               .now = {}} {
  HANDFAST_ASSERT(transfers_.reserve(2));
  context_.set_time(Instant::from_ns(5'000'000'000));
  const std::uint8_t kind = input_.byte();
  if ((kind & 0x80) != 0) {  // a port with TSO
    parameters_.large_text_max = 16'000;
    parameters_.large_packets_max = 8;
  }
  reach(kind & 0x7f);
}

DrivenConnection::~DrivenConnection() {
  tcb_.send_queue.clear(*cache_);
  tcp::give_transfer_back(tcb_, context_);
  tcb_.receive_queue.clear(*cache_);
  tcb_.reassembly.clear(*cache_);
  pool_.free(hogged_);
  cache_.reset();
  HANDFAST_ASSERT(pool_.outstanding() == 0);
  HANDFAST_ASSERT(transfers_.in_use() == 0);
}

// --- states, each on the one before

void DrivenConnection::reach(std::size_t state) {
  if (state % 2 == 0) {
    open_actively();
  } else {
    open_passively();
  }
  state = state / 2 % 8;
  if (state == 0 || is_over()) return;
  establish();
  // FIN-WAIT-1, FIN-WAIT-2, CLOSE-WAIT, LAST-ACK, CLOSING; data may stand in the way of each.
  if (state >= 2) send(input_.half());
  if (state == 3 || state == 4 || state == 7) (void)tcp::close(tcb_);
  after(true);
  if (is_over()) return;
  Segment segment;
  segment.flags = base::kAck;
  segment.seq = tcb_.rcv_nxt;
  segment.window = 0xffff;
  segment.ack = state == 4 ? tcb_.snd_max : tcb_.snd_una;
  if (state >= 5) segment.flags |= base::kFin;
  if (state >= 4) arrive(segment, 0);
  if (state == 6 && !is_over()) (void)tcp::close(tcb_);
  after(true);
}

void DrivenConnection::open_actively() {
  const bool is_v4 = input_.flag();
  tcp::configure(tcb_, {}, parameters_);
  const base::FlowKey key{
      .local = is_v4 ? Address::v4(0xc6120001) : Address::from_bytes({0xfd, 1}),
      .remote = is_v4 ? Address::v4(0xc6120002) : Address::from_bytes({0xfd, 2}),
      .local_port = 40'000,
      .remote_port = 80};
  tcp::open(tcb_, key, Seq{kIss}, context_);
  last_state_ = State::syn_sent;
  output();
}

// As the stack does it: the third segment makes a Tcb of the HalfOpen and then arrives there.
void DrivenConnection::open_passively() {
  Segment syn;
  syn.flags = base::kSyn;
  syn.seq = Seq{kPeerIss};
  syn.window = input_.half();
  choose_options(syn);
  tcp::HalfOpen half{};
  tcp::open_half(half,
                 {.local = Address::v4(0xc6120001),
                  .remote = Address::v4(0xc6120002),
                  .local_port = 80,
                  .remote_port = 5000},
                 syn, Seq{kIss}, context_);
  tcp::configure(tcb_, {}, parameters_);
  tcp::promote(tcb_, half, context_);
  irs_ = syn.seq;
  taken_ = irs_ + 1;
  last_state_ = tcb_.state;
  establish();
}

void DrivenConnection::establish() {
  if (tcb_.state != State::syn_sent && tcb_.state != State::syn_received) return;
  Segment segment;
  const bool is_active = tcb_.state == State::syn_sent;
  segment.flags = is_active ? base::kSyn | base::kAck : base::kAck;
  segment.seq = is_active ? Seq{kPeerIss} : tcb_.rcv_nxt;
  segment.ack = tcb_.snd_max;
  segment.window = 0xffff;
  if (is_active) choose_options(segment);
  if (tcb_.timestamps) {
    segment.options.present |= TcpOptions::kTimestamps;
    segment.options.ts_value = tcb_.ts_recent;
  }
  arrive(segment, 0);
}

// --- the peer

// Near what it is added to: a few bytes or a few segments, before or behind.
std::uint32_t DrivenConnection::choose_distance() {
  const std::array<std::uint32_t, 5> units{0, 1, tcb_.snd_mss, 256, 1U << 16};
  const std::uint32_t unit = input_.pick(units);
  return unit == 0 ? 0 : unit * static_cast<std::uint32_t>(input_.small());
}

base::Seq DrivenConnection::choose_seq() {
  const std::array<Seq, 5> near{tcb_.rcv_nxt, tcb_.rcv_adv, tcb_.arrived, irs_, Seq{kPeerIss}};
  const Seq base = input_.pick(near);
  return base + choose_distance();
}

base::Seq DrivenConnection::choose_ack() {
  const std::array<Seq, 5> near{tcb_.snd_max, tcb_.snd_nxt, tcb_.snd_una, tcb_.snd_end, Seq{kIss}};
  const Seq base = input_.pick(near);
  return base + choose_distance();
}

void DrivenConnection::choose_options(Segment& segment) {
  const std::uint8_t chosen = input_.byte();
  TcpOptions& options = segment.options;
  // Where they were negotiated a segment has them unless the input says otherwise.
  if (tcb_.timestamps != ((chosen & 1) != 0)) {
    options.present |= TcpOptions::kTimestamps;
    options.ts_value = tcb_.ts_recent + ((chosen & 2) != 0 ? choose_distance() : 0);
    options.ts_echo = context_.timestamp - ((chosen & 4) != 0 ? choose_distance() : 0);
  }
  if ((chosen & 8) != 0) {
    options.sack_count = static_cast<std::uint8_t>(1 + input_.below(4));
    for (base::SackBlock& block : std::span{options.sack}.first(options.sack_count)) {
      block.left = choose_ack();
      block.right = block.left + choose_distance();
    }
  }
  if (!segment.has(base::kSyn)) return;
  const std::uint8_t of_syn = input_.byte();
  if ((of_syn & 1) != 0) {
    options.present |= TcpOptions::kMss;
    options.mss = input_.half();
  }
  if ((of_syn & 2) != 0) {
    options.present |= TcpOptions::kWindowScale;
    options.window_scale = input_.byte() % 20;
  }
  if ((of_syn & 4) != 0) options.present |= TcpOptions::kSackPermitted;
}

base::Segment DrivenConnection::choose_segment() {
  Segment segment;
  segment.flags = input_.byte();
  // What wire lets through.
  if (segment.flags == 0) segment.flags = base::kAck;
  if (segment.has(base::kSyn)) segment.flags &= static_cast<std::uint8_t>(~(1U | 4U));
  segment.seq = choose_seq();
  segment.ack = choose_ack();
  const std::array<std::uint16_t, 5> windows{0xffff, 0, 1, 1000, input_.half()};
  segment.window = input_.pick(windows);
  const std::uint8_t rare = input_.byte();
  segment.ecn = static_cast<base::Ecn>(rare & 3);
  if ((rare & 4) != 0) segment.urgent = input_.half();
  choose_options(segment);
  return segment;
}

void DrivenConnection::arrive(Segment segment, std::size_t length) {
  base::Packet packet;
  if (!cache_->allocate(packet)) return;  // a device without buffers loses it
  std::byte* const text = packet.data + kTextAt;
  length = std::min(length, cache_->data_room() - kTextAt);
  fill({text, length}, segment.seq + (segment.has(base::kSyn) ? 1 : 0));
  packet.length = static_cast<std::uint32_t>(kTextAt + length);
  segment.payload = {text, length};
  const bool was_unknown = tcb_.state == State::syn_sent;
  const tcp::Arrival arrival = tcp::segment_arrives(tcb_, segment, packet, context_);
  if (was_unknown && tcb_.state != State::syn_sent) {
    irs_ = segment.seq;
    taken_ = irs_ + 1;
  }
  see_edge();
  bool is_kept = arrival.packet_kept;
  if (!arrival.text.empty()) {
    const std::size_t took = stalls_ ? 0 : arrival.text.size();
    deliver(arrival.text.first(took));
    if (took < arrival.text.size()) {
      tcp::hold_text(tcb_, packet, arrival.text.subspan(took));
      is_kept = true;
    }
  }
  if (!is_kept) cache_->free(packet);
  if (arrival.text_queued && !stalls_) take(tcb_.receive_held);
  if (arrival.challenge) tcb_.ack_pending = true;
  HANDFAST_ASSERT(arrival.closed == (tcb_.state == State::closed));
  HANDFAST_ASSERT(arrival.time_wait == (tcb_.state == State::time_wait));
  after(false);
}

void DrivenConnection::icmp() {
  const Seq quoted = choose_ack();
  const std::uint16_t mtu = input_.half();
  if (input_.flag()) {
    (void)tcp::packet_too_big(tcb_, quoted, mtu, context_);
  } else {
    (void)tcp::icmp_error(tcb_, quoted, NetworkError::host_unreachable, (mtu & 1) != 0);
  }
  after(true);
}

// --- the application

void DrivenConnection::send(std::size_t length) {
  std::vector<std::byte> text(length);
  fill(text, tcb_.snd_end);
  const auto sent = tcp::send(tcb_, text, context_);
  if (sent) HANDFAST_ASSERT(*sent <= length);
}

void DrivenConnection::send_packet(std::size_t length) {
  base::Packet packet;
  if (!cache_->allocate_to_keep(packet)) return;
  length = std::min(length, cache_->data_room() - kTextAt);
  const std::span text{packet.data + kTextAt, length};
  fill(text, tcb_.snd_end);
  packet.length = static_cast<std::uint32_t>(kTextAt + length);
  if (!tcp::send(tcb_, packet, text, context_)) cache_->free(packet);
}

void DrivenConnection::deliver(std::span<const std::byte> text) {
  HANDFAST_ASSERT(is_right(text, taken_));
  taken_ += static_cast<std::uint32_t>(text.size());
}

void DrivenConnection::take(std::size_t bytes) {
  while (bytes > 0 && !tcb_.receive_queue.is_empty()) {
    tcp::QueuedPacket* const first = tcb_.receive_queue.front();
    const auto n = static_cast<std::uint32_t>(std::min<std::size_t>(bytes, first->length));
    deliver({first->text, n});
    tcb_.receive_held -= n;
    bytes -= n;
    first->text += n;
    first->length -= n;
    if (first->length == 0) cache_->free(tcb_.receive_queue.pop_front()->packet);
  }
}

void DrivenConnection::call() {
  switch (input_.below(10)) {
    case 0:
    case 1:
      send(input_.half());
      break;
    case 2:
      send_packet(input_.half());
      break;
    case 3:
      // In SYN-SENT it deletes the record: that is the caller's.
      if (tcb_.state != State::syn_sent) (void)tcp::close(tcb_);
      break;
    case 4:
      stalls_ = !stalls_;
      break;
    case 5:
      take(input_.half());
      break;
    case 6:
      tcb_.nagle = !tcb_.nagle;
      break;
    case 7:
      tcp::set_user_timeout(tcb_, std::uint32_t{input_.half()} << 4 | 1);
      break;
    case 8:
      tcp::set_keep_alive(tcb_, input_.byte(), context_);
      break;
    default:
      (void)tcp::set_congestion_control(tcb_, static_cast<CongestionControl>(input_.below(5)),
                                        context_);
      break;
  }
  after(true);
}

// Takes packets away from everyone, or gives some back.
void DrivenConnection::hog() {
  const std::size_t wanted = input_.below(kPackets + 1);
  while (hogged_.size() > wanted) {
    cache_->free(hogged_.back());
    hogged_.pop_back();
  }
  base::Packet packet;
  while (hogged_.size() < wanted && cache_->allocate(packet)) hogged_.push_back(packet);
  cache_->flush_freed();
  after(true);
}

}  // namespace handfast::fuzz
