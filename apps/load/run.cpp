#include "apps/load/run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>

#include "apps/load/churn.hpp"
#include "apps/load/embedded_server.hpp"
#include "apps/load/exchanger.hpp"
#include "apps/load/fetcher.hpp"
#include "apps/load/gate.hpp"
#include "apps/load/keeper.hpp"
#include "apps/load/plan.hpp"
#include "apps/options/interrupt.hpp"

namespace handfast::load {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Duration kLookEvery = std::chrono::milliseconds(5);
constexpr Duration kLineEvery = std::chrono::seconds(1);
constexpr Duration kDrainMax = std::chrono::seconds(10);
constexpr Duration kDrainStep = std::chrono::milliseconds(100);
// The last frames are on their way for a poll or two.
constexpr Duration kArrivalMax = std::chrono::seconds(1);

class Run {
 public:
  explicit Run(const Options& options)
      : options_(options),
        plan_(make_plan(options, memory_available())),
        gate_(plan_.client_workers) {
    ends_.resize(plan_.server_workers + plan_.client_workers);
  }

  std::expected<void, std::string> start();
  Report finish(const apps::Interrupt& interrupt);
  // Until every client is done, or an interrupt.
  void watch(const apps::Interrupt& interrupt);
  Runtime& runtime() { return *runtime_; }

 private:
  std::unique_ptr<Application> make_end(unsigned worker);
  bool all_clients_are_at(Phase phase) const;
  void look();
  void begin_keeping();
  void end_keeping();
  void print_line();
  bool drain(const apps::Interrupt& interrupt);
  Side side_of(unsigned first, unsigned count, bool with_states);
  Books books(bool with_states);
  Work work();
  Histogram times(const Histogram& (End::*of)() const);
  Duration work_time();
  void note_kept();
  std::vector<apps::TransferRecord> transfers();
  Duration since_start() const { return Clock::now() - start_; }

  const Options& options_;
  const Plan plan_;
  Gate gate_;
  std::vector<End*> ends_;  // by worker; what they point to belongs to the workers' threads
  std::unique_ptr<Runtime> runtime_;
  Duration start_time_{};
  Clock::time_point start_;
  Moment last_line_;
  Phase phase_ = Phase::opening;  // of the client workers together
  Footprint footprint_at_start_;
  Duration keeping_since_{};
  Side kept_from_;
  std::optional<StreamResult> stream_;
  std::optional<KeptResult> kept_;
  std::optional<Work> work_;  // up to the end of the work, when that comes before the run's
  Work work_before_;          // what was done before the work began
  Duration work_since_{};
};

std::unique_ptr<Application> Run::make_end(unsigned worker) {
  std::unique_ptr<End> end;
  if (worker < plan_.server_workers) {
    end = std::make_unique<EmbeddedServer>(plan_.server);
  } else {
    const ClientPlan mine = plan_.client_of(worker - plan_.server_workers);
    if (mine.mode == Mode::connect || mine.mode == Mode::request) {
      end = std::make_unique<Churn>(mine, gate_);
    } else if (mine.mode == Mode::exchange) {
      end = std::make_unique<Exchanger>(mine, gate_);
    } else if (mine.mode == Mode::fetch) {
      end = std::make_unique<Fetcher>(mine);
    } else {
      end = std::make_unique<Keeper>(mine);
    }
  }
  ends_[worker] = end.get();
  return end;
}

std::expected<void, std::string> Run::start() {
  if (auto ok = check_memory(options_, memory_available()); !ok) return ok;
  footprint_at_start_ = own_footprint();
  const auto begin = Clock::now();
  auto runtime =
      Runtime::start(plan_.runtime, [this](unsigned worker) { return make_end(worker); });
  if (!runtime) return std::unexpected(runtime.error());
  runtime_ = std::move(*runtime);
  start_ = Clock::now();
  start_time_ = start_ - begin;
  return {};
}

bool Run::all_clients_are_at(Phase phase) const {
  return std::all_of(ends_.begin() + plan_.server_workers, ends_.end(),
                     [&](const End* end) { return end->phase() >= phase; });
}

void Run::watch(const apps::Interrupt& interrupt) {
  while (!interrupt.asked() && phase_ != Phase::finished) {
    runtime_->wait(kLookEvery);
    look();
    if (since_start() - last_line_.time >= kLineEvery) print_line();
  }
}

void Run::look() {
  const Phase all_kept = options_.held ? Phase::opening : Phase::keeping;
  if (options_.kept() != 0 && !kept_ && all_clients_are_at(all_kept) && !gate_.is_given_up()) {
    note_kept();
  }
  const bool keeps = options_.mode == Mode::stream;
  if (phase_ == Phase::opening && keeps && all_clients_are_at(Phase::keeping)) begin_keeping();
  const bool any_closes = std::any_of(ends_.begin() + plan_.server_workers, ends_.end(),
                                      [](const End* end) { return end->phase() > Phase::keeping; });
  if (phase_ == Phase::keeping && any_closes) end_keeping();
  if (all_clients_are_at(Phase::finished)) phase_ = Phase::finished;
}

void Run::begin_keeping() {
  phase_ = Phase::keeping;
  keeping_since_ = since_start();
  kept_from_ = side_of(plan_.server_workers, plan_.client_workers, false);
}

// While they are open: those of a run that is short of some, or closes them already, are none.
void Run::note_kept() {
  const Duration open_time = since_start();
  const Books now = books(false);
  const Tally& tally = options_.held ? now.client.held : now.client.tally;
  if (tally.established < options_.kept()) return;
  MemoryUse memory{.before = footprint_at_start_, .after = own_footprint()};
  memory.table_bytes = now.client.table_bytes + (now.server ? now.server->table_bytes : 0);
  memory.records = options_.kept() * (now.server ? 2 : 1);
  memory.list_bytes_each = sizeof(Connection);
  kept_ = KeptResult{open_time, options_.kept(), memory};
  if (options_.mode == Mode::hold) {
    work_ = work();
  } else {
    work_before_ = {.client = now.client.counters};
    if (now.server) work_before_.server = now.server->counters;
    work_since_ = open_time;
  }
}

void Run::end_keeping() {
  phase_ = Phase::closing;
  if (options_.mode != Mode::stream) return;
  const Side now = side_of(plan_.server_workers, plan_.client_workers, false);
  stream_ = StreamResult{since_start() - keeping_since_,
                         now.counters.payload_bytes_sent - kept_from_.counters.payload_bytes_sent,
                         now.tally.bytes_received - kept_from_.tally.bytes_received};
}

void Run::print_line() {
  const Side client = side_of(plan_.server_workers, plan_.client_workers, false);
  const Tally& tally = client.tally;
  const Moment now{.time = since_start(),
                   .opened = tally.established,
                   .closed = tally.completed,
                   .in_flight = client.open,
                   .time_wait = client.time_wait,
                   .retransmitted = retransmissions(client.counters),
                   .failed = tally.failed(),
                   .payload_bytes = client.counters.payload_bytes_sent + tally.bytes_received,
                   .room_wait_ns = tally.room_wait_ns};
  if (last_line_.time.count() == 0) fmt::print("{}", progress_heading(options_.mode));
  fmt::print("{}", progress_line(options_.mode, last_line_, now));
  std::fflush(stdout);
  last_line_ = now;
}

Side Run::side_of(unsigned first, unsigned count, bool with_states) {
  Side sum;
  for (unsigned worker = first; worker < first + count; ++worker) {
    Side one;
    runtime_->run_on(worker, [&](Worker& at) {
      one.tally = ends_[worker]->tally();
      one.held = ends_[worker]->held_tally();
      one.counters = runtime_->counters(worker);  // with the port's
      one.stages = at.stage_times();
      if (with_states) one.states = at.state_counts();
      one.open = at.open_count() + at.half_open_count();
      one.time_wait = at.time_wait_count();
      one.table_bytes = at.connection_table_bytes();
    });
    sum += one;
  }
  return sum;
}

Books Run::books(bool with_states) {
  Books books;
  books.client = side_of(plan_.server_workers, plan_.client_workers, with_states);
  if (plan_.server_workers != 0) books.server = side_of(0, plan_.server_workers, with_states);
  return books;
}

Work Run::work() {
  constexpr double kNearlyAll = 0.95;  // the run's time is longer by the last closes
  const Books now = books(false);
  Work work{.client = now.client.counters};
  if (now.server) work.server = now.server->counters;
  work.leave_out(work_before_);
  if (options_.rate) {
    const double time = std::chrono::duration<double>(since_start() - work_since_).count();
    const double opened = static_cast<double>(now.client.tally.attempted);
    work.kept_rate = opened >= kNearlyAll * *options_.rate * time;
  }
  return work;
}

Histogram Run::times(const Histogram& (End::*of)() const) {
  Histogram sum;
  for (unsigned worker = plan_.server_workers; worker < ends_.size(); ++worker) {
    runtime_->run_on(worker, [&](Worker&) { sum.merge((ends_[worker]->*of)()); });
  }
  return sum;
}

// From the first worker's beginning to the last one's end; zero where it never began.
Duration Run::work_time() {
  Window all{.begin = Instant::never(), .end = {}};
  for (unsigned worker = plan_.server_workers; worker < ends_.size(); ++worker) {
    runtime_->run_on(worker, [&](Worker&) {
      const Window& one = ends_[worker]->window();
      if (one.end == Instant{}) return;
      all.begin = std::min(all.begin, one.begin);
      all.end = std::max(all.end, one.end);
    });
  }
  return all.end == Instant{} ? Duration(0) : all.end - all.begin;
}

std::vector<apps::TransferRecord> Run::transfers() {
  std::vector<apps::TransferRecord> all;
  for (unsigned worker = plan_.server_workers; worker < ends_.size(); ++worker) {
    runtime_->run_on(worker, [&](Worker&) {
      for (apps::TransferRecord& record : ends_[worker]->transfers()) all.push_back(record);
    });
  }
  return all;
}

bool Run::drain(const apps::Interrupt& interrupt) {
  const Clock::time_point begin = Clock::now();
  while (!runtime_->drain(kDrainStep)) {
    if (interrupt.asked_again() || Clock::now() - begin > kDrainMax) return false;
  }
  return true;
}

Report Run::finish(const apps::Interrupt& interrupt) {
  Report report;
  report.options = options_;
  report.interrupted = interrupt.asked();
  report.start_time = start_time_;
  report.run_time = since_start();
  if (phase_ == Phase::keeping) end_keeping();
  report.work = work_ ? *work_ : work();
  report.drained = drain(interrupt);
  const Clock::time_point drained = Clock::now();
  do {
    report.books = books(false);
  } while (!frames_have_arrived(report.books) && Clock::now() - drained < kArrivalMax);
  report.books = books(true);
  report.handshake = times(&End::handshake);
  report.round_trip = times(&End::round_trip);
  if (options_.kept() != 0 && options_.mode != Mode::hold) report.run_time = work_time();
  report.stream = stream_;
  report.kept = kept_;
  report.transfers = transfers();
  report.disagreements = disagreements(report.books);
  runtime_->stop();
  return report;
}

}  // namespace

std::expected<Report, std::string> run(const Options& options) {
  Run run(options);
  if (auto started = run.start(); !started) return std::unexpected(started.error());
  const apps::Interrupt interrupt(run.runtime());
  run.watch(interrupt);
  return run.finish(interrupt);
}

}  // namespace handfast::load
