// Opener: opens connections from a range of addresses, at a pace and up to a limit in flight, a few
// a poll. What is done with them is the handler's affair, which may have an on_asked(Connection): a
// word with each before its SYN leaves. It never cuts a TIME-WAIT short: when the records kept for
// 2MSL leave no room, it waits. At a set rate that is more than can be done, those in flight go
// first: others are opened when nothing has to wait any more, late as they then are. All that were
// due at once would only fill memory and time out.
#pragma once

#include <algorithm>
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

// Another bit of that time, of which its handler makes what it will.
inline constexpr std::uint64_t kMarked = std::uint64_t{1} << 62;

// In on_open: how long the handshake took, in ns.
inline std::uint64_t ns_since_meant_for(Connection connection) {
  const auto meant_for = static_cast<std::int64_t>(connection.context() & ~kMarked);
  const Duration took = connection.worker().now() - Instant::from_ns(meant_for);
  return static_cast<std::uint64_t>(std::max<std::int64_t>(took.count(), 0));
}

inline constexpr int kOpensPerPoll = 32;

class Opener {
 public:
  Opener(const ClientPlan& plan, Tally& tally)
      : plan_(plan),
        tally_(tally),
        pace_(plan.rate),
        sources_(plan.source, plan.on_link, plan.first_source,
                 plan.fast_open ? SourceWalk::kLongestRun : SourceWalk::kRun) {}

  void start(Instant now) { last_poll_ = now; }
  // No more connections: the number is reached, or opening made no sense (see `refused_with`).
  bool is_done() const {
    return stopped_ || (plan_.connections != 0 && tally_.attempted >= plan_.connections);
  }
  void stop() { stopped_ = true; }

  // See Application::next_poll().
  Instant next_poll() const { return answered_ && !is_done() ? pace_.next() : Instant::never(); }

  // Opens as many as are due, `kOpensPerPoll` at most, while fewer than the plan's are in flight.
  template <class H>
  void poll(Worker& worker, H& handler, std::uint64_t& in_flight) {
    const Instant now = worker.now();
    if (worker.time_wait_count() + worker.open_count() >= plan_.max_time_wait) {
      tally_.room_wait_ns += static_cast<std::uint64_t>((now - last_poll_).count());
    } else if (!answered_) {
      open_first(worker, handler, now, in_flight);
    } else if (plan_.rate == 0 || !worker.is_behind()) {
      for (int i = 0; i < kOpensPerPoll && in_flight < plan_.concurrency && !is_done(); ++i) {
        if (!pace_.is_due(now) || !open_one(worker, handler, pace_.intended(now))) break;
        pace_.advance();
        ++in_flight;
      }
    }
    last_poll_ = now;
  }

 private:
  static_assert(kOpensPerPoll < kSpareTimeWait);

  // One alone until one is answered: while the next hop's address is being asked for, only a few
  // frames are kept, and the other SYNs would have to be sent again.
  template <class H>
  void open_first(Worker& worker, H& handler, Instant now, std::uint64_t& in_flight) {
    if (tally_.established != 0) {
      answered_ = true;
      pace_.start(now);
    } else if (in_flight == 0 && open_one(worker, handler, now)) {
      ++in_flight;
    }
  }

  template <class H>
  bool open_one(Worker& worker, H& handler, Instant meant_for) {
    const ConnectOptions options{.source = sources_.next(),
                                 .context = static_cast<std::uint64_t>(meant_for.ns()),
                                 .fast_open = plan_.fast_open};
    const auto opened = worker.connect(plan_.server, handler, options);
    if (!opened) {
      note(opened.error());
      return false;
    }
    ++tally_.attempted;
    if constexpr (requires { handler.on_asked(*opened); }) handler.on_asked(*opened);
    return true;
  }

  // Out of ports or records: another address, or a later poll, has some. Anything else will not
  // become better by asking again.
  void note(Error error) {
    ++tally_.open_errors[place(error)];
    if (error == Error::no_free_port) sources_.skip();
    if (error != Error::no_free_port && error != Error::no_connection_slot) stopped_ = true;
  }

  const ClientPlan& plan_;
  Tally& tally_;
  Pace pace_;
  SourceWalk sources_;
  Instant last_poll_;
  bool answered_ = false;
  bool stopped_ = false;
};

}  // namespace handfast::load
