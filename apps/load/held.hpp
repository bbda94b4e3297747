// Held: the connections of --held, opened before the measured work, idle beside it, and closed
// after it. Counted in a tally of their own, so that rates leave them out and the books do not.
#pragma once

#include "apps/load/group.hpp"

namespace handfast::load {

class Held {
 public:
  // `plan` is the measured work's.
  Held(const ClientPlan& plan, Tally& tally)
      : plan_(plan_of(plan)), group_(plan_, tally), tally_(tally) {}

  void start(Instant now) { group_.start(now); }
  void open_more(Worker& worker) { group_.open_more(worker, *this); }
  void stop_opening() { group_.stop_opening(); }
  bool is_settled() const { return group_.is_settled(); }
  bool is_complete() const { return group_.is_complete(); }
  void close_some(const Worker& worker) {
    is_closing_ = true;
    group_.close_some(worker, plan_.closing);
  }
  bool is_over() const { return group_.is_over(); }

  void on_open(Connection connection) { group_.join(connection); }
  void on_closed(Connection connection, CloseReason reason) {
    if (!group_.leave(connection, reason)) return;
    if (is_closing_ && reason == own_end_of(plan_.closing)) {
      ++tally_.completed;
    } else {
      ++tally_.failed_when_open[place(reason)];
    }
  }

 private:
  static ClientPlan plan_of(ClientPlan plan) {
    plan.mode = Mode::hold;
    plan.connections = plan.held;
    plan.concurrency = plan.held_concurrency;
    plan.rate = 0;
    return plan;
  }

  const ClientPlan plan_;
  Group group_;
  Tally& tally_;
  bool is_closing_ = false;
};

}  // namespace handfast::load
