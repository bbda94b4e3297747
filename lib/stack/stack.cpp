// Making a stack, its clockwork, and the calls that concern the whole of it.

#include "stack/stack.hpp"

#include <algorithm>
#include <new>

#include "base/memory_refused.hpp"
#include "tcp/syn_cookie.hpp"

namespace handfast::stack {

using tcp::Tick;

namespace {

std::unexpected<std::string> no_memory() {
  return std::unexpected(base::memory_refused(
      "the system refused the memory for the stack's tables; lower max_connections, "
      "max_half_open or max_time_wait"));
}

}  // namespace

std::expected<std::unique_ptr<Stack>, std::string> Stack::create(const StackConfig& config,
                                                                 const StackPlace& place,
                                                                 const base::DeviceInfo& device,
                                                                 base::PacketPool& pool,
                                                                 HandOver* hand_over) {
  // The configuration's lists are copied, and the sentences of its errors made, as the standard
  // library does it: by throwing when there is no memory.
  try {
    if (auto checked = config.check(); !checked) return std::unexpected(checked.error());
    auto interface = net::Interface::create(config.interface, device);
    if (!interface) return std::unexpected(interface.error());
    std::unique_ptr<Stack> stack{new Stack(config, place, *interface, device, pool, hand_over)};
    if (!stack->reserve(Instant{}) || !stack->populate()) return no_memory();
    stack->begin_control();
    return stack;
  } catch (const std::bad_alloc&) {
    return no_memory();
  }
}

namespace {

tcp::Parameters parameters_of(const StackConfig& config, const base::DeviceInfo& device,
                              const base::SipKey& isn_key) {
  // RFC 7323 section 5.4: an offset that tells nobody how long we have been up. The same for all
  // workers, so that a flow's timestamps do not depend on who owns it.
  const auto offset = static_cast<std::uint32_t>(base::siphash(isn_key, 0, 0));
  auto parameters = tcp::Parameters::from(config, offset);
  constexpr std::uint32_t kHeadersMax = 40 + 60;  // IPv6, and TCP with all options
  if (device.tso_bytes_max > kHeadersMax && device.offload_tcp_checksum) {
    parameters.large_text_max = device.tso_bytes_max - kHeadersMax;
    parameters.large_packets_max = device.frame_packets_max;
  }
  return parameters;
}

// RFC 4861 section 6.3.7, RFC 4862 section 5.4.2: hosts that start together do not ask together.
// The same for all workers of a port.
Duration up_to_a_second(const base::SipKey& key, std::uint64_t what) {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  return Duration{static_cast<std::int64_t>(base::siphash(key, what, 0) % kSecond)};
}

}  // namespace

Stack::Stack(const StackConfig& config, const StackPlace& place, const net::Interface& interface,
             const base::DeviceInfo& device, base::PacketPool& pool, HandOver* hand_over)
    : place_(place),
      hand_over_(hand_over),
      interface_(interface),
      device_(device),
      link_filter_(interface.link_filter()),
      parameters_(parameters_of(config, device, place.isn_key)),
      packets_(pool),
      context_{.parameters = parameters_,
               .packets = packets_,
               .counters = counters_,
               .transfers = transfers_,
               .now = {}},
      worker_(*this),
      time_waits_(place.flow_secret),
      neighbours_(interface_, *this, counters_, place.flow_secret),
      icmp_(interface_),
      icmp_errors_(interface_, counters_),
      routers_(interface_, neighbours_, *this, counters_, place.queue == 0,
               up_to_a_second(place.isn_key, 2)),
      duplicates_(interface_, *this, counters_, config.interface.duplicate_detection,
                  place.queue == 0, up_to_a_second(place.isn_key, 3)),
      group_reports_(interface_, *this, counters_, config.interface.listener_reports,
                     place.queue == 0, base::siphash(place.isn_key, 4, place.queue)),
      config_(config),
      time_wait_ms_(static_cast<std::uint32_t>(2 * config.msl / std::chrono::milliseconds(1))),
      syn_cookie_key_(tcp::syn_cookie_key(place.isn_key)) {}

bool Stack::reserve(Instant now) {
  const std::uint32_t records = config_.max_connections + config_.max_half_open;
  set_time(now);
  return connections_.reserve(config_.max_connections) &&
         transfers_.reserve(config_.max_connections) &&
         half_opens_.reserve(config_.max_half_open) && time_waits_.reserve(config_.max_time_wait) &&
         flows_.reserve(std::size_t{records} + config_.max_time_wait) &&
         listeners_.reserve(config_.max_listeners) &&
         listener_handlers_.reserve(config_.max_listeners) &&
         ports_.reserve(config_.first_port, config_.last_port,
                        base::siphash(place_.isn_key, 1, place_.queue)) &&
         wheel_.reserve(2 * records, timer::tick_at_or_before(now)) && pending_.reserve(records) &&
         starved_.reserve(config_.max_connections) &&
         challenge_acks_.reserve(records, place_.isn_key);
}

// The timers' and the half-open records' memory is left to be touched: of it few pages are used.
bool Stack::populate() {
  const bool is_v6 = !config_.interface.addresses.front().network.is_v4();
  return (!config_.prefault || (flows_.populate() && connections_.populate())) &&
         time_waits_.populate(is_v6, config_.prefault_time_wait);
}

Stack::~Stack() {
  for (std::uint32_t i = 0; i < connections_.touched(); ++i) {
    if (connections_.is_in_use(i)) release_connection(i);
  }
  for (const base::Packet& packet : frames()) packets_.free(packet);
}

void Stack::set_time(Instant now) {
  context_.set_time(now);
}

void Stack::advance(Instant now) {
  const base::StageScope scope(stages_, Stage::timers);
  set_time(now);
  wheel_.advance(
      timer::tick_at_or_before(now),
      [this](std::uint32_t id) -> base::TimerNode& { return timer_node(id); },
      [this](std::uint32_t id) {
        if (id < connections_.capacity()) {
          connection_timer(id);
        } else {
          half_open_timer(id - connections_.capacity());
        }
      },
      kTimersPerTurn);
  expire_time_waits();
  if (neighbours_.next_deadline() <= now) {
    neighbours_.advance(now);
    // A next hop that does not answer is a soft error: connections give up by their own timeouts.
    neighbours_.take_failed([](net::NeighbourId) {});
    if (routers_.is_on() && routers_.choose_again()) use_advertised();
  }
  if (control_deadline_ <= now) advance_control();
}

void Stack::expire_time_waits() {
  if (time_waits_.size() == 0) return;
  const std::size_t expired = time_waits_.expire(
      now_ms(),
      [this](std::uint32_t index, std::uint64_t hash) {
        ++counters_.time_wait_kept;
        flows_.erase(hash, RecordRef{RecordKind::time_wait, index}.raw());
      },
      [this](std::uint32_t from, std::uint32_t to, std::uint64_t hash) {
        flows_.replace(hash, RecordRef{RecordKind::time_wait, from}.raw(),
                       RecordRef{RecordKind::time_wait, to}.raw());
      },
      kTimeWaitsPerTurn);
  // They end as they came, many in a row: the buckets of the next turn's are fetched now.
  constexpr std::size_t kAhead = 32;
  if (expired == 0) return;
  time_waits_.prefetch_expiring(kAhead, [this](std::uint64_t hash) { flows_.prefetch(hash); });
}

Instant Stack::next_deadline() const {
  const Instant now = context_.now;
  if (has_output() || ready_count() != 0) return now;
  Instant next = std::min(neighbours_.next_deadline(), control_deadline_);
  if (const Tick tick = wheel_.next_deadline(); tick != base::kNoTick) {
    const auto ahead = static_cast<std::int32_t>(tick - timer::tick_at_or_before(now));
    const std::int64_t at = ((now.ns() >> base::kTickShift) + ahead) << base::kTickShift;
    next = std::min(next, std::max(now, Instant::from_ns(at)));
  }
  if (const auto ms = time_waits_.ms_to_next(now_ms())) {
    const std::int64_t at = (now.ns() / 1'000'000 + *ms) * 1'000'000;
    next = std::min(next, std::max(now, Instant::from_ns(at)));
  }
  // Packets come back to the pool without a word: who waits for them looks now and then.
  constexpr auto kLookForPackets = std::chrono::milliseconds(1);
  if (!starved_.is_empty()) next = std::min(next, now + kLookForPackets);
  return next;
}

void Stack::learn_neighbour(const Address& address, const base::MacAddress& mac) {
  neighbours_.learn(address, mac, context_.now, false);
}

std::expected<void, Error> Stack::listen(const Endpoint& local, void* handler,
                                         const HandlerTable& events,
                                         const ConnectionOptions& options) {
  if (stopped_) return std::unexpected(Error::wrong_state);
  const Address& address = local.address;
  if (local.port == 0 || address.is_multicast() || interface_.is_broadcast(address)) {
    return std::unexpected(Error::invalid_address);
  }
  if (!address.is_unspecified() && !interface_.is_ours(address)) {
    return std::unexpected(Error::not_our_address);
  }
  if (!options.check()) return std::unexpected(Error::invalid_option);
  const auto table = event_tables_.number_of(events);
  if (!table) return std::unexpected(Error::too_many_handlers);
  const auto id = listeners_.add(local);
  if (!id) return std::unexpected(id.error());
  listener_handlers_[*id] = {.handler = handler, .events = *table, .options = options};
  count_half_opens();
  return {};
}

void Stack::stop_listening(const Endpoint& local) {
  listeners_.remove(local);
  count_half_opens();
}

void Stack::stop(Instant now) {
  set_time(now);
  stopped_ = true;
  for (std::uint32_t i = 0; i < half_opens_.touched(); ++i) {
    if (!half_opens_.is_in_use(i)) continue;
    base::Segment rst;
    rst.seq = half_opens_[i].iss + 1;
    rst.flags = base::kRst;
    emit_reply(half_opens_[i].key, rst);
    drop_half_open(i);
  }
  for (std::uint32_t i = 0; i < connections_.touched(); ++i) {
    if (connections_.is_in_use(i)) abort(i, CloseReason::stopped);
  }
}

void Stack::end_all(CloseReason reason) {
  for (std::uint32_t i = 0; i < connections_.touched(); ++i) {
    if (connections_.is_in_use(i)) end(i, reason);
  }
}

StateCounts Stack::state_counts() const {
  StateCounts counts{};
  const auto at = [&counts](State state) -> std::uint64_t& {
    return counts[static_cast<std::size_t>(state)];
  };
  at(State::listen) = listeners_.size();
  at(State::syn_received) = half_opens_.in_use();
  at(State::time_wait) = time_waits_.size();
  for (std::uint32_t i = 0; i < connections_.touched(); ++i) {
    // A detached record only waits for its handler; its TIME-WAIT is counted above.
    if (!connections_.is_in_use(i) || connections_[i].detached) continue;
    ++at(connections_[i].state);
  }
  return counts;
}

Connection Stack::next_connection(const Connection& previous) {
  std::uint32_t i = previous == Connection{} ? 0 : previous.index_ + 1;
  for (; i < connections_.touched(); ++i) {
    const tcp::Tcb& tcb = connections_[i];
    if (connections_.is_in_use(i) && tcb.announced && !tcb.aborted && !tcb.ended) {
      return reference(i);
    }
  }
  return {};
}

base::Packet* Stack::make_place_in_ready() {
  if (ready_first_ == 0) return nullptr;
  std::move(ready_.begin() + static_cast<std::ptrdiff_t>(ready_first_), ready_.end(),
            ready_.begin());
  ready_end_ -= ready_first_;
  ready_first_ = 0;
  return &ready_[ready_end_];
}

bool Stack::put(const base::Packet& frame) {
  base::Packet* const place = place_in_ready();
  if (place == nullptr) {
    ++counters_.answers_dropped;
    packets_.free(frame);
    return false;
  }
  *place = frame;
  ++ready_end_;
  return true;
}

// net::FrameSink.
void Stack::send(const base::Packet& frame) {
  put(frame);
}

bool Stack::allocate(base::Packet& out) {
  return packets_.allocate(out);
}

void Stack::free(const base::Packet& frame) {
  packets_.free(frame);
}

void Stack::sent(std::size_t n) {
  ++counters_.bursts_sent;
  if (n < ready_count()) ++counters_.device_full;
  for (std::size_t i = ready_first_; i < ready_first_ + n; ++i) {
    counters_.bytes_sent += ready_[i].length;
    counters_.frames_sent += (ready_[i].flags & base::kContinues) == 0;
  }
  ready_first_ += n;
  if (ready_first_ == ready_end_) ready_first_ = ready_end_ = 0;
}

}  // namespace handfast::stack
