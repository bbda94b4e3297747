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

// What a host with a clock of its own is attached to: the world's devices keep the world's time.
class ClockedDevice final : public base::Device {
 public:
  ClockedDevice(base::Device& inner, const Instant& world_now)
      : inner_(inner), world_now_(world_now) {}
  const base::DeviceInfo& info() const override { return inner_.info(); }
  base::PacketPool& pool() override { return inner_.pool(); }
  std::size_t receive(Instant, std::span<base::Packet> out) override {
    return inner_.receive(world_now_, out);
  }
  std::size_t send(Instant, std::span<const base::Packet> frames) override {
    return inner_.send(world_now_, frames);
  }
  Instant next_arrival() const override { return inner_.next_arrival(); }

 private:
  base::Device& inner_;
  const Instant& world_now_;
};

constexpr std::int64_t kMillion = 1'000'000;

// `ns * numerator / denominator`, rounded down.
std::int64_t scale(std::int64_t ns, std::int64_t numerator, std::int64_t denominator) {
  __extension__ using Wide = __int128;
  return static_cast<std::int64_t>(Wide{ns} * numerator / denominator);
}

}  // namespace

Instant HostClock::local(Instant world) const {
  const std::int64_t drift = scale(world.ns(), parts_per_million, kMillion);
  return world + ahead + Duration{drift};
}

Instant HostClock::world(Instant local) const {
  if (local.is_never()) return local;
  const std::int64_t shown = (local - ahead).ns();
  std::int64_t guess = scale(shown, kMillion, kMillion + parts_per_million) - 2;
  while (this->local(Instant::from_ns(guess)) < local) ++guess;
  return Instant::from_ns(guess);
}

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
  host.clocked = std::make_unique<ClockedDevice>(*host.device, now_);
  start_stack(index, config.seed);
  return index;
}

void World::start_stack(std::size_t index, std::uint64_t seed) {
  Host& host = *hosts_[index];
  StackConfig settings = host.config.stack;
  if (!settings.seed || host.stack != nullptr) settings.seed = seed;
  host.pump.reset();
  host.stack.reset();
  auto stack = stack::Stack::create(settings, place_of(index, seed), host.device->info(),
                                    host.device->pool(), nullptr);
  if (!stack) std::fprintf(stderr, "host %zu: %s\n", index, stack.error().c_str());
  HANDFAST_ASSERT(stack.has_value());
  host.stack = std::move(*stack);
  host.pump = std::make_unique<stack::Pump>(*host.stack, *host.clocked);
  // A stack's clock begins at 0, and no turn may come 39 hours after the one before it.
  constexpr Duration kStep = std::chrono::hours(12);
  const Instant now = host.config.clock.local(now_);
  for (Instant at; at < now; at = at + kStep) host.stack->advance(at);
  turn(index);
}

void World::restart_host(std::size_t host, std::uint64_t seed) {
  start_stack(host, seed);
}

std::size_t World::turn(std::size_t host) {
  const std::size_t moved = hosts_[host]->turn(now_);
  if (on_turned_) on_turned_(host);
  return moved;
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
  for (std::size_t host = 0; host < hosts_.size(); ++host) turn(host);
}

void World::settle() {
  int idle_turns = 0;
  for (bool is_due = true; is_due;) {
    is_due = false;
    for (std::size_t host = 0; host < hosts_.size(); ++host) {
      if (hosts_[host]->next_event() > now_) continue;
      is_due = true;
      idle_turns = turn(host) > 0 ? 0 : idle_turns + 1;
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
  const Instant due =
      looks_again_at.is_never() ? config.clock.world(stack->next_deadline()) : looks_again_at;
  return std::min(device->next_arrival(), due);
}

std::size_t World::Host::turn(Instant now) {
  const std::size_t moved = pump->turn(config.clock.local(now), [this] {
    if (config.on_turn) config.on_turn(stack->worker());
  });
  const bool is_waiting = stack->has_output() || !stack->frames().empty();
  const bool is_starved = moved == 0 && is_waiting && pool.outstanding() > 0;
  looks = is_starved ? looks + 1 : 0;
  if (looks == kLooksMax) {
    std::fprintf(stderr, "a host starves: %zu of %zu packets are out\n", pool.outstanding(),
                 pool.capacity());
  }
  HANDFAST_ASSERT(looks < kLooksMax);
  looks_again_at = is_starved ? now + kLookAgain : Instant::never();
  return moved;
}

std::size_t World::shut_down() {
  std::size_t missing = 0;
  for (const auto& host : hosts_) {
    host->pump.reset();
    host->stack.reset();
    host->clocked.reset();
    host->wrapped.reset();
    host->impaired.reset();
    missing += host->pool.outstanding();
  }
  return missing;
}

}  // namespace handfast::sim
