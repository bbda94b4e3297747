#include "apps/load/keeper.hpp"

#include <algorithm>

namespace handfast::load {
namespace {

constexpr std::size_t kClosesPerPoll = 64;

}  // namespace

// The list is written once here, so that its pages do not count as the connections' memory.
Keeper::Keeper(const ClientPlan& plan)
    : plan_(plan), opener_(plan_, tally_), held_(static_cast<std::size_t>(plan.connections)) {
  held_.clear();
}

void Keeper::on_poll(Worker& worker) {
  const Instant now = worker.now();
  if (!started_) {
    started_ = true;
    opener_.start(now);
  }
  switch (phase()) {
    case Phase::opening:
      open_more(worker);
      break;
    case Phase::keeping:
      if (!keep_until_) keep_until_ = now + plan_.duration.value_or(Duration{});
      if (now >= *keep_until_ || alive_ == 0) begin_closing();
      break;
    case Phase::closing:
      close_some();
      if (closed_up_to_ == held_.size() && alive_ == 0) enter(Phase::finished);
      break;
    case Phase::finished:
      break;
  }
}

void Keeper::open_more(Worker& worker) {
  if (!opener_.is_done()) {
    opener_.poll(worker, *this, opening_);
  } else if (opening_ == 0) {
    enter(Phase::keeping);
  }
}

void Keeper::on_drain(Worker&) {
  opener_.stop();
  if (phase() == Phase::opening || phase() == Phase::keeping) begin_closing();
}

void Keeper::begin_closing() {
  enter(Phase::closing);
}

void Keeper::close_some() {
  const std::size_t end = std::min(closed_up_to_ + kClosesPerPoll, held_.size());
  for (; closed_up_to_ < end; ++closed_up_to_) {
    Connection connection = held_[closed_up_to_];  // one that has ended says so and is left alone
    if (plan_.closing == Closing::rst) {
      (void)connection.abort();
    } else {
      (void)connection.close();
    }
  }
}

void Keeper::on_open(Connection connection) {
  const auto meant_for = static_cast<std::int64_t>(connection.context());
  const Duration took = connection.worker().now() - Instant::from_ns(meant_for);
  handshake_.record(static_cast<std::uint64_t>(std::max<std::int64_t>(took.count(), 0)));
  ++tally_.established;
  --opening_;
  ++alive_;
  connection.set_context(kOpened | held_.size());
  held_.push_back(connection);
  if (sends()) stream(connection);
}

void Keeper::stream(Connection connection) {
  if (!sends() || phase() >= Phase::closing) return;
  const Bytes block = payload_.block();
  std::size_t accepted = 0;
  do {  // until the send buffer is full; on_writable goes on
    accepted = connection.send(block).value_or(0);
    tally_.bytes_sent += accepted;
  } while (accepted == block.size());
}

std::size_t Keeper::on_data(Connection, Bytes data) {
  tally_.bytes_received += data.size();
  return data.size();
}

void Keeper::on_closed(Connection connection, CloseReason reason) {
  const CloseReason wanted =
      plan_.closing == Closing::rst ? CloseReason::aborted : CloseReason::finished;
  if ((connection.context() & kOpened) == 0) {
    --opening_;
    ++tally_.failed_to_open[place(reason)];
    return;
  }
  --alive_;
  if (reason == wanted && phase() >= Phase::closing) {
    ++tally_.completed;
  } else {
    ++tally_.failed_when_open[place(reason)];
  }
}

}  // namespace handfast::load
