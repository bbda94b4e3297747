#include "tests/sim/soak/plan.hpp"

#include <algorithm>
#include <bit>
#include <initializer_list>

#include "base/random.hpp"

namespace handfast::sim {
namespace {

using namespace std::chrono_literals;
using base::Random;

// As many short ones as long ones: even on a logarithmic scale.
Duration between(Random& random, Duration least, Duration most) {
  const auto doubles = static_cast<std::uint64_t>(
      std::bit_width(static_cast<std::uint64_t>(most.count() / least.count())));
  const std::int64_t ns = least.count() << random.below(doubles);
  const auto more = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(ns)));
  return std::min(Duration{ns + more}, most);
}

std::uint32_t between(Random& random, std::uint32_t least, std::uint32_t most) {
  const std::uint32_t size =
      least << random.below(static_cast<std::uint64_t>(std::bit_width(most / least)));
  return std::min(most, size + static_cast<std::uint32_t>(random.below(size)));
}

template <class T>
T one_of(Random& random, std::initializer_list<T> choices) {
  return choices.begin()[random.below(choices.size())];
}

bool once_in(Random& random, std::uint64_t n) {
  return random.below(n) == 0;
}

// What the whole plan is like, drawn first.
struct Mood {
  bool is_hostile;
  bool is_calm;     // no weather: what is asked for then is strictest
  bool has_boxes;   // on some hosts' paths
  Duration length;  // things happen from outside during this
};

// --- paths

drivers::Impairment draw_weather(Random& random) {
  drivers::Impairment weather;
  if (once_in(random, 2)) weather.drop = one_of(random, {0.001, 0.01, 0.03, 0.1});
  if (once_in(random, 3)) weather.duplicate = one_of(random, {0.01, 0.05, 0.2});
  if (once_in(random, 3)) weather.reorder = one_of(random, {0.01, 0.05, 0.2});
  if (once_in(random, 6)) weather.corrupt = one_of(random, {0.001, 0.02});
  if (once_in(random, 6)) weather.bursts = {.p = 0.01, .r = 0.3};
  if (once_in(random, 2)) weather.delay = between(random, 10us, 150ms);
  if (once_in(random, 3)) weather.jitter = between(random, 10us, 20ms);
  weather.reorder_delay = between(random, 20us, 50ms);
  if (once_in(random, 5)) {
    weather.bits_per_second = one_of(random, {1'000'000U, 10'000'000U, 100'000'000U});
    weather.queue_max.frames = one_of(random, {6U, 20U, 100U});
    if (once_in(random, 2)) weather.ce_threshold.frames = weather.queue_max.frames / 3 + 1;
  }
  return weather;
}

constexpr std::uint8_t kMssOption = 2;
constexpr std::uint8_t kWindowScale = 3;
constexpr std::uint8_t kSackPermitted = 4;
constexpr std::uint8_t kSack = 5;
constexpr std::uint8_t kTimestamps = 8;
constexpr std::uint8_t kFastOpen = 34;

drivers::Outage draw_outage(Random& random, const Mood& mood) {
  const Duration from = between(random, 1ms, mood.length);
  const Duration lasts = between(random, 10ms, mood.is_hostile ? Duration(10min) : Duration(5s));
  const std::uint64_t which = random.below(4);
  return {.from = Instant{} + from,
          .until = Instant{} + from + lasts,
          .sent = which != 0,
          .received = which != 1};
}

// A path that is smaller than the links at its ends, or becomes so, and later larger again; and
// what it makes of text in SYNs.
void draw_paths(Random& random, const Mood& mood, drivers::MiddleboxConfig& box) {
  if (once_in(random, 3)) {
    const std::uint64_t changes = 1 + random.below(3);
    Instant at;
    for (std::uint64_t i = 0; i < changes; ++i) {
      if (i > 0 || once_in(random, 2)) at = at + between(random, 1ms, mood.length);
      const auto mtu = one_of<std::uint16_t>(random, {0, 296, 576, 1000, 1280, 1400});
      // Without ICMP, which may be lost, nobody goes below the MSS of MUST-15.
      const bool is_findable = mtu == 0 || mtu >= 576 || mood.is_hostile;
      box.mtus.push_back({at, is_findable ? mtu : std::uint16_t{576}});
    }
    box.hides_mtu = once_in(random, 4);
  }
  box.tells_of_outages = once_in(random, 2);
  if (once_in(random, 4)) {
    box.syn_text =
        one_of(random, {drivers::SynText::cut, drivers::SynText::swallowed_with_its_syn});
  }
}

// What ends notice at most, and must live with.
void draw_kind_box(Random& random, const Mood& mood, drivers::MiddleboxConfig& box) {
  if (once_in(random, 4)) {
    const auto kind = drivers::option_bit(
        one_of(random, {kMssOption, kWindowScale, kSackPermitted, kTimestamps, kFastOpen}));
    box.strip_sent = box.strip_received = kind;
  }
  if (once_in(random, 8)) box.strip_always = drivers::option_bit(kSack);
  if (once_in(random, 4)) box.mss_max = one_of<std::uint16_t>(random, {100, 536, 1000, 1300});
  if (once_in(random, 4)) {
    box.echo = one_of(random, {0.01, 0.1});
    box.echo_after = between(random, 10ms, 8s);
  }
  if (once_in(random, 3)) box.blind_reset = one_of(random, {0.01, 0.2});
  if (once_in(random, 3)) box.blind_segment = one_of(random, {0.01, 0.2});
  if (once_in(random, 3)) box.blind_error = one_of(random, {0.01, 0.2});
  if (once_in(random, 6)) box.soft_error = one_of(random, {0.001, 0.02});
  draw_paths(random, mood, box);
  if (once_in(random, 6)) {
    box.shifts_sequence = true;
    box.shifts_sack = once_in(random, 2);
    box.blind_error = 0;  // a shifted guess may be right
  }
  const std::uint64_t outages = once_in(random, 3) ? random.below(3) : 0;
  for (std::uint64_t i = 0; i < outages; ++i) box.outages.push_back(draw_outage(random, mood));
}

void draw_hostile_box(Random& random, const Mood& mood, Plan& plan, drivers::MiddleboxConfig& box) {
  if (once_in(random, 4)) box.exact_reset = one_of(random, {0.001, 0.02});
  if (once_in(random, 4)) box.hard_error = one_of(random, {0.01, 0.1});
  if (once_in(random, 4)) box.forget_after = between(random, 50ms, 60s);
  while (once_in(random, 4)) {
    box.forgets_at.push_back(Instant{} + between(random, 1ms, mood.length));
  }
  box.forgotten_get_reset = once_in(random, 2);
  if (once_in(random, 8)) box.frame_max = one_of<std::uint16_t>(random, {600, 1000, 1400});
  if (once_in(random, 6)) {
    plan.is_asymmetric = true;
    box.strip_received = drivers::option_bit(
        one_of(random, {kMssOption, kWindowScale, kSackPermitted, kTimestamps, kFastOpen}));
  }
  if (once_in(random, 12)) {
    plan.is_asymmetric = true;
    box.strip_always = drivers::option_bit(kTimestamps);
  }
}

// --- hosts

// A host's clock begins at 0 or just before one of its counters of time comes round.
Duration draw_clock_start(Random& random) {
  const std::int64_t microseconds = (std::int64_t{1} << 32) * 1000;
  const std::int64_t ticks = (std::int64_t{1} << 32) << base::kTickShift;
  const std::int64_t milliseconds = (std::int64_t{1} << 32) * 1'000'000;
  const std::int64_t wrap =
      one_of(random, {microseconds, microseconds / 2, ticks, ticks / 2, milliseconds / 2});
  return Duration{wrap} - between(random, 2s, 60s);
}

void draw_buffers(Random& random, StackConfig& stack) {
  stack.send_buffer = between(random, 1024U, 256U * 1024);
  stack.receive_buffer = between(random, 1024U, 256U * 1024);
  stack.send_buffer_max = between(random, stack.send_buffer, 4 * stack.send_buffer);
  stack.receive_buffer_max = between(random, stack.receive_buffer, 4 * stack.receive_buffer);
}

void draw_patience(Random& random, const Mood& mood, StackConfig& stack) {
  stack.msl = mood.is_hostile ? between(random, 100ms, 30s) : between(random, 15s, 30s);
  stack.rto_min = between(random, 5ms, 200ms);
  stack.rto_initial = std::max(stack.rto_min, between(random, 50ms, 1s));
  stack.rto_max = std::max(stack.rto_initial, between(random, 1s, 4s));
  stack.syn_timeout = stack.user_timeout = 60min;
  if (!mood.is_hostile) return;
  if (once_in(random, 2)) stack.syn_timeout = between(random, 100ms, 3min);
  if (once_in(random, 2)) stack.user_timeout = between(random, 100ms, 5min);
  if (once_in(random, 3)) stack.rto_max = 60s;
  if (once_in(random, 3)) {
    stack.keep_alive = between(random, 1s, 60s);
    stack.keep_alive_interval = between(random, 100ms, 10s);
    stack.keep_alive_probes = static_cast<std::uint8_t>(2 + random.below(5));
  }
}

StackConfig draw_stack(Random& random, const Mood& mood, std::size_t index) {
  StackConfig stack;
  stack.interface.addresses = {{address_of(index, false), 16}, {address_of(index, true), 64}};
  stack.max_connections = stack.max_half_open = 64;
  stack.max_time_wait = 128;
  stack.max_listeners = 4;
  if (mood.is_hostile && once_in(random, 6)) stack.max_connections = 2;
  if (mood.is_hostile && once_in(random, 6)) stack.max_half_open = 1;
  if (mood.is_hostile && once_in(random, 6)) stack.max_time_wait = 1;
  draw_buffers(random, stack);
  draw_patience(random, mood, stack);
  stack.first_port = 40'000;
  stack.last_port = static_cast<std::uint16_t>(once_in(random, 3) ? 40'015 : 60'000);
  stack.timestamps = !once_in(random, 4);
  stack.window_scaling = !once_in(random, 4);
  stack.sack = !once_in(random, 4);
  stack.fast_open = one_of(random, {FastOpen::off, FastOpen::client, FastOpen::server,
                                    FastOpen::both, FastOpen::both, FastOpen::both});
  if (once_in(random, 8)) stack.max_fast_open = 1;
  stack.ecn = one_of(random, {EcnMode::off, EcnMode::accept, EcnMode::offer});
  stack.congestion_control =
      one_of(random, {CongestionControl::new_reno, CongestionControl::cubic,
                      CongestionControl::dctcp, CongestionControl::bbr, CongestionControl::none});
  stack.nagle = !once_in(random, 3);
  stack.delayed_ack = once_in(random, 4) ? Duration{0} : between(random, 1ms, 200ms);
  stack.textbook = once_in(random, 5);
  stack.interface.mtu = one_of<std::uint16_t>(random, {1280, 1400, 1500, 1500, 1500});
  return stack;
}

void draw_device(Random& random, HostPlan& host) {
  HostConfig& config = host.config;
  if (config.impair || host.has_box || !once_in(random, 3)) return;
  config.offloads = {.checksums = true, .tso = once_in(random, 2), .lro = once_in(random, 3)};
}

void draw_troubles(Random& random, const Mood& mood, HostPlan& host) {
  while (!mood.is_calm && once_in(random, 5)) {
    const Duration from = between(random, 1ms, mood.length);
    host.droughts.push_back({from, from + between(random, 1ms, 3s)});
  }
  if (!mood.is_hostile) return;
  while (once_in(random, 7)) host.restarts.push_back(between(random, 1ms, mood.length));
  if (once_in(random, 12)) host.stops_at = between(random, 1ms, mood.length);
}

HostPlan draw_host(Random& random, const Mood& mood, std::size_t index, Plan& plan) {
  HostPlan host;
  host.config.stack = draw_stack(random, mood, index);
  host.config.seed = random.next();
  host.config.mtu = 1500;
  host.config.packets = once_in(random, 5) ? 160 + random.below(200) : 2048;
  if (once_in(random, 4)) {
    host.config.clock.parts_per_million =
        one_of<std::int32_t>(random, {-500'000, -1000, -20, 20, 1000, 500'000, 1'000'000});
  }
  if (once_in(random, 4)) host.config.clock.ahead = draw_clock_start(random);
  if (!mood.is_calm && !once_in(random, 3)) {
    const drivers::Impairment sent = draw_weather(random);
    const bool is_symmetric = once_in(random, 2);
    host.config.impair =
        drivers::ImpairConfig{.send = sent,
                              .receive = is_symmetric ? sent : draw_weather(random),
                              .seed = random.next(),
                              .held_max = 512};
  }
  host.has_box = mood.has_boxes && once_in(random, 2);
  if (host.has_box) {
    host.box.seed = random.next();
    draw_kind_box(random, mood, host.box);
    if (mood.is_hostile) draw_hostile_box(random, mood, plan, host.box);
  }
  draw_device(random, host);
  draw_troubles(random, mood, host);
  return host;
}

// --- applications

EndPlan draw_end(Random& random, const Mood& mood) {
  EndPlan end;
  end.bytes = once_in(random, 6) ? 0 : between(random, 1U, once_in(random, 8) ? 400'000U : 40'000U);
  end.piece = between(random, 1U, 5000U);
  end.pause = between(random, 100us, 50ms);
  // Not so many pieces that they take all the time there is.
  end.piece = std::max(end.piece, end.bytes / 200 + 1);
  end.sending = one_of(random, {Sending::at_once, Sending::at_once, Sending::dribble});
  end.reading = one_of(random, {Reading::eager, Reading::eager, Reading::partly, Reading::again,
                                Reading::retain, Reading::never});
  end.closing = one_of(random, {Closing::when_sent, Closing::when_sent, Closing::when_peer_finished,
                                Closing::at_quit, Closing::within});
  end.patience = mood.is_hostile ? between(random, 1ms, 60s) : Duration(60min);
  if (once_in(random, 3)) end.whim = one_of(random, {0.05, 0.5});
  end.uses_buffers = once_in(random, 4);
  if (once_in(random, 5)) end.urgent = one_of(random, {0.1, 0.9});
  end.quits_at = between(random, 1ms, mood.length);
  if (once_in(random, 12)) end.aborts_in = static_cast<std::uint32_t>(1 + random.below(12));
  if (once_in(random, 20)) end.aborts_at = between(random, 10us, mood.length);
  return end;
}

ConnectionPlan draw_connection(Random& random, const Mood& mood, const Plan& plan,
                               std::size_t number) {
  ConnectionPlan connection;
  connection.client = random.below(plan.hosts.size());
  connection.server =
      (connection.client + 1 + random.below(plan.hosts.size() - 1)) % plan.hosts.size();
  connection.is_v6 = once_in(random, 3);
  connection.starts_at = once_in(random, 3) ? Duration{0} : between(random, 10us, mood.length / 2);
  connection.is_fast = once_in(random, 2);
  connection.opens_within = once_in(random, 6);
  connection.is_mutual = once_in(random, 10);
  if (connection.is_mutual) {
    connection.port = static_cast<std::uint16_t>(9000 + 2 * number);
    if (once_in(random, 2)) connection.mutual_delay = between(random, 1us, 20ms);
  }
  if (once_in(random, 4)) connection.options.nagle = once_in(random, 2);
  if (once_in(random, 4)) {
    connection.options.congestion_control = one_of(
        random, {CongestionControl::new_reno, CongestionControl::cubic, CongestionControl::bbr});
  }
  for (EndPlan& end : connection.ends) end = draw_end(random, mood);
  // Two who each wait for the other would wait for ever.
  if (once_in(random, 5)) connection.ends[1].sending = Sending::reactive;
  if (connection.ends[0].closing == Closing::when_peer_finished &&
      connection.ends[1].closing == Closing::when_peer_finished) {
    connection.ends[0].closing = Closing::when_sent;
  }
  if (connection.ends[1].sending == Sending::reactive &&
      connection.ends[0].closing == Closing::when_peer_finished) {
    connection.ends[0].closing = Closing::when_sent;
  }
  return connection;
}

}  // namespace

Address address_of(std::size_t index, bool is_v6) {
  const auto low = static_cast<std::uint8_t>(index + 1);
  if (!is_v6) return Address::v4(0x0a000000U + low);
  return Address::from_bytes({0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, low});
}

Plan Plan::draw(std::uint64_t seed) {
  std::uint64_t mixed = seed;
  Random random(base::split_mix(mixed));
  Plan plan;
  plan.seed = seed;
  const std::uint64_t kind = random.below(10);
  const Mood mood{.is_hostile = kind >= 5,
                  .is_calm = kind == 0,
                  .has_boxes = kind >= 3,
                  .length = between(random, 100ms, 20s)};
  plan.is_hostile = mood.is_hostile;
  plan.link = {.latency = between(random, 1us, 50ms),
               .bits_per_second = once_in(random, 3) ? 1'000'000'000ULL : 0,
               .queue_bytes_max = std::size_t{1} << 20};
  plan.poll_interval = one_of<Duration>(random, {0us, 20us, 100us, 1ms});
  const std::size_t hosts = 2 + (once_in(random, 3) ? random.below(3) : 0);
  for (std::size_t i = 0; i < hosts; ++i) plan.hosts.push_back(draw_host(random, mood, i, plan));
  const std::uint64_t connections = between(random, 1U, 12U);
  for (std::uint64_t i = 0; i < connections; ++i) {
    plan.connections.push_back(draw_connection(random, mood, plan, i));
  }
  plan.limit = 4h;
  return plan;
}

}  // namespace handfast::sim
