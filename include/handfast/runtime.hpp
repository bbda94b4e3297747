// Runtime: workers on cores, each with a whole stack and a device queue of its own.
//
//   auto runtime = Runtime::start(config, make_application);   EAL up, ports up, workers polling
//   runtime->post(0, [](Worker& worker) { ... });              from any thread
//   runtime->drain(timeout);                                   no new work; lets connections end
//   runtime->stop();                                           in order; also by the destructor
//
// No signal handler is installed: an application that wants SIGINT to stop calls request_stop()
// from its own, which is async-signal-safe, and wait() returns.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "handfast/config.hpp"
#include "handfast/counters.hpp"
#include "handfast/worker.hpp"

namespace handfast {

// What runs on a worker beside the stack: made on the worker's thread before its first poll,
// destroyed after its last.
class Application {
 public:
  Application() = default;
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;
  virtual ~Application() = default;

  // Before the first poll: listen, connect, prepare. The error stops the whole start.
  virtual std::expected<void, std::string> on_start(Worker&) { return {}; }
  // Once every poll, between input and output: for applications that pace their own work.
  virtual void on_poll(Worker&) {}
  // When on_poll next has something to do that it does by the clock, asked after a poll that found
  // nothing to do: a worker that sleeps (IdleMode::sleep) is awake by then. What has passed already
  // and never() keep no worker awake: it looks again within a millisecond.
  virtual Instant next_poll() const { return Instant::never(); }
  // drain() was called: begin no new connections, let those that are open end.
  virtual void on_drain(Worker&) {}
};

// What a worker does when nothing is to be done.
enum class IdleMode : std::uint8_t {
  poll,   // looks again at once: a frame waits for nothing, and the core is never free
  sleep,  // after some 50 us without work sleeps, 0.9 ms at most at a time, until something is due
};

// Each worker of a port runs a stack with that port's configuration and the queue of its place.
struct PortConfig {
  // An EAL port by name ("net_tap0", "0000:00:04.0"); or empty: one of the embedded pair, see
  // RuntimeConfig::embedded.
  std::string device;
  StackConfig stack;
  unsigned workers = 1;  // as many rx and tx queues are set up
  // The port cuts segments of up to 64 KB into frames (TSO), and sums them. net_tap, which does so
  // in software, has to be told; it cuts IPv4 only, and its frames are 18 bytes shorter then. None
  // of the embedded pair can.
  Offload tso = Offload::automatic;
};

struct RuntimeConfig {
  // Arguments for DPDK's EAL, without the program's name.
  std::vector<std::string> eal;
  std::vector<PortConfig> ports;
  // Joins ports[0] and ports[1] by DPDK rings inside the process; their `device` stays empty and
  // they have equally many workers.
  bool embedded = false;
  // CPUs for the workers in order, port after port; empty: the process's own, from the first on. A
  // CPU may serve several workers.
  std::vector<unsigned> cores;
  // With sleep, a frame or a post() that comes to a sleeping worker waits until it next looks.
  IdleMode idle = IdleMode::poll;
  std::uint32_t packets_per_worker = 16'384;  // packet buffers, 2 KiB data room each
  bool huge_pages = false;  // 2 MiB pages for EAL; otherwise ordinary memory and no root
  // Captures every frame of each port to FILE (pcap, nanoseconds), the first `pcap_frames_max`. Of
  // the embedded pair only ports[0] is captured: the other end has the same frames.
  std::string pcap_file;
  std::uint64_t pcap_frames_max = 1'000'000;
};

class Runtime {
 public:
  // Made on the thread of worker `worker` (counted over all ports, in order).
  using MakeApplication = std::function<std::unique_ptr<Application>(unsigned worker)>;

  // Starts EAL, ports and workers; returns when every worker polls. The error is one sentence
  // naming what was wrong and what would be right; nothing is left running then. EAL can be started
  // once a process.
  static std::expected<std::unique_ptr<Runtime>, std::string> start(const RuntimeConfig& config,
                                                                    MakeApplication make);
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  ~Runtime();

  unsigned worker_count() const;
  // Runs `task` on the worker's thread, soon (see IdleMode), between input and output. The only
  // door for other threads. False after stop(), or while 4096 tasks wait already.
  bool post(unsigned worker, std::move_only_function<void(Worker&)> task);
  // post() and wait for it to have run. Not from a worker's thread. False after stop().
  bool run_on(unsigned worker, const std::function<void(Worker&)>& task);
  // From any thread. Those that the port itself counts (port_...) are among them.
  Counters counters(unsigned worker) const;

  // Calls on_drain everywhere, then waits until no connection is open or half-open (TIME-WAIT may
  // remain) or `timeout` has passed. True when none was left.
  bool drain(Duration timeout);
  // Aborts what is still open (reason `stopped`), stops polling, ends the threads and
  // closes the ports.
  void stop();

  // Marks the runtime to be stopped; wakes wait(). Async-signal-safe.
  void request_stop();
  // Blocks until request_stop() was called or `timeout` has passed; true in the first case.
  bool wait(Duration timeout);

 private:
  struct Impl;
  explicit Runtime(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace handfast
