// Opener: opens connections from a range of addresses, at a pace and up to a limit in flight, a few
// a poll. What is done with them is the handler's affair. It never cuts a TIME-WAIT short: when the
// records kept for 2MSL leave no room, it waits.
#pragma once

#include <cstdint>

#include "apps/load/pace.hpp"
#include "apps/load/plan.hpp"
#include "apps/load/sources.hpp"
#include "apps/load/tally.hpp"
#include "handfast/worker.hpp"

namespace handfast::load {

// Before on_open a connection's context is the time it was meant to be opened; afterwards it has
// this bit, and the rest is the handler's.
inline constexpr std::uint64_t kOpened = std::uint64_t{1} << 63;

inline constexpr int kOpensPerPoll = 32;

class Opener {
 public:
  Opener(const ClientPlan& plan, Tally& tally)
      : plan_(plan),
        tally_(tally),
        pace_(plan.rate),
        sources_(plan.source, plan.on_link, plan.first_source) {}

  void start(Instant now) {
    pace_.start(now);
    last_poll_ = now;
  }
  // No more connections: the number is reached, or opening made no sense (see `refused_with`).
  bool is_done() const {
    return stopped_ || (plan_.connections != 0 && tally_.attempted >= plan_.connections);
  }
  void stop() { stopped_ = true; }

  // Opens as many as are due, `kOpensPerPoll` at most, while fewer than the plan's are in flight.
  template <class H>
  void poll(Worker& worker, H& handler, std::uint64_t& in_flight) {
    const Instant now = worker.now();
    if (worker.time_wait_count() + worker.open_count() >= plan_.max_time_wait) {
      tally_.room_wait_ns += static_cast<std::uint64_t>((now - last_poll_).count());
    } else {
      for (int i = 0; i < kOpensPerPoll && in_flight < plan_.concurrency && !is_done(); ++i) {
        if (!pace_.is_due(now) || !open_one(worker, handler, now)) break;
        ++in_flight;
      }
    }
    last_poll_ = now;
  }

 private:
  static_assert(kOpensPerPoll < kSpareTimeWait);

  template <class H>
  bool open_one(Worker& worker, H& handler, Instant now) {
    const auto context = static_cast<std::uint64_t>(pace_.intended(now).ns());
    const auto opened = worker.connect(
        plan_.server, handler, ConnectOptions{.source = sources_.next(), .context = context});
    if (!opened) {
      note(opened.error());
      return false;
    }
    ++tally_.attempted;
    pace_.advance();
    return true;
  }

  // Out of ports or records: another address, or a later poll, has some. Anything else will not
  // become better by asking again.
  void note(Error error) {
    ++tally_.open_errors[place(error)];
    if (error != Error::no_free_port && error != Error::no_connection_slot) stopped_ = true;
  }

  const ClientPlan& plan_;
  Tally& tally_;
  Pace pace_;
  SourceWalk sources_;
  Instant last_poll_;
  bool stopped_ = false;
};

}  // namespace handfast::load
