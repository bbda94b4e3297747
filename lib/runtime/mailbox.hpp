// Mailbox: how other threads ask a worker to do something. Posting takes a lock; the worker looks
// at one flag a turn, and takes the lock only when something is there.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <mutex>
#include <vector>

#include "handfast/worker.hpp"

namespace handfast::runtime {

class Mailbox {
 public:
  using Task = std::move_only_function<void(Worker&)>;
  static constexpr std::size_t kTasksMax = 4096;

  // From any thread. False when closed, or when kTasksMax wait already.
  bool post(Task task) {
    const std::lock_guard lock(mutex_);
    if (closed_ || waiting_.size() == kTasksMax) return false;
    waiting_.push_back(std::move(task));
    has_tasks_.store(true, std::memory_order_release);
    return true;
  }

  // The worker's own, once a turn. A task that posts to this mailbox is not served before the next
  // turn. Returns how many ran.
  std::size_t run_all(Worker& worker) {
    if (!has_tasks_.load(std::memory_order_relaxed)) [[likely]]
      return 0;
    {
      const std::lock_guard lock(mutex_);
      running_.swap(waiting_);
      has_tasks_.store(false, std::memory_order_relaxed);
    }
    for (auto& task : running_) task(worker);
    const std::size_t count = running_.size();
    running_.clear();
    return count;
  }

  // Refuses what comes later and destroys, without running it, what waits.
  void close() {
    std::vector<Task> dropped;
    const std::lock_guard lock(mutex_);
    closed_ = true;
    dropped.swap(waiting_);
  }

 private:
  std::atomic<bool> has_tasks_{false};
  std::mutex mutex_;
  bool closed_ = false;        // under mutex_
  std::vector<Task> waiting_;  // under mutex_
  std::vector<Task> running_;  // the worker's
};

}  // namespace handfast::runtime
