// World: whole stacks in virtual time. Hosts on one simulated segment, each with a pool, a port, a
// stack and, if asked for, an impairing device in between. Time jumps from event to event; equal
// seeds and equal calls give equal runs. For tests and for `sim_transfer`; it has no thread.
//
//   World world({.latency = 50us});
//   const std::size_t client = world.add_host({.stack = ..., .seed = 1});
//   world.worker(client).connect(...);
//   EXPECT_TRUE(world.run_until([&] { return done; }, 10s));
//   EXPECT_EQ(world.shut_down(), 0u);   // no packet is missing from any pool
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "drivers/impair/impair.hpp"
#include "drivers/link/link.hpp"
#include "handfast/config.hpp"
#include "handfast/worker.hpp"
#include "stack/pump.hpp"
#include "stack/stack.hpp"

namespace handfast::sim {

// A host's own clock, which need not run as fast as the world's, nor begin when it does.
struct HostClock {
  Duration ahead{0};
  std::int32_t parts_per_million = 0;  // how much faster it runs; above -1,000,000

  Instant local(Instant world) const;
  // The first moment of the world at which the host's clock shows `local` or more.
  Instant world(Instant local) const;
};

struct HostConfig {
  StackConfig stack;
  HostClock clock;
  std::optional<drivers::ImpairConfig> impair;
  std::uint64_t seed = 1;  // of the stack's secrets and choices
  std::size_t packets = 8192;
  std::uint16_t mtu = 1500;
  std::size_t data_room = drivers::SimPool::kDefaultDataRoom;  // of a packet
  drivers::LinkOffloads offloads;                              // of the host's port
  // Puts a device of the test's own around the host's, the impairing one included.
  std::function<std::unique_ptr<base::Device>(base::Device&)> wrap;
  // Called at each of the host's turns, between its input and its output.
  std::function<void(Worker&)> on_turn;
};

class World {
 public:
  // A host polls no more often than every `poll_interval`, as a busy worker does: frames that
  // arrive meanwhile make one burst. 0: at the very instant of each event.
  explicit World(const drivers::LinkConfig& link = {}, Duration poll_interval = Duration{0});
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  // Aborts the program when the configuration does not start: a mistake of the test's.
  std::size_t add_host(const HostConfig& config);

  // Runs until `condition`, asked after each step, holds: true. False when `limit` of virtual time
  // has passed first, or nothing is left to happen.
  bool run_until(const std::function<bool()>& condition, Duration limit);
  // The host's stack is gone without a word, and a new one at the same place knows nothing of its
  // connections: handlers hear nothing. `seed` gives it other secrets.
  void restart_host(std::size_t host, std::uint64_t seed);
  // Called after each turn of a host.
  void set_on_turned(std::function<void(std::size_t host)> call) { on_turned_ = std::move(call); }

  // Runs for so long, whatever happens or does not.
  void run_for(Duration duration);

  const Instant& now() const { return now_; }
  Instant now_of(std::size_t host) const { return hosts_[host]->config.clock.local(now_); }
  std::size_t host_count() const { return hosts_.size(); }
  Worker& worker(std::size_t host) { return hosts_[host]->stack->worker(); }
  stack::Stack& stack(std::size_t host) { return *hosts_[host]->stack; }
  drivers::SimPool& pool(std::size_t host) { return hosts_[host]->pool; }
  drivers::ImpairDevice& impairment(std::size_t host) { return *hosts_[host]->impaired; }
  drivers::Link& link() { return link_; }

  // Ends all stacks and devices; returns how many packets their pools then miss.
  std::size_t shut_down();

 private:
  struct Host {
    explicit Host(const HostConfig& host_config)
        : config(host_config), pool(config.packets, config.data_room) {}
    Instant next_event() const;
    std::size_t turn(Instant now);

    HostConfig config;
    drivers::SimPool pool;
    std::unique_ptr<drivers::ImpairDevice> impaired;
    std::unique_ptr<base::Device> wrapped;
    std::unique_ptr<base::Device> clocked;
    base::Device* device = nullptr;
    std::unique_ptr<stack::Stack> stack;
    std::unique_ptr<stack::Pump> pump;
    // It could not send what is due, for want of packets or of room in its device, and looks again
    // then.
    Instant looks_again_at = Instant::never();
    int looks = 0;
  };
  static constexpr Duration kLookAgain = std::chrono::milliseconds(1);
  static constexpr int kLooksMax = 1'000'000;
  // Turns without a frame moved at one instant, after which a host is taken to be stuck.
  static constexpr int kIdleTurnsMax = 10'000;

  void start_stack(std::size_t index, std::uint64_t seed);
  // Also tells every stack the time, for the calls that a test makes between runs.
  void turn_all();
  std::size_t turn(std::size_t host);
  void settle();
  bool advance(Instant until);
  Instant next_event() const;

  Duration poll_interval_;
  Instant now_ = Instant::from_ns(1'000'000'000);
  drivers::Link link_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::function<void(std::size_t)> on_turned_;
};

}  // namespace handfast::sim
