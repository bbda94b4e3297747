// Group: connections that are opened one after the other, kept together and closed a few a poll:
// what hold, stream, exchange and --held have in common. What is done with them meanwhile is their
// handler's affair; it tells the group of every on_open and on_closed.
//
//   context = kOpened | where in the group it stands, until the handler writes another
#pragma once

#include <algorithm>
#include <vector>

#include "apps/load/closing.hpp"
#include "apps/load/opener.hpp"

namespace handfast::load {

class Group {
 public:
  // Both are borrowed for life. The list is written once here, so that its pages do not count as
  // the connections' memory.
  Group(const ClientPlan& plan, Tally& tally)
      : plan_(plan),
        tally_(tally),
        opener_(plan, tally),
        members_(static_cast<std::size_t>(plan.connections)) {
    members_.clear();
  }

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
  bool is_complete() const { return members_.size() == plan_.connections; }

  // In on_open. Returns how long the handshake took, in ns.
  std::uint64_t join(Connection connection) {
    const std::uint64_t took = ns_since_meant_for(connection);
    ++tally_.established;
    --opening_;
    ++alive_;
    connection.set_context(kOpened | members_.size());
    members_.push_back(connection);
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

  // All that ever joined, ended ones included, which say so when asked.
  std::size_t size() const { return members_.size(); }
  Connection at(std::size_t index) const { return members_[index]; }
  std::uint64_t alive() const { return alive_; }

  // Calls `visit`, which closes them, for the next few members, while not too many are closing:
  // each has its turn once, unless begun again.
  template <class F>
  void visit_some(F&& visit) {
    const std::size_t ended = members_.size() - static_cast<std::size_t>(alive_);
    const std::size_t end =
        std::min({visited_ + kVisitsPerPoll, ended + kClosingAtOnce, members_.size()});
    for (; visited_ < end; ++visited_) visit(members_[visited_]);
  }
  void visit_again() { visited_ = 0; }
  void close_some(Closing closing) {
    visit_some([closing](Connection connection) { end(connection, closing); });
  }
  // All had their turn and none is left.
  bool is_over() const { return visited_ == members_.size() && alive_ == 0; }

 private:
  static constexpr std::size_t kVisitsPerPoll = 64;
  // More FINs than the link and the peer's queues take would only have to be sent again.
  static constexpr std::size_t kClosingAtOnce = 1024;

  const ClientPlan& plan_;
  Tally& tally_;
  Opener opener_;
  std::vector<Connection> members_;
  std::uint64_t opening_ = 0;  // handshakes in flight
  std::uint64_t alive_ = 0;    // opened and not yet ended
  std::size_t visited_ = 0;
};

}  // namespace handfast::load
