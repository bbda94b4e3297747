#include "apps/load/exchanger.hpp"

#include <chrono>
#include <limits>

namespace handfast::load {
namespace {

// First requests, or those of connections that take turns; a poll's input brings no more answers.
constexpr int kAsksPerPoll = 64;
constexpr Duration kAnswerWait = std::chrono::seconds(10);

constexpr unsigned kSizeBits = 15;
constexpr unsigned kTimeBits = 33;
constexpr unsigned kTimeStepShift = 3;  // 8 ns: it goes round in 68 s
constexpr unsigned kResponseReceivedShift = kTimeBits;
constexpr unsigned kRequestSentShift = kTimeBits + kSizeBits;
constexpr std::uint64_t kSizeMask = (std::uint64_t{1} << kSizeBits) - 1;
constexpr std::uint64_t kTimeMask = (std::uint64_t{1} << kTimeBits) - 1;
static_assert(kSizeMask == kExchangeSizeMax);
static_assert(kRequestSentShift + kSizeBits == 63);

std::uint64_t request_sent(std::uint64_t context) {
  return context >> kRequestSentShift & kSizeMask;
}
std::uint64_t response_received(std::uint64_t context) {
  return context >> kResponseReceivedShift & kSizeMask;
}
std::uint64_t steps_at(Instant time) {
  return static_cast<std::uint64_t>(time.ns()) >> kTimeStepShift;
}
// Asked, and the answer has not come whole. That includes one that has not taken a byte of the
// request yet and waits for on_writable: the time of a request is never 0.
bool is_asked(std::uint64_t context) {
  return (context & ~kOpened) != 0;
}

}  // namespace

Exchanger::Exchanger(const ClientPlan& plan, Gate& gate)
    : plan_(plan), gate_(gate), group_(plan_, tally_) {
  members_.reserve(static_cast<std::size_t>(plan_.connections));
  enter(Phase::preparing);
}

void Exchanger::on_poll(Worker& worker) {
  switch (phase()) {
    case Phase::preparing:
      prepare(worker);
      break;
    case Phase::opening:  // is no phase of ours
    case Phase::keeping:
      keep(worker.now());
      break;
    case Phase::closing:
    case Phase::parting:
      close(worker);
      break;
    case Phase::finished:
      break;
  }
}

// Opens them all; when every worker has, asks each once, which shows that the peer has it open too.
void Exchanger::prepare(Worker& worker) {
  if (!started_) {
    started_ = true;
    group_.start(worker.now());
  }
  if (!group_.is_settled()) return group_.open_more(worker, *this);
  if (!group_.is_complete()) gate_.give_up();
  if (gate_.is_given_up()) return begin_closing(worker.now());
  if (!arrived_) gate_.arrive();
  arrived_ = true;
  if (!gate_.is_open()) return;
  if (tally_.responses < group_.size()) return ask_each_once(worker.now());
  ask_more();
  if (asked_ < group_.size() + std::min<std::uint64_t>(plan_.connections, plan_.in_flight)) return;
  window_.begin = worker.now();
  if (plan_.duration) keep_until_ = worker.now() + *plan_.duration;
  enter(Phase::keeping);
}

void Exchanger::ask_each_once(Instant now) {
  if (tally_.responses != first_answers_ || wait_until_ == Instant{}) {
    first_answers_ = tally_.responses;
    wait_until_ = now + kAnswerWait;
  }
  if (asked_ < group_.size()) ask_more();
  if (now < wait_until_ && group_.alive() == group_.size()) return;
  gate_.give_up();  // some never answered
  waits_ = false;
  begin_closing(now);
}

void Exchanger::ask_more() {
  // Asked once more, those that take no turns go on by themselves.
  std::uint64_t end = group_.size();
  if (asked_ >= end) end = takes_turns() ? std::numeric_limits<std::uint64_t>::max() : 2 * end;
  for (int i = 0; i < kAsksPerPoll && asked_ < end && in_flight_ < plan_.in_flight; ++i) {
    const Connection connection = members_[next_];
    next_ = next_ + 1 == members_.size() ? 0 : next_ + 1;
    ++asked_;
    if (connection.is_alive() && !is_asked(connection.context())) ask(connection);
  }
}

void Exchanger::keep(Instant now) {
  if (now >= keep_until_ || group_.alive() == 0) return begin_closing(now);
  if (takes_turns()) ask_more();
}

void Exchanger::begin_closing(Instant now) {
  if (phase() == Phase::keeping) window_.end = now;
  wait_until_ = now + kAnswerWait;
  enter(Phase::closing);
}

// Those that owe nothing are closed at once, the others when they have answered, or are reset when
// they do not.
void Exchanger::close(const Worker& worker) {
  group_.visit_some(worker, [this](Connection connection) {
    if (!is_asked(connection.context())) {
      end(connection, plan_.closing);
    } else if (!waits_) {
      (void)connection.abort();
    }
  });
  if (group_.is_over()) return enter(Phase::finished);
  if (waits_ && in_flight_ != 0 && worker.now() >= wait_until_) {
    waits_ = false;
    group_.visit_again();
  }
}

void Exchanger::on_drain(Worker& worker) {
  group_.stop_opening();
  if (phase() < Phase::closing) begin_closing(worker.now());
}

void Exchanger::on_open(Connection connection) {
  handshake_.record(group_.join(connection));
  members_.push_back(connection);
  connection.set_context(kOpened);
}

void Exchanger::ask(Connection connection) {
  ++in_flight_;
  // The worker reads its clock once a turn, and all that happens in the turn has this time. A round
  // trip of a microsecond takes several turns, and reading the clock for each request would cost
  // more than the turn's share of it that is lost.
  const std::uint64_t begin = steps_at(connection.worker().now()) & kTimeMask;
  continue_request(connection, kOpened | begin | 1);
}

void Exchanger::continue_request(Connection connection, std::uint64_t context) {
  const std::uint64_t before = request_sent(context);
  const std::uint64_t sent = give(connection, before, plan_.request_size);
  connection.set_context(context + ((sent - before) << kRequestSentShift));
}

std::size_t Exchanger::on_data(Connection connection, Bytes data) {
  const std::uint64_t context = connection.context();
  const std::uint64_t received = response_received(context) + data.size();
  tally_.bytes_received += data.size();
  const bool is_early =
      received == plan_.response_size && request_sent(context) < plan_.request_size;
  if (!is_asked(context) || received > plan_.response_size || is_early) {
    (void)connection.abort();  // this is no answer to what it was asked
  } else if (received < plan_.response_size) {
    connection.set_context(context + (std::uint64_t{data.size()} << kResponseReceivedShift));
  } else {
    answered(connection, context);
  }
  return data.size();
}

void Exchanger::answered(Connection connection, std::uint64_t context) {
  ++tally_.responses;
  --in_flight_;
  if (phase() == Phase::keeping) {
    const std::uint64_t begin = context & kTimeMask;
    const std::uint64_t steps = (steps_at(connection.worker().now()) - begin) & kTimeMask;
    round_trip_.record(steps << kTimeStepShift);
  }
  if (phase() >= Phase::closing) {
    connection.set_context(kOpened);
    end(connection, plan_.closing);
  } else if (takes_turns() || asked_ <= group_.size()) {
    connection.set_context(kOpened);
  } else {
    ask(connection);
  }
}

void Exchanger::on_writable(Connection connection) {
  const std::uint64_t context = connection.context();
  if (is_asked(context)) continue_request(connection, context);
}

void Exchanger::on_closed(Connection connection, CloseReason reason) {
  if (!group_.leave(connection, reason)) return;
  const bool owed = is_asked(connection.context());
  if (owed) --in_flight_;
  if (!owed && phase() >= Phase::closing && reason == own_end_of(plan_.closing)) {
    ++tally_.completed;
  } else {
    ++tally_.failed_when_open[place(reason)];
  }
}

}  // namespace handfast::load
