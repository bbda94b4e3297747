#include "runtime/worker_thread.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <sched.h>
#include <sys/prctl.h>

#include <ctime>
#include <new>

#include "base/memory_refused.hpp"
#include "runtime/affinity.hpp"

namespace handfast::runtime {
namespace {

// A worker gives way after so many turns without a frame: soon when another worker waits for its
// CPU; else rarely, in case some other program does (some 15 us, far beyond a round trip inside the
// box).
constexpr unsigned kIdleTurnsSharedCpu = 16;
constexpr unsigned kIdleTurnsOwnCpu = 256;
// After an abort: so that the resets leave even when the device takes only some at a time.
constexpr unsigned kLastTurns = 16;
// How late the kernel may wake a worker that sleeps, to wake others along with it.
constexpr unsigned long kTimerSlackNs = 1000;

void sleep_for(Duration time) {
  const timespec ahead{.tv_sec = 0, .tv_nsec = time.count()};
  ::clock_nanosleep(CLOCK_MONOTONIC, 0, &ahead, nullptr);
}

}  // namespace

WorkerThread::~WorkerThread() {
  stop();
  join();
}

void WorkerThread::start() {
  thread_ = std::thread([this] { run(); });
}

std::expected<void, std::string> WorkerThread::wait_until_prepared() {
  prepared_.acquire();
  return outcome_;
}

void WorkerThread::release(Order order) {
  order_.store(order, std::memory_order_release);
  order_.notify_one();
}

void WorkerThread::join() {
  if (thread_.joinable()) thread_.join();
}

Counters WorkerThread::counters() const {
  const std::lock_guard lock(counters_mutex_);
  return live_counters_ != nullptr ? snapshot() : final_counters_;
}

// The stack's counters and the device's; under counters_mutex_, while there is a stack.
Counters WorkerThread::snapshot() const {
  Counters out = live_counters_->snapshot();
  plan_.device->add_counters(out);
  return out;
}

void WorkerThread::run() {
  try {
    const auto name = fmt::format("handfast-w{}", plan_.place.worker);
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    outcome_ = prepare();
  } catch (const std::bad_alloc&) {
    outcome_ = std::unexpected(base::memory_refused("the system refused memory for a worker"));
  }
  const bool prepared = outcome_.has_value();
  prepared_.release();
  order_.wait(Order::wait);
  if (prepared) poll();
  finish();
}

std::expected<void, std::string> WorkerThread::prepare() {
  if (!pin_this_thread(plan_.cpu)) {
    return std::unexpected(
        fmt::format("worker {} cannot be put on CPU {}", plan_.place.worker, plan_.cpu));
  }
  // As an lcore of EAL the thread gets a cache of its own in each packet pool.
  if (rte_thread_register() != 0) {
    return std::unexpected(fmt::format("EAL has no room for worker {}: {}", plan_.place.worker,
                                       rte_strerror(rte_errno)));
  }
  auto stack = stack::Stack::create(*plan_.config, plan_.place, plan_.device->info(),
                                    plan_.device->pool(), plan_.exchange);
  if (!stack) return std::unexpected(std::move(stack.error()));
  stack_ = std::move(*stack);
  pump_ = std::make_unique<stack::Pump>(*stack_, *plan_.device);
  {
    const std::lock_guard lock(counters_mutex_);
    live_counters_ = &stack_->counters();
  }
  application_ = (*plan_.make_application)(plan_.place.worker);
  if (application_ == nullptr) {
    return std::unexpected(
        fmt::format("no application was made for worker {}", plan_.place.worker));
  }
  stack_->advance(plan_.clock->now());  // so that what on_start opens has its time
  return application_->on_start(stack_->worker());
}

// The clock is read once a turn, which is also where the turn before ends.
void WorkerThread::poll() {
  if (plan_.idle == IdleMode::sleep) ::prctl(PR_SET_TIMERSLACK, kTimerSlackNs);
  Instant before = plan_.clock->now();
  bool was_busy = true;
  while (order_.load(std::memory_order_relaxed) == Order::poll) {
    const Instant now = plan_.clock->now();
    stack_->count_turn(now - before, was_busy);
    was_busy = turn(now);
    if (was_busy) {
      idle_turns_ = 0;
      idle_sleep_.had_work();
    } else {
      rest(now);
    }
    before = now;
  }
}

// Everything that may call the application happens between input and output, at the turn's time.
// True when there was something to do.
bool WorkerThread::turn(Instant now) {
  Worker& worker = stack_->worker();
  std::size_t taken = 0;
  const std::size_t moved = pump_->turn(now, [&] {
    if (plan_.exchange != nullptr) taken = plan_.exchange->deliver(now, *stack_);
    const base::StageScope scope(stack_->stages(), Stage::callback);
    taken += mailbox_.run_all(worker);
    application_->on_poll(worker);
  });
  return moved + taken != 0;
}

// After a turn at `now` in which there was nothing to do.
void WorkerThread::rest(Instant now) {
  if (plan_.idle == IdleMode::sleep && idle_sleep_.is_tired(now)) {
    const Duration time = idle_sleep_.time_to_sleep(
        now, {.stack = stack_->next_deadline(), .application = application_->next_poll()});
    if (time != Duration::zero()) {
      stack_->count_sleep();
      sleep_for(time);
      return;
    }
  }
  if (++idle_turns_ < (plan_.cpu_is_shared ? kIdleTurnsSharedCpu : kIdleTurnsOwnCpu)) return;
  idle_turns_ = 0;
  ::sched_yield();
}

void WorkerThread::finish() {
  mailbox_.close();
  if (application_ != nullptr) {
    stack_->stop(plan_.clock->now());
    // Each turn ends as many as the device takes resets for; a device that takes none is not
    // waited for.
    for (unsigned idle = 0; idle < kLastTurns; ++idle) {
      const std::uint64_t before = stack_->open_count();
      pump_->turn(plan_.clock->now(), [] {});
      if (stack_->open_count() < before) idle = 0;
    }
    stack_->end_all(CloseReason::stopped);
  }
  application_.reset();
  if (live_counters_ != nullptr) {
    const std::lock_guard lock(counters_mutex_);
    final_counters_ = snapshot();
    live_counters_ = nullptr;
  }
  pump_.reset();
  stack_.reset();
  if (rte_lcore_id() != LCORE_ID_ANY) rte_thread_unregister();
}

}  // namespace handfast::runtime
