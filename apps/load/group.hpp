// Group: connections that are opened one after the other, kept together and closed a few a poll:
// what hold, stream, exchange and --held have in common. What is done with them meanwhile is their
// handler's affair; it tells the group of every on_open and on_closed. While they are closed the
// worker has no others.
//
//   context = kOpened | how many had joined before, until the handler writes another
#pragma once

#include <cstdint>

#include "apps/load/closing.hpp"
#include "apps/load/opener.hpp"

namespace handfast::load {

class Group {
 public:
  // Both are borrowed for life.
  Group(const ClientPlan& plan, Tally& tally) : plan_(plan), tally_(tally), opener_(plan, tally) {}

  void start(Instant now) { opener_.start(now); }
  template <class H>
  void open_more(Worker& worker, H& handler) {
    if (!opener_.is_done()) opener_.poll(worker, handler, opening_);
  }
  void stop_opening() { opener_.stop(); }
  Instant next_poll() const { return opener_.next_poll(); }
  // No handshake is in flight and none will be.
  bool is_settled() const { return opener_.is_done() && opening_ == 0; }
  // All that were asked for have been opened.
  bool is_complete() const { return joined_ == plan_.connections; }

  // In on_open. Returns how long the handshake took, in ns.
  std::uint64_t join(Connection connection) {
    const std::uint64_t took = ns_since_meant_for(connection);
    ++tally_.established;
    --opening_;
    ++alive_;
    connection.set_context(kOpened | joined_);
    ++joined_;
    was_missed_ = true;
    return took;
  }
  // In on_closed. False for one that was never open, which is counted here: but for a stream, one
  // that cannot be opened is the last that is tried, for the peer holds no more.
  bool leave(Connection connection, CloseReason reason) {
    if ((connection.context() & kOpened) != 0) {
      --alive_;
      return true;
    }
    --opening_;
    ++tally_.failed_to_open[place(reason)];
    if (plan_.mode != Mode::stream) opener_.stop();
    return false;
  }

  // All that ever joined, ended ones included.
  std::uint64_t size() const { return joined_; }
  std::uint64_t alive() const { return alive_; }

  // Calls `visit`, which closes them, for the next few members, while not too many are closing:
  // each has its turn once, unless begun again, or another has joined meanwhile.
  template <class F>
  void visit_some(const Worker& worker, F&& visit) {
    for (int n = 0; n < kVisitsPerPoll && !all_visited_ && visited_ < ended() + kClosingAtOnce;
         ++n) {
      if (last_visited_ == Connection{}) was_missed_ = false;
      last_visited_ = worker.next_connection(last_visited_);
      if (last_visited_ == Connection{}) {
        all_visited_ = !was_missed_;
      } else if ((last_visited_.context() & kOpened) != 0) {
        ++visited_;
        visit(last_visited_);
      }
    }
  }
  void visit_again() {
    last_visited_ = {};
    all_visited_ = false;
    visited_ = ended();
  }
  void close_some(const Worker& worker, Closing closing) {
    visit_some(worker, [closing](Connection connection) { end(connection, closing); });
  }
  // All had their turn and none is left.
  bool is_over() const { return all_visited_ && alive_ == 0; }

 private:
  static constexpr int kVisitsPerPoll = 64;
  // More FINs than the link and the peer's queues take would only have to be sent again.
  static constexpr std::uint64_t kClosingAtOnce = 1024;

  std::uint64_t ended() const { return joined_ - alive_; }

  const ClientPlan& plan_;
  Tally& tally_;
  Opener opener_;
  std::uint64_t opening_ = 0;  // handshakes in flight
  std::uint64_t joined_ = 0;   // opened
  std::uint64_t alive_ = 0;    // of these, not yet ended
  std::uint64_t visited_ = 0;
  Connection last_visited_;
  bool was_missed_ = false;  // one joined since the walk past all began
  bool all_visited_ = false;
};

}  // namespace handfast::load
