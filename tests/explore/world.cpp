#include "tests/explore/world.hpp"

#include <algorithm>

#include "tests/explore/host_image.hpp"

namespace handfast::explore {

namespace {

constexpr base::Tick kFirstTick = 100'000;
// A reader reads what waits by then, or the sender would probe its window for ever.
constexpr Duration kReaderWaitsMax = std::chrono::seconds(1);
// Far more than all timers of an exchange together.
constexpr Duration kAgeMax = std::chrono::hours(1);
// Far more than any exchange that ends takes without time passing.
constexpr std::uint8_t kArrivalsMax = 120;

StackConfig config_of(const Setting& setting) {
  StackConfig config;
  config.timestamps = setting.timestamps;
  config.window_scaling = setting.scenario->window_scaling;
  config.receive_buffer = config.receive_buffer_max = setting.scenario->receive_buffer;
  if (config.window_scaling) config.receive_buffer_max = 100'000;  // for a scale of 1
  config.congestion_control = CongestionControl::new_reno;
  config.nagle = false;
  return config;
}

bool is_before(const Flight& a, const Flight& b) {
  return std::memcmp(&a, &b, sizeof(Flight)) < 0;
}

}  // namespace

World::World(const Setting& setting)
    : setting_(setting),
      parameters_(tcp::Parameters::from(config_of(setting), 0)),
      rules_{.scenario = setting.scenario,
             .without = setting.without,
             .parameters = &parameters_,
             .msl = base::ticks_in(StackConfig{}.msl),
             .looked_for = faults_looked_for(setting.without)},
      a_(0, rules_),
      b_(1, rules_) {}

Duration World::elapsed() const {
  return Duration(std::int64_t{tick_ - kFirstTick} << base::kTickShift);
}

void World::begin() {
  a_.clear();
  b_.clear();
  network_.clear();
  left_ = setting_.budget;
  arrivals_ = 0;
  tick_ = kFirstTick;
  if (setting_.scenario->old_syn) {
    Flight syn{.seq = rules_.old_iss().raw(), .window = 32'768, .flags = base::kSyn};
    syn.options = base::TcpOptions::kMss | base::TcpOptions::kSackPermitted;
    syn.mss = 1460;
    make_stray(0, syn);
  }
  open_as_asked();
  for (const Forged& forged : setting_.scenario->forged) {
    Flight flight{.seq = forged.seq, .ack = forged.ack, .window = 1000, .flags = forged.flags};
    if (forged.has_text) flight.text[flight.text_length++] = '!';
    make_stray(forged.end, flight);
  }
}

void World::open_as_asked() {
  if (setting_.scenario->begin == Begin::closed) return;
  begin_turn(0).open();
  if (setting_.scenario->begin == Begin::both_open) {
    begin_turn(1).open();
    return;
  }
  while (network_.has_queued()) {
    for (std::uint8_t end = 0; end < kEnds; ++end) {
      if (!network_.queue[end].is_empty()) act({Move::deliver, end, 0});
    }
  }
  arrivals_ = 0;
}

// --- images

void World::store(Image& image) const {
  image.clear();
  image.put(std::array<std::uint8_t, 8>{left_.losses, left_.duplicates, left_.reorderings,
                                        arrivals_,
                                        static_cast<std::uint8_t>(network_.queue[0].size()),
                                        static_cast<std::uint8_t>(network_.queue[1].size()),
                                        static_cast<std::uint8_t>(network_.strays[0].size()),
                                        static_cast<std::uint8_t>(network_.strays[1].size())});
  image.put(std::array<std::uint32_t, 2>{tick_, left_.bursts});
  for (const auto& list : network_.queue) {
    for (const Flight& flight : list) image.put(flight);
  }
  for (const auto& list : network_.strays) {
    for (const Flight& flight : list) image.put(flight);
  }
  HostImage::store(a_, image);
  HostImage::store(b_, image);
}

void World::load(const Image& image) {
  ImageReader from(image);
  const auto head = from.take<std::array<std::uint8_t, 8>>();
  left_ = {.losses = head[0], .duplicates = head[1], .reorderings = head[2]};
  arrivals_ = head[3];
  const auto [tick, bursts] = from.take<std::array<std::uint32_t, 2>>();
  tick_ = tick;
  left_.bursts = static_cast<std::uint8_t>(bursts);
  network_.clear();
  for (std::size_t end = 0; end < kEnds; ++end) {
    for (int n = head[4 + end]; n > 0; --n) network_.queue[end].push(from.take<Flight>());
  }
  for (std::size_t end = 0; end < kEnds; ++end) {
    for (int n = head[6 + end]; n > 0; --n) network_.strays[end].push(from.take<Flight>());
  }
  HostImage::load(a_, from);
  HostImage::load(b_, from);
  HANDFAST_ASSERT(from.is_at_end());
}

// --- what can happen

void World::list_actions(Actions& out) const {
  out.clear();
  for (std::uint8_t end = 0; end < kEnds; ++end) {
    if (!network_.queue[end].is_empty()) {
      out.push({Move::deliver, end, 0});
      list_faults_of_network(end, out);
    }
    const auto& strays = network_.strays[end];
    for (std::uint8_t i = 0; i < strays.size(); ++i) {
      if (i > 0 && strays[i] == strays[i - 1]) continue;
      out.push({Move::deliver_late, end, i});
      if (left_.duplicates > 0) out.push({Move::duplicate_late, end, i});
    }
  }
  for (std::uint8_t end = 0; end < kEnds; ++end) {
    if (host(end).may_call()) out.push({Move::call, end, 0});
    if (host(end).owes_output()) out.push({Move::end_burst, end, 0});
  }
  const bool is_quiet = !network_.has_queued() && !a_.owes_output() && !b_.owes_output();
  const bool must_read = (a_.may_read() || b_.may_read()) && elapsed() >= kReaderWaitsMax;
  if (is_quiet && !must_read) list_time(out);
}

void World::list_faults_of_network(std::size_t sender, Actions& out) const {
  const auto end = static_cast<std::uint8_t>(sender);
  if (left_.losses > 0) out.push({Move::lose, end, 0});
  const bool is_told = setting_.scenario->icmp != Icmp::nothing;
  if (left_.losses > 0 && is_told) out.push({Move::lose_and_tell, end, 0});
  if (left_.duplicates > 0) out.push({Move::duplicate, end, 0});
  if (left_.reorderings > 0) out.push({Move::hold_back, end, 0});
  const bool may_join = host(1 - sender).books().kind == RecordKind::connection;
  if (left_.bursts > 0 && may_join) out.push({Move::join, end, 0});
}

base::Tick World::next_expiry() const {
  base::Tick next = base::kNoTick;
  for (const auto& list : network_.strays) {
    for (const Flight& flight : list) next = base::earlier_of(next, flight.dies);
  }
  return next;
}

// Two timers of one tick run out in either order.
void World::list_time(Actions& out) const {
  const base::Tick expiry = next_expiry();
  const base::Tick timer = base::earlier_of(a_.deadline(), b_.deadline());
  if (expiry != base::kNoTick && base::earlier_of(expiry, timer) == expiry) {
    out.push({Move::expire, 0, 0});
    return;
  }
  for (std::uint8_t end = 0; end < kEnds; ++end) {
    if (timer != base::kNoTick && host(end).deadline() == timer) out.push({Move::timer, end, 0});
  }
}

// --- and happens

Host& World::begin_turn(std::size_t end) {
  host(end).begin(now(), network_.queue[end], host(1 - end));
  return host(end);
}

void World::act(const Action& action) {
  auto& queue = network_.queue[action.end];
  auto& strays = network_.strays[action.end];
  switch (action.move) {
    case Move::deliver:
      return deliver(action.end, queue.take(0));
    case Move::lose:
      --left_.losses;
      queue.take(0);
      return;
    case Move::lose_and_tell:
      --left_.losses;
      return begin_turn(action.end).hear_of_loss(queue.take(0));
    case Move::duplicate:
      --left_.duplicates;
      make_stray(action.end, queue[0]);
      return deliver(action.end, queue.take(0));
    case Move::hold_back:
      --left_.reorderings;
      return make_stray(action.end, queue.take(0));
    case Move::join:
      --left_.bursts;
      return begin_turn(1 - action.end).arrive_in_burst(queue.take(0));
    case Move::end_burst:
      return begin_turn(action.end).output();
    case Move::deliver_late:
      return deliver(action.end, strays.take(action.index));
    case Move::duplicate_late:
      --left_.duplicates;
      return deliver(action.end, strays[action.index]);
    case Move::call:
      return begin_turn(action.end).call();
    case Move::timer:
      tick_ = std::max(tick_, host(action.end).deadline());
      arrivals_ = 0;
      return begin_turn(action.end).timer();
    case Move::expire:
      tick_ = std::max(tick_, next_expiry());
      arrivals_ = 0;
      return expire();
  }
}

void World::deliver(std::size_t sender, const Flight& flight) {
  if (arrivals_ < kArrivalsMax) ++arrivals_;
  Flight arrived = flight;
  arrived.dies = base::kNoTick;
  begin_turn(1 - sender).arrive(arrived);
}

// Strays have no order among themselves.
void World::make_stray(std::size_t sender, Flight flight) {
  flight.dies = tick_ + rules_.msl;
  auto& strays = network_.strays[sender];
  strays.push(flight);
  std::sort(strays.begin(), strays.end(), is_before);
}

void World::expire() {
  for (auto& list : network_.strays) {
    for (std::size_t i = list.size(); i > 0; --i) {
      if (base::is_due(list[i - 1].dies, tick_)) list.take(i - 1);
    }
  }
}

// --- what must hold

// While both have a record of the connection, each has acknowledged what it has, the other has sent
// what is acknowledged, and knows of no more room than there is.
bool World::has_disagreement() const {
  const auto is_open = [](const Host& host) {
    return host.books().kind == RecordKind::connection && host.tcb().is_synchronized();
  };
  if (!is_open(a_) || !is_open(b_)) return false;
  const auto differs = [](const Host& from, const Host& to) {
    if (from.books().iss != to.books().irs) return true;
    const tcp::Tcb& sender = from.tcb();
    const base::Seq taken = to.tcb().rcv_nxt;
    if (sender.snd_una.is_after(taken) || taken.is_after(sender.snd_max)) return true;
    // Nor may it believe in a window that was never offered.
    return (sender.snd_una + sender.snd_wnd).is_after(to.tcb().rcv_adv);
  };
  return differs(a_, b_) || differs(b_, a_);
}

bool World::is_done() const {
  for (std::size_t end = 0; end < kEnds; ++end) {
    const Host& here = host(end);
    if (here.books().kind != RecordKind::none) return false;
    if (!here.listens() && !here.is_script_done()) return false;
  }
  return true;
}

Fault World::fault_at_end() const {
  if (is_done()) {
    for (std::size_t end = 0; end < kEnds; ++end) {
      if (host(end).books().announced != host(end).books().closed) return Fault::not_closed_once;
    }
    return Fault::none;
  }
  const bool a_has = a_.books().kind != RecordKind::none;
  const bool b_has = b_.books().kind != RecordKind::none;
  return a_has != b_has ? Fault::half_open_stays : Fault::deadlock;
}

Fault World::fault(bool is_at_end) const {
  for (std::size_t end = 0; end < kEnds; ++end) {
    if (host(end).books().fault != Fault::none) return host(end).books().fault;
  }
  const auto looked_for = [this](Fault fault) { return rules_.looked_for.has(fault); };
  const bool goes_on = arrivals_ >= kArrivalsMax || elapsed() > kAgeMax;
  if (goes_on && looked_for(Fault::livelock)) return Fault::livelock;
  if (looked_for(Fault::disagreement) && has_disagreement()) return Fault::disagreement;
  if (!is_at_end) return Fault::none;
  const Fault fault = fault_at_end();
  return looked_for(fault) ? fault : Fault::none;
}

}  // namespace handfast::explore
