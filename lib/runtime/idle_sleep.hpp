// IdleSleep: when a worker that has nothing to do goes to sleep, and for how long. It decides from
// the times that it is told; the sleeping is the caller's. Nothing wakes a worker early, so the
// longest sleep bounds what a frame, a posted task or a stop waits. Sleeps begin short and grow, so
// that an answer to what was just sent waits for a part of the time it took, and not for the bound.
#pragma once

#include <algorithm>

#include "handfast/time.hpp"

namespace handfast::runtime {

class IdleSleep {
 public:
  // A worker that has just had work polls on for so long: more comes soon, or never.
  static constexpr Duration kSpell = std::chrono::microseconds(50);
  // A waking costs some 20 us of processor time where the kernel runs in a virtual machine: two
  // percent of a core.
  static constexpr Duration kLongest = std::chrono::microseconds(900);
  // What is not worth the way into the kernel and back.
  static constexpr Duration kShortest = std::chrono::microseconds(20);
  // The kernel wakes us late by so much, as a rule: who has a schedule to keep is awake before.
  static constexpr Duration kWakeUp = std::chrono::microseconds(60);

  // What is due, for the stack and for the application; see Stack::next_deadline() and
  // Application::next_poll().
  struct Due {
    Instant stack = Instant::never();
    Instant application = Instant::never();
  };

  void had_work() { idle_since_ = Instant::never(); }

  // After a turn at `now` without work. Whether the spell is over: only then is due() worth asking.
  bool is_tired(Instant now) {
    if (idle_since_.is_never()) idle_since_ = now;
    return now - idle_since_ >= kSpell;
  }

  // How long to sleep from `now` on; zero: poll on.
  Duration time_to_sleep(Instant now, const Due& due) const {
    const Duration idle_for = idle_since_.is_never() ? Duration::zero() : now - idle_since_;
    const Duration longest = std::clamp(idle_for / 4, kShortest, kLongest);
    Instant until = std::min(now + longest, due.stack);
    // What the application was due to do before this turn, it could not do: it waits for something.
    if (due.application > now && !due.application.is_never()) {
      until = std::min(until, due.application - kWakeUp);
    }
    return until - now < kShortest ? Duration::zero() : until - now;
  }

 private:
  Instant idle_since_ = Instant::never();
};

}  // namespace handfast::runtime
