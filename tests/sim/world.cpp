#include "tests/sim/world.hpp"

#include <algorithm>
#include <cstdio>

#include "base/assert.hpp"
#include "base/random.hpp"

namespace handfast::sim {
namespace {

base::MacAddress mac_of(std::size_t host) {
  return {
      0x02, 0x48, 0x46, 0, static_cast<std::uint8_t>(host >> 8), static_cast<std::uint8_t>(host)};
}

stack::StackPlace place_of(std::size_t host, std::uint64_t seed) {
  stack::StackPlace place;
  place.worker = static_cast<unsigned>(host);
  place.queue = 0;
  place.queues = 1;
  place.flow_secret = {base::split_mix(seed), base::split_mix(seed)};
  place.isn_key = {base::split_mix(seed), base::split_mix(seed)};
  return place;
}

}  // namespace

World::World(const drivers::LinkConfig& link, Duration poll_interval)
    : poll_interval_(poll_interval), link_(link) {}

World::~World() {
  shut_down();
}

std::size_t World::add_host(const HostConfig& config) {
  const std::size_t index = hosts_.size();
  Host& host = *hosts_.emplace_back(std::make_unique<Host>(config));
  drivers::LinkPort& port =
      link_.add_port(host.pool, {.mac = mac_of(index), .mtu = config.mtu}, config.offloads);
  host.device = &port;
  if (config.impair) {
    host.impaired = std::make_unique<drivers::ImpairDevice>(port, *config.impair);
    host.device = host.impaired.get();
  }
  if (config.wrap) {
    host.wrapped = config.wrap(*host.device);
    host.device = host.wrapped.get();
  }
  StackConfig settings = config.stack;
  if (!settings.seed) settings.seed = config.seed;
  auto stack = stack::Stack::create(settings, place_of(index, config.seed), host.device->info(),
                                    host.device->pool(), nullptr);
  if (!stack) std::fprintf(stderr, "host %zu: %s\n", index, stack.error().c_str());
  HANDFAST_ASSERT(stack.has_value());
  host.stack = std::move(*stack);
  host.pump = std::make_unique<stack::Pump>(*host.stack, *host.device);
  host.turn(now_);
  return index;
}

bool World::run_until(const std::function<bool()>& condition, Duration limit) {
  const Instant end = now_ + limit;
  turn_all();  // what was asked of the stacks since the last run
  settle();
  bool is_over = condition();
  while (!is_over && advance(end)) {
    settle();
    is_over = condition();
  }
  turn_all();
  return is_over;
}

void World::run_for(Duration duration) {
  const Instant end = now_ + duration;
  run_until([] { return false; }, duration);
  now_ = end;
  turn_all();
}

void World::turn_all() {
  for (const auto& host : hosts_) host->turn(now_);
}

void World::settle() {
  int idle_turns = 0;
  for (bool is_due = true; is_due;) {
    is_due = false;
    for (const auto& host : hosts_) {
      if (host->next_event() > now_) continue;
      is_due = true;
      idle_turns = host->turn(now_) > 0 ? 0 : idle_turns + 1;
      HANDFAST_ASSERT(idle_turns < kIdleTurnsMax);  // it says that it is due, and does nothing
    }
  }
}

bool World::advance(Instant until) {
  const Instant next = next_event();
  if (next.is_never() || next > until) return false;
  now_ = std::min(until, std::max(next, now_ + poll_interval_));
  return true;
}

Instant World::next_event() const {
  Instant earliest = Instant::never();
  for (const auto& host : hosts_) earliest = std::min(earliest, host->next_event());
  return earliest;
}

Instant World::Host::next_event() const {
  return std::min(device->next_arrival(), stack->next_deadline());
}

std::size_t World::Host::turn(Instant now) {
  return pump->turn(now, [this] {
    if (on_turn) on_turn(stack->worker());
  });
}

std::size_t World::shut_down() {
  std::size_t missing = 0;
  for (const auto& host : hosts_) {
    host->pump.reset();
    host->stack.reset();
    host->wrapped.reset();
    host->impaired.reset();
    missing += host->pool.outstanding();
  }
  return missing;
}

}  // namespace handfast::sim
