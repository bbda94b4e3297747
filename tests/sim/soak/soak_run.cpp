#include "tests/sim/soak/soak_run.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "tests/sim/soak/application.hpp"
#include "tests/sim/soak/frame_watch.hpp"
#include "tests/sim/soak/judge.hpp"
#include "tests/sim/soak/record_check.hpp"

namespace handfast::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kServerPort = 7000;
// What is to be opened within a callback is opened from outside when none has come by then.
constexpr Duration kConnectWithin = 100ms;

// What happens from outside, and when.
struct Event {
  enum class Kind : std::uint8_t {
    connect,
    connect_within,
    abort,
    quit,
    drought_begins,
    drought_ends,
    restart,
    stop,
  };
  Instant at;
  Kind kind;
  std::size_t which;  // a connection's number, or a host
  std::size_t end = 0;
  std::size_t order = 0;  // among those of the same moment
};

class SoakRun {
 public:
  SoakRun(const Plan& plan, const SoakWatchers& watchers);
  SoakReport run();

 private:
  struct Site {
    std::unique_ptr<drivers::MiddleboxDevice> box;
    FrameWatch* watch = nullptr;  // the world's
    std::unique_ptr<Application> application;
    std::unique_ptr<RecordCheck> check;
    std::vector<base::Packet> stolen;
  };

  void add_host(std::size_t index);
  void listen(std::size_t host);
  void plan_events();
  void plan_connection(std::size_t number);
  void plan_host(std::size_t host);
  void apply(const Event& event);
  void connect(std::size_t number, std::size_t end, bool is_within = false);
  void begin_drought(std::size_t host);
  void end_drought(std::size_t host);
  void restart(std::size_t host);
  void stop(std::size_t host);
  bool is_over();
  void end_what_is_left();
  void check_books_of(std::size_t host);
  // Of any box: an ICMP error about what was in flight.
  bool has_complaint() const;
  void finish();

  const Plan& plan_;
  Journal journal_;
  World world_;
  Instant start_;
  Books books_;
  std::vector<HostFate> fates_;
  std::vector<Site> sites_;
  std::vector<Event> events_;
};

SoakRun::SoakRun(const Plan& plan, const SoakWatchers& watchers)
    : plan_(plan),
      journal_(watchers.trace),
      world_(plan.link, plan.poll_interval),
      start_(world_.now()),
      books_(plan),
      fates_(plan.hosts.size()),
      sites_(plan.hosts.size()) {
  journal_.set_now(world_.now());
  world_.link().set_tap([this, tap = watchers.tap](Instant now, base::Bytes frame) {
    journal_.frame(now, frame);
    if (tap) tap(now, frame);
  });
  world_.set_on_turned([this](std::size_t host) {
    if (sites_[host].check) sites_[host].check->check(world_.stack(host));
  });
  for (std::size_t host = 0; host < plan.hosts.size(); ++host) add_host(host);
  plan_events();
}

void SoakRun::add_host(std::size_t index) {
  const HostPlan& host = plan_.hosts[index];
  Site& site = sites_[index];
  HostConfig config = host.config;
  config.wrap = [&](base::Device& device) -> std::unique_ptr<base::Device> {
    base::Device* inner = &device;
    if (host.has_box) {
      drivers::MiddleboxConfig box = host.box;
      const Duration shift = start_ - Instant{};
      for (drivers::Outage& outage : box.outages) {
        outage.from = outage.from + shift;
        outage.until = outage.until + shift;
      }
      for (Instant& at : box.forgets_at) at = at + shift;
      for (drivers::MtuChange& change : box.mtus) change.at = change.at + shift;
      site.box = std::make_unique<drivers::MiddleboxDevice>(device, box);
      inner = site.box.get();
    }
    auto watch = std::make_unique<FrameWatch>(*inner, index, journal_);
    site.watch = watch.get();
    return watch;
  };
  world_.add_host(config);
  site.watch->set_has_dropped([this, index] {
    const Counters counters = world_.worker(index).counters();
    return counters.neighbour_queue_dropped + counters.no_packet_buffer + counters.answers_dropped >
           0;
  });
  site.check = std::make_unique<RecordCheck>(index, books_, journal_);
  site.application =
      std::make_unique<Application>(index, world_, books_, journal_, host.config.seed ^ 0x50af);
  fates_[index].box = site.box.get();
  listen(index);
}

void SoakRun::listen(std::size_t host) {
  const Endpoint everywhere{Address{}, kServerPort};
  if (!world_.worker(host).listen(everywhere, *sites_[host].application)) {
    journal_.fail("host {}: listen failed", host);
  }
}

// --- what happens from outside

void SoakRun::plan_events() {
  for (std::size_t number = 0; number < plan_.connections.size(); ++number) plan_connection(number);
  for (std::size_t host = 0; host < plan_.hosts.size(); ++host) plan_host(host);
  for (std::size_t i = 0; i < events_.size(); ++i) events_[i].order = i;
  std::ranges::sort(events_, {}, [](const Event& event) {
    return std::pair{event.at, event.order};
  });
}

void SoakRun::plan_connection(std::size_t number) {
  const ConnectionPlan& connection = plan_.connections[number];
  Instant begin = start_ + connection.starts_at;
  if (connection.opens_within) {
    events_.push_back({begin, Event::Kind::connect_within, number, kClientEnd});
    begin = begin + kConnectWithin;
  }
  events_.push_back({begin, Event::Kind::connect, number, kClientEnd});
  if (connection.is_mutual) {
    events_.push_back({begin + connection.mutual_delay, Event::Kind::connect, number, kServerEnd});
  }
  for (const std::size_t end : {kClientEnd, kServerEnd}) {
    const EndPlan& plan = connection.ends[end];
    events_.push_back({begin + plan.quits_at, Event::Kind::quit, number, end});
    if (plan.aborts_at) {
      events_.push_back({begin + *plan.aborts_at, Event::Kind::abort, number, end});
    }
  }
}

void SoakRun::plan_host(std::size_t host) {
  const HostPlan& plan = plan_.hosts[host];
  for (const auto& [from, until] : plan.droughts) {
    events_.push_back({start_ + from, Event::Kind::drought_begins, host});
    events_.push_back({start_ + until, Event::Kind::drought_ends, host});
  }
  for (const Duration at : plan.restarts) {
    events_.push_back({start_ + at, Event::Kind::restart, host});
  }
  if (plan.stops_at) events_.push_back({start_ + *plan.stops_at, Event::Kind::stop, host});
}

void SoakRun::apply(const Event& event) {
  switch (event.kind) {
    case Event::Kind::connect:
      return connect(event.which, event.end);
    case Event::Kind::connect_within:
      return connect(event.which, event.end, true);
    case Event::Kind::abort:
      return sites_[books_.at(event.which, event.end).host].application->abort(event.which,
                                                                               event.end);
    case Event::Kind::quit:
      return sites_[books_.at(event.which, event.end).host].application->quit(event.which,
                                                                              event.end);
    case Event::Kind::drought_begins:
      return begin_drought(event.which);
    case Event::Kind::drought_ends:
      return end_drought(event.which);
    case Event::Kind::restart:
      return restart(event.which);
    case Event::Kind::stop:
      return stop(event.which);
  }
}

void SoakRun::connect(std::size_t number, std::size_t end, bool is_within) {
  const ConnectionPlan& plan = plan_.connections[number];
  const std::size_t here = end == kClientEnd ? plan.client : plan.server;
  const std::size_t there = end == kClientEnd ? plan.server : plan.client;
  ConnectOptions options{.source = address_of(here, plan.is_v6),
                         .connection = plan.options,
                         .fast_open = plan.is_fast};
  Endpoint remote{address_of(there, plan.is_v6), kServerPort};
  if (plan.is_mutual) {
    options.source_port = static_cast<std::uint16_t>(plan.port + end);
    remote.port = static_cast<std::uint16_t>(plan.port + 1 - end);
  }
  Application& application = *sites_[here].application;
  if (is_within) return application.connect_within(number, end, remote, options);
  application.connect(number, end, remote, options);
}

void SoakRun::begin_drought(std::size_t host) {
  std::vector<base::Packet>& stolen = sites_[host].stolen;
  drivers::SimPool& pool = world_.pool(host);
  std::vector<base::Packet> all(pool.capacity());
  all.resize(pool.allocate(all));
  journal_.note(host, "host {}: {} packets are gone", host, all.size());
  stolen.insert(stolen.end(), all.begin(), all.end());
}

void SoakRun::end_drought(std::size_t host) {
  std::vector<base::Packet>& stolen = sites_[host].stolen;
  journal_.note(host, "host {}: {} packets are back", host, stolen.size());
  world_.pool(host).free(stolen);
  stolen.clear();
}

void SoakRun::restart(std::size_t host) {
  journal_.note(host, "host {}: restarts", host);
  Site& site = sites_[host];
  const Counters counters = world_.worker(host).counters();
  fates_[host].time_waits_given_up += counters.time_wait_reused + counters.time_wait_cut_short;
  fates_[host].restarted = true;
  site.application->lose_all();
  site.watch->forget();
  site.check->forget();
  end_drought(host);
  world_.restart_host(
      host, plan_.hosts[host].config.seed + static_cast<std::uint64_t>(world_.now().ns()));
  listen(host);
}

void SoakRun::stop(std::size_t host) {
  journal_.note(host, "host {}: stops", host);
  fates_[host].stopped = true;
  sites_[host].application->drop_buffers();
  world_.stack(host).stop(world_.now_of(host));
  // Nothing but on_closed may come.
  books_.for_each_end([host](std::size_t, std::size_t, EndBook& book) {
    if (book.host == host && book.is_live()) book.abort_called = true;
  });
}

// --- the end

bool SoakRun::is_over() {
  for (std::size_t host = 0; host < sites_.size(); ++host) {
    if (world_.worker(host).open_count() > 0) return false;
  }
  return true;
}

void SoakRun::end_what_is_left() {
  const Judge judge(plan_, books_, fates_, journal_);
  books_.for_each_end([&](std::size_t number, std::size_t end, const EndBook& book) {
    if (!judge.is_stuck(number, end)) return;
    journal_.fail("{} (port {}): stuck; sent {}, received {}, close called {}",
                  Books::name_of(number, end), book.key.local_port, book.sent, book.received,
                  book.close_called);
  });
  books_.for_each_end([&](std::size_t number, std::size_t end, const EndBook& book) {
    if (book.is_live()) sites_[book.host].application->abort(number, end);
  });
  for (Site& site : sites_) site.application->drop_buffers();
}

bool SoakRun::has_complaint() const {
  return std::ranges::any_of(sites_, [](const Site& site) {
    return site.box != nullptr && site.box->counters().complained > 0;
  });
}

void SoakRun::check_books_of(std::size_t host) {
  if (fates_[host].restarted) return;
  const Counters counters = world_.worker(host).counters();
  std::uint64_t opened = 0;
  std::uint64_t active = 0;
  books_.for_each_end([&](std::size_t, std::size_t, const EndBook& book) {
    if (book.host != host) return;
    opened += book.is_active ? book.opened : 0;
    active += book.is_active ? 1 : 0;
  });
  if (counters.active_opens != active || counters.established_active != opened) {
    journal_.fail("host {}: counts {} active opens and {} established, books say {} and {}", host,
                  counters.active_opens, counters.established_active, active, opened);
  }
  const std::uint64_t ended = counters.closed_finished + counters.closed_reset +
                              counters.closed_refused + counters.closed_timed_out +
                              counters.closed_aborted + counters.closed_unreachable;
  const std::uint64_t began = active + sites_[host].application->accepted();
  if (ended != began) journal_.fail("host {}: {} connections began, {} ended", host, began, ended);
  const std::uint64_t passive = counters.established_passive;
  const std::uint64_t accepted = sites_[host].application->accepted();
  if (passive > accepted || passive + counters.fast_open_accepted < accepted) {
    journal_.fail("host {}: {} accepted, {} of them established", host, accepted, passive);
  }
  if (counters.icmp_errors_received > 0 && !has_complaint()) {
    journal_.fail("host {}: believed {} forged ICMP errors", host, counters.icmp_errors_received);
  }
}

void SoakRun::finish() {
  end_what_is_left();
  // All handshakes are given up by then, at half the speed of time too, and all TIME-WAIT is over.
  world_.run_for(130min);
  for (std::size_t host = 0; host < sites_.size(); ++host) {
    const Counters counters = world_.worker(host).counters();
    fates_[host].time_waits_given_up += counters.time_wait_reused + counters.time_wait_cut_short;
    sites_[host].check->check_empty(world_.stack(host));
    check_books_of(host);
  }
  Judge(plan_, books_, fates_, journal_).judge_all();
  for (Site& site : sites_) site.application->drop_buffers();
  if (const std::size_t missing = world_.shut_down(); missing != 0) {
    journal_.fail("{} packets are missing from the pools", missing);
  }
}

SoakReport SoakRun::run() {
  for (const Event& event : events_) {
    if (event.at > world_.now()) world_.run_for(event.at - world_.now());
    apply(event);
  }
  world_.run_until([this] { return is_over(); }, plan_.limit);
  SoakReport report{.seed = plan_.seed, .virtual_time = world_.now() - start_};
  finish();
  report.failures = journal_.failures();
  report.failure_count = journal_.failure_count();
  report.frames = journal_.frames();
  report.digest = journal_.digest();
  books_.for_each_end([&](std::size_t, std::size_t, const EndBook& book) {
    if (book.closed > 0) ++report.ends[static_cast<std::size_t>(book.reason)];
  });
  return report;
}

}  // namespace

SoakReport run_soak(const Plan& plan, const SoakWatchers& watchers) {
  return SoakRun(plan, watchers).run();
}

}  // namespace handfast::sim
