#include "net/neighbours.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <tuple>

#include "base/assert.hpp"

namespace handfast::net {
namespace {

// Deadlines fall on ticks, so that many entries share one walk of the table.
Instant round_up_to_tick(Instant instant) {
  const std::int64_t tick = kNeighbourTick.count();
  return Instant::from_ns((instant.ns() + tick - 1) / tick * tick);
}

wire::LinkHeader link_header_to(const Interface& interface, const base::MacAddress& mac,
                                std::uint16_t ethertype) {
  return wire::make_link_header(mac, interface.mac(), interface.vlan(), ethertype);
}

}  // namespace

Neighbours::Neighbours(const Interface& interface, FrameSink& sink, base::LiveCounters& counters,
                       const base::HashSecret& secret)
    : interface_(&interface),
      sink_(&sink),
      counters_(&counters),
      secret_(secret),
      placeholder_v4_(link_header_to(interface, {}, wire::kEtherTypeIpv4)),
      placeholder_v6_(link_header_to(interface, {}, wire::kEtherTypeIpv6)),
      entries_(kNeighboursMax),
      slots_(kSlots),
      held_(kQueuedFramesTotalMax) {
  free_.reserve(kNeighboursMax);
}

Neighbours::~Neighbours() {
  for (Entry& entry : entries_) drop_held(entry);
}

// ---- Entries and their index ----

std::optional<NeighbourId> Neighbours::find_or_add(const Address& next_hop, Instant now) {
  if (const auto known = find(next_hop)) return known;
  const auto id = take_free_entry();
  if (!id) return std::nullopt;
  Entry& entry = entries_[*id];
  entry = Entry{};
  entry.state = State::unresolved;
  entry.address = next_hop;
  entry.last_used = now;
  arm(entry, now + kUnusedTime);
  insert_slot(*id);
  ++size_;
  return id;
}

void Neighbours::pin(NeighbourId id) {
  if (entries_[id].use_count++ == 0) ++pinned_;
}

void Neighbours::unpin(NeighbourId id) {
  HANDFAST_ASSERT(entries_[id].use_count > 0);
  if (--entries_[id].use_count == 0) --pinned_;
}

std::size_t Neighbours::home_slot(const Address& address) const {
  const auto words = std::bit_cast<std::array<std::uint64_t, 2>>(address.bytes());
  const std::uint64_t hash = base::fold_multiply(words[0] ^ secret_.a, words[1] ^ secret_.b);
  return hash & (kSlots - 1);
}

std::optional<NeighbourId> Neighbours::find(const Address& address) const {
  for (std::size_t slot = home_slot(address); slots_[slot] != 0; slot = (slot + 1) % kSlots) {
    const auto id = static_cast<NeighbourId>(slots_[slot] - 1);
    if (entries_[id].address == address) return id;
  }
  return std::nullopt;
}

void Neighbours::insert_slot(NeighbourId id) {
  std::size_t slot = home_slot(entries_[id].address);
  while (slots_[slot] != 0) slot = (slot + 1) % kSlots;
  slots_[slot] = static_cast<std::uint16_t>(id + 1);
}

// Closes the gap by moving up those behind it that probed past it, so that no tombstone is left.
void Neighbours::erase_slot(NeighbourId id) {
  std::size_t gap = home_slot(entries_[id].address);
  while (slots_[gap] != id + 1) gap = (gap + 1) % kSlots;
  for (std::size_t slot = (gap + 1) % kSlots; slots_[slot] != 0; slot = (slot + 1) % kSlots) {
    const std::size_t home = home_slot(entries_[slots_[slot] - 1U].address);
    const std::size_t probed = (slot + kSlots - home) % kSlots;
    const std::size_t past_gap = (slot + kSlots - gap) % kSlots;
    if (probed < past_gap) continue;
    slots_[gap] = slots_[slot];
    gap = slot;
  }
  slots_[gap] = 0;
}

std::optional<NeighbourId> Neighbours::take_free_entry() {
  if (free_.empty()) {
    if (touched_ < kNeighboursMax) return static_cast<NeighbourId>(touched_++);
    const auto victim = choose_victim();
    if (!victim) return std::nullopt;
    remove(*victim);
  }
  const NeighbourId id = free_.back();
  free_.pop_back();
  return id;
}

std::optional<NeighbourId> Neighbours::choose_victim() {
  if (pinned_ == kNeighboursMax) return std::nullopt;
  std::optional<NeighbourId> victim;
  for (std::size_t seen = 0; seen < kEvictionWindow || !victim; ++seen) {
    const auto id = static_cast<NeighbourId>(hand_);
    hand_ = (hand_ + 1) % kNeighboursMax;
    if (entries_[id].use_count > 0) continue;
    if (!victim || gives_way_before(entries_[id], entries_[*victim])) victim = id;
  }
  return victim;
}

bool Neighbours::gives_way_before(const Entry& a, const Entry& b) {
  return std::tuple{a.has_link_address(), a.last_used} <
         std::tuple{b.has_link_address(), b.last_used};
}

void Neighbours::remove(NeighbourId id) {
  Entry& entry = entries_[id];
  HANDFAST_ASSERT(entry.use_count == 0);
  drop_held(entry);
  if (entry.failure_untold) --untold_failures_;
  erase_slot(id);
  entry = Entry{};
  free_.push_back(id);
  --size_;
  ++removals_;
}

// ---- The state machine ----

const wire::LinkHeader* Neighbours::unconfirmed_header(Entry& entry, Instant now) {
  if (entry.state == State::stale) ask(entry, State::probe, now);
  return entry.has_link_address() ? &entry.header : nullptr;
}

void Neighbours::ask(Entry& entry, State next, Instant now) {
  entry.state = next;
  entry.requests_sent = 0;
  ask_again(entry, now);
}

void Neighbours::ask_again(Entry& entry, Instant now) {
  ++entry.requests_sent;
  arm(entry, now + kRequestInterval);
  entry.address.is_v4() ? send_request(entry) : solicit(entry);
}

void Neighbours::become_reachable(Entry& entry, const base::MacAddress& mac, Instant now) {
  entry.state = State::reachable;
  arm(entry, now + kReachableTime);
  take_link_address(entry, mac);
}

void Neighbours::become_stale(Entry& entry, const base::MacAddress& mac, Instant now) {
  entry.state = State::stale;
  arm(entry, now + kUnusedTime);
  take_link_address(entry, mac);
}

void Neighbours::take_link_address(Entry& entry, const base::MacAddress& mac) {
  entry.mac = mac;
  entry.is_silent = false;
  entry.header = link_header_to(
      *interface_, mac, entry.address.is_v4() ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6);
  while (entry.held.count > 0) send_to(entry, held_.take_oldest(entry.held));
}

// RFC 4861 section 7.3.3: what probes could not confirm is forgotten, and traffic starts
// resolution anew, by broadcast or multicast.
void Neighbours::forget_link_address(Entry& entry, Instant now) {
  entry.state = State::unresolved;
  arm(entry, now + kUnusedTime);
}

void Neighbours::fail(Entry& entry, Instant now) {
  entry.state = State::failed;
  entry.is_silent = true;
  arm(entry, now + kFailureHoldOff);
  drop_held(entry);
  ++counters_->neighbour_unreachable;
  if (entry.use_count > 0 && !entry.failure_untold) {
    entry.failure_untold = true;
    ++untold_failures_;
  }
}

void Neighbours::expire_if_unused(NeighbourId id, Instant now) {
  Entry& entry = entries_[id];
  if (entry.use_count > 0) {
    arm(entry, now + kUnusedTime);
  } else if (now - entry.last_used < kUnusedTime) {
    arm(entry, entry.last_used + kUnusedTime);
  } else {
    remove(id);
  }
}

void Neighbours::on_deadline(NeighbourId id, Instant now) {
  Entry& entry = entries_[id];
  switch (entry.state) {
    case State::free:
      break;
    case State::incomplete:
      entry.requests_sent < kRequestsMax ? ask_again(entry, now) : fail(entry, now);
      break;
    case State::probe:
      entry.requests_sent < kProbesMax ? ask_again(entry, now) : forget_link_address(entry, now);
      break;
    case State::reachable:
      entry.state = State::stale;
      expire_if_unused(id, now);
      break;
    case State::failed:
      entry.state = State::unresolved;
      expire_if_unused(id, now);
      break;
    case State::unresolved:
    case State::stale:
      expire_if_unused(id, now);
      break;
  }
}

void Neighbours::arm(Entry& entry, Instant deadline) {
  entry.deadline = round_up_to_tick(deadline);
  next_deadline_ = std::min(next_deadline_, entry.deadline);
}

void Neighbours::advance(Instant now) {
  if (now < next_deadline_) return;
  next_deadline_ = Instant::never();
  for (std::size_t i = 0; i < touched_; ++i) {
    if (entries_[i].deadline <= now) on_deadline(static_cast<NeighbourId>(i), now);
    next_deadline_ = std::min(next_deadline_, entries_[i].deadline);
  }
}

// ---- Frames waiting for a link address ----

void Neighbours::queue(NeighbourId id, const base::Packet& frame, Instant now) {
  Entry& entry = entries_[id];
  entry.last_used = now;
  if (entry.has_link_address()) return send_to(entry, frame);
  if (entry.state == State::failed) return drop(frame);
  hold(entry, frame);
  if (entry.state == State::unresolved) ask(entry, State::incomplete, now);
}

void Neighbours::hold(Entry& entry, const base::Packet& frame) {
  const bool is_full =
      entry.held.count == kQueuedFramesMax || held_.size() == kQueuedFramesTotalMax;
  if (is_full && entry.held.count > 0) drop(held_.take_oldest(entry.held));
  if (!held_.append(entry.held, frame)) drop(frame);
}

void Neighbours::drop(const base::Packet& frame) {
  ++counters_->neighbour_queue_dropped;
  sink_->free(frame);
}

void Neighbours::drop_held(Entry& entry) {
  while (entry.held.count > 0) drop(held_.take_oldest(entry.held));
}

bool Neighbours::allocate(base::Packet& out) {
  if (sink_->allocate(out)) return true;
  ++counters_->no_packet_buffer;
  return false;
}

void Neighbours::send_to(const Entry& entry, const base::Packet& frame) {
  std::memcpy(frame.data, entry.mac.data(), entry.mac.size());
  sink_->send(frame);
}

}  // namespace handfast::net
