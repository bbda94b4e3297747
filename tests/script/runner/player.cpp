#include "tests/script/runner/player.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tests/script/language/settings.hpp"
#include "tests/script/runner/frames.hpp"
#include "tests/script/runner/match.hpp"

namespace handfast::script {
namespace {

constexpr std::uint16_t kFirstClientPort = 40'000;
// How much longer than written a clock that is not exact may take.
constexpr Duration kPatience = std::chrono::seconds(4);
// ... and how long it is listened to for something that must not come.
constexpr Duration kSilenceMax = std::chrono::milliseconds(300);
constexpr Duration kSilenceMin = std::chrono::milliseconds(2);

double ms(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace

Player::Player(const Script& script, End& end, const Trace& trace)
    : script_(script), end_(end), trace_(trace) {
  (void)perform(UseFlow{.name = "first"});
}

Complaint Player::play() {
  const Side other = end_.is_exact() ? Side::linux_only : Side::handfast;
  for (const Statement& statement : script_.statements) {
    if (statement.side == other) continue;
    if (trace_) trace_(end_.now(), statement.text);
    if (auto complaint = play(statement)) {
      return fmt::format("{}:{}: {}\n    {}", statement.file, statement.line, statement.text,
                         *complaint);
    }
  }
  return end_.is_exact() ? check_nothing_left() : std::nullopt;
}

Complaint Player::check_nothing_left() {
  while (auto frame = end_.next_frame(end_.now())) {
    if (auto complaint = receive(*std::move(frame))) return complaint;
  }
  for (const auto& [name, flow] : flows_) {
    if (flow.seen.empty()) continue;
    return fmt::format("{}: at its end, a segment of connection {} has not been expected: {}",
                       script_.file, name, describe(flow.seen.front(), flow));
  }
  return std::nullopt;
}

Complaint Player::play(const Statement& statement) {
  auto complaint =
      std::visit([this](const auto& action) { return perform(action); }, statement.action);
  return broken_ ? broken_ : complaint;
}

void Player::has_acted() {
  acted_ = end_.now();
  lows_ = Duration{0};
}

Complaint Player::perform(const Inject& inject) {
  const SegmentSpec& segment = inject.segment;
  if ((segment.flags & base::kSyn) != 0) {
    flow().peer_syn = segment.seq;
    flow().delivered = 0;
  }
  has_acted();
  end_.inject(make_segment(segment, flow(), script_.is_v6));
  return std::nullopt;
}

Complaint Player::perform(const InjectIcmp& icmp) {
  has_acted();
  end_.inject(make_icmp(icmp, flow(), script_.is_v6));
  return std::nullopt;
}

Complaint Player::perform(const Expect& expect) {
  Seen* const first = await_segment(deadline(expect.within.high));
  if (broken_) return std::nullopt;
  if (first == nullptr) {
    return fmt::format("no segment within {} ms", ms(expect.within.high));
  }
  const Seen seen = std::move(*first);
  flow().seen.pop_front();
  if (expect.segment.is_fresh) flow().local_iss = seen.segment.seq;
  auto complaint = match(expect.segment, seen, flow());
  if (!complaint) complaint = check_time(expect.within, seen.at);
  if (!complaint) return std::nullopt;
  return fmt::format("{}; seen {:.3f} ms later: {}", *complaint, ms(seen.at - mark_),
                     describe(seen, flow()));
}

Complaint Player::perform(const ExpectNone& none) {
  const Duration quiet =
      end_.is_exact() ? none.duration : std::clamp(none.duration, kSilenceMin, kSilenceMax);
  const Duration until = std::max(mark_, end_.is_exact() ? mark_ : end_.now()) + quiet;
  const Seen* const seen = await_segment(until);
  if (broken_) return std::nullopt;
  if (seen != nullptr && seen->at <= until) {
    return fmt::format("{:.3f} ms later: {}", ms(seen->at - mark_), describe(*seen, flow()));
  }
  mark_ = until;
  lows_ += quiet;
  return std::nullopt;
}

Complaint Player::perform(const Wait& wait) {
  const Duration until = mark_ + wait.duration;
  while (auto frame = end_.next_frame(until)) {
    if (auto complaint = receive(*std::move(frame))) return complaint;
  }
  mark_ = until;
  has_acted();
  return std::nullopt;
}

Complaint Player::perform(const Call& call) {
  // An active open changes roles: the known port is the peer's.
  if (call.name == CallName::connect && flow().ports.local == kServerPort) {
    std::swap(flow().ports.local, flow().ports.peer);
  }
  has_acted();
  return end_.call(call, flow().ports);
}

Complaint Player::perform(const Event& event) {
  if (auto complaint = end_.await(event, flow().ports, deadline(event.within.high))) {
    return complaint;
  }
  if (event.name == EventName::data) {
    if (auto complaint = check_data(event)) return complaint;
  }
  if (event.name == EventName::none) return std::nullopt;
  if (auto complaint = check_time(event.within, end_.now())) {
    return fmt::format("{}; it was told after {:.3f} ms", *complaint, ms(end_.now() - mark_));
  }
  return std::nullopt;
}

Complaint Player::check_data(const Event& event) {
  const FrameBytes data = end_.take_data(flow().ports);
  if (data.size() != event.bytes) {
    return fmt::format("{} bytes were delivered", data.size());
  }
  for (const std::byte octet : data) {
    if (octet == text_at(++flow().delivered)) continue;
    return fmt::format("the byte with sequence number {} is delivered wrong",
                       flow().peer_syn + static_cast<std::int64_t>(flow().delivered));
  }
  return std::nullopt;
}

Complaint Player::perform(const StateIs& state) {
  return end_.check(state, flow().ports);
}

Complaint Player::perform(const CounterIs& counter) {
  return end_.is_exact() ? end_.check(counter) : std::nullopt;
}

Complaint Player::perform(const InfoIs& info) {
  return end_.is_exact() ? end_.check(info, flow().ports) : std::nullopt;
}

Complaint Player::perform(const UseFlow& use) {
  const auto place = static_cast<std::uint16_t>(flows_.size());
  const auto [entry, is_new] = flows_.try_emplace(use.name);
  flow_ = &entry->second;
  if (is_new) {
    flow_->ports = {.local = kServerPort,
                    .peer = static_cast<std::uint16_t>(kFirstClientPort + place)};
  }
  return std::nullopt;
}

Duration Player::deadline(Duration high) const {
  return end_.is_exact() ? mark_ + high : end_.now() + high + kPatience;
}

Seen* Player::await_segment(Duration until) {
  while (flow().seen.empty()) {
    auto frame = end_.next_frame(until);
    if (!frame) return nullptr;
    broken_ = receive(*std::move(frame));
    if (broken_) return nullptr;
  }
  return &flow().seen.front();
}

Flow& Player::flow_of(const FlowPorts& ports) {
  for (auto& [name, flow] : flows_) {
    if (flow.ports == ports) return flow;
  }
  return flow();  // whoever expects something next will say that it is another's
}

Complaint Player::receive(FrameAt frame) {
  Seen seen{.bytes = std::move(frame.bytes), .at = frame.at};
  const base::Packet packet{.data = seen.bytes.data(),
                            .length = static_cast<std::uint32_t>(seen.bytes.size())};
  const wire::Drop unfit = wire::parse_frame(packet, {.mac = kPeerMac}, seen.frame);
  if (unfit == wire::Drop::ip_protocol || unfit == wire::Drop::not_for_us_l2) return std::nullopt;
  if (unfit != wire::Drop::none) return fmt::format("a frame left with bad {}", to_string(unfit));
  if (seen.frame.kind != wire::FrameKind::tcp) return std::nullopt;
  const wire::Drop bad = wire::parse_tcp(seen.frame.payload, seen.frame, seen.ports, seen.segment);
  if (bad != wire::Drop::none) return fmt::format("a segment left with bad {}", to_string(bad));
  Flow& to = flow_of({.local = seen.ports.source, .peer = seen.ports.destination});
  if (seen.segment.has(base::kSyn) && !to.knows_local_iss) {
    to.local_iss = seen.segment.seq;
    to.knows_local_iss = true;
  }
  const base::TcpOptions& options = seen.segment.options;
  if (options.has(base::TcpOptions::kTimestamps)) to.ts_value = options.ts_value;
  if (trace_) trace_(seen.at, "  > " + describe(seen, to));
  to.seen.push_back(std::move(seen));
  return std::nullopt;
}

Complaint Player::check_time(const Within& within, Duration at) {
  if (end_.is_exact()) {
    const Duration passed = at - mark_;
    if (passed < within.low) return std::string("it came too early");
    if (passed > within.high) return std::string("it came too late");
    mark_ = std::max(mark_, at);
    return std::nullopt;
  }
  // A slow machine makes pauses longer and never shorter, if one counts from what one did oneself.
  lows_ += within.low;
  if (at - acted_ < lows_ / 2) return std::string("it came too early");
  mark_ = end_.now();
  return std::nullopt;
}

}  // namespace handfast::script
