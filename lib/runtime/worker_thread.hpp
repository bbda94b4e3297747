// WorkerThread: one worker's thread and what lives on it, from the stack's making to its end. The
// runtime makes all of them, calls start(), waits until each has prepared, then lets them poll or
// gives up. The stack and the application are made, used and destroyed on the thread itself.
#pragma once

#include <atomic>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <semaphore>
#include <string>
#include <thread>

#include "base/device.hpp"
#include "handfast/runtime.hpp"
#include "runtime/clock.hpp"
#include "runtime/idle_sleep.hpp"
#include "runtime/mailbox.hpp"
#include "runtime/port_exchange.hpp"
#include "stack/pump.hpp"
#include "stack/stack.hpp"

namespace handfast::runtime {

// What the runtime decides for one worker. All that it points to outlives the thread.
struct WorkerPlan {
  unsigned cpu = 0;
  bool cpu_is_shared = false;  // with another worker: it must give way when it has nothing to do
  IdleMode idle = IdleMode::poll;
  stack::StackPlace place;
  const StackConfig* config = nullptr;
  base::Device* device = nullptr;
  ExchangePlace* exchange = nullptr;  // none when the port has one worker
  const TscClock* clock = nullptr;
  const Runtime::MakeApplication* make_application = nullptr;
};

class WorkerThread {
 public:
  explicit WorkerThread(const WorkerPlan& plan) : plan_(plan) {}
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;
  ~WorkerThread();

  void start();
  // Blocks until the stack and the application are there; once. The error is theirs.
  std::expected<void, std::string> wait_until_prepared();
  // After that, one of these two.
  void begin_polling() { release(Order::poll); }
  void stop() { release(Order::stop); }
  // After stop(), or when it was never started.
  void join();

  Mailbox& mailbox() { return mailbox_; }
  // The worker's own, from within a task.
  Application& application() { return *application_; }
  // From any thread, also after the worker's end.
  Counters counters() const;

 private:
  enum class Order : int { wait, poll, stop };

  void release(Order order);
  void run();
  std::expected<void, std::string> prepare();
  void poll();
  bool turn(Instant now);
  void rest(Instant now);
  void finish();
  Counters snapshot() const;

  WorkerPlan plan_;
  std::thread thread_;
  std::atomic<Order> order_{Order::wait};
  std::binary_semaphore prepared_{0};
  std::expected<void, std::string> outcome_;  // written before prepared_ is released
  Mailbox mailbox_;

  std::unique_ptr<stack::Stack> stack_;
  std::unique_ptr<stack::Pump> pump_;
  std::unique_ptr<Application> application_;
  unsigned idle_turns_ = 0;  // in a row
  IdleSleep idle_sleep_;
  mutable std::mutex counters_mutex_;
  const base::LiveCounters* live_counters_ =
      nullptr;               // under counters_mutex_, while there is a stack
  Counters final_counters_;  // under counters_mutex_
};

}  // namespace handfast::runtime
