#include "tests/script/runner/handfast_end.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tests/script/language/settings.hpp"
#include "wire/arp.hpp"
#include "wire/discovery.hpp"
#include "wire/frame.hpp"

namespace handfast::script {
namespace {

// A frame of the peer's that `emit` writes at a pointer and tells the length of.
template <class Emit>
FrameBytes make_frame(Emit&& emit) {
  FrameBytes frame(128);
  frame.resize(emit(frame.data()));
  return frame;
}

wire::LinkHeader link_of(std::uint16_t type) {
  return wire::make_link_header(kLocalMac, kPeerMac, std::nullopt, type);
}

}  // namespace

std::expected<std::unique_ptr<HandfastEnd>, std::string> HandfastEnd::start(const Script& script) {
  std::unique_ptr<HandfastEnd> end(new HandfastEnd(script));
  const base::DeviceInfo device{.mac = kLocalMac, .mtu = script.stack.interface.mtu};
  auto stack = stack::Stack::create(script.stack, {}, device, end->pool_, nullptr);
  if (!stack) return std::unexpected(stack.error());
  end->stack_ = *std::move(stack);
  end->introduce_peer();
  return end;
}

HandfastEnd::HandfastEnd(const Script& script) : is_v6_(script.is_v6) {}
HandfastEnd::~HandfastEnd() = default;

// The peer asks first, so that the first frame of a script is TCP's.
void HandfastEnd::introduce_peer() {
  turn();
  const Address ours = local_address(is_v6_);
  const Address peers = peer_address(is_v6_);
  inject(make_frame([&](std::byte* at) {
    if (!is_v6_) {
      return wire::emit_arp(at, link_of(wire::kEtherTypeArp),
                            {.operation = wire::Arp::Operation::request,
                             .sender_mac = kPeerMac,
                             .sender_ip = peers,
                             .target_ip = ours});
    }
    return wire::emit_solicitation(at, link_of(wire::kEtherTypeIpv6),
                                   {.source = peers, .destination = ours},
                                   {.target = ours, .source_mac = kPeerMac});
  }));
}

void HandfastEnd::inject(base::Bytes frame) {
  base::Packet packet;
  if (pool_.allocate({&packet, 1}) == 0) return;
  std::ranges::copy(frame, packet.data);
  packet.length = static_cast<std::uint32_t>(frame.size());
  stack_->input(now_, {&packet, 1});
  turn();
}

void HandfastEnd::turn() {
  stack_->advance(now_);
  do {
    stack_->output(now_);
    collect();
  } while (stack_->has_output());
}

void HandfastEnd::collect() {
  const std::span<const base::Packet> frames = stack_->frames();
  std::vector<FrameBytes> leaving;
  for (const base::Packet& packet : frames) {
    leaving.emplace_back(packet.bytes().begin(), packet.bytes().end());
  }
  pool_.free(frames);
  stack_->sent(frames.size());
  for (FrameBytes& frame : leaving) {
    answer_neighbour(frame);
    left_.push_back({.bytes = std::move(frame), .at = now()});
  }
}

void HandfastEnd::answer_neighbour(base::Bytes bytes) {
  FrameBytes copy(bytes.begin(), bytes.end());
  const base::Packet packet{.data = copy.data(), .length = static_cast<std::uint32_t>(copy.size())};
  wire::Frame frame{};
  const bool is_broadcast = wire::is_multicast(wire::load_native<base::MacAddress>(copy.data()));
  const base::MacAddress to =
      is_broadcast ? wire::load_native<base::MacAddress>(copy.data()) : kPeerMac;
  if (wire::parse_frame(packet, {.mac = to}, frame) != wire::Drop::none) return;
  wire::Arp arp;
  wire::Icmp icmp;
  wire::NeighbourSolicitation asked;
  if (frame.kind == wire::FrameKind::arp &&
      wire::parse_arp(frame.payload, arp) == wire::Drop::none &&
      arp.operation == wire::Arp::Operation::request && arp.target_ip != local_address(is_v6_)) {
    inject(make_frame([&](std::byte* at) {
      return wire::emit_arp(at, link_of(wire::kEtherTypeArp),
                            {.operation = wire::Arp::Operation::reply,
                             .sender_mac = kPeerMac,
                             .sender_ip = arp.target_ip,
                             .target_mac = kLocalMac,
                             .target_ip = arp.sender_ip});
    }));
  } else if (frame.kind == wire::FrameKind::icmpv6 &&
             wire::parse_icmpv6(frame, icmp) == wire::Drop::none &&
             icmp.type == wire::kIcmpv6NeighbourSolicitation &&
             wire::parse_solicitation(icmp, frame, asked) == wire::Drop::none) {
    inject(make_frame([&](std::byte* at) {
      return wire::emit_advertisement(at, link_of(wire::kEtherTypeIpv6),
                                      {.source = asked.target, .destination = frame.source},
                                      {.target = asked.target,
                                       .solicited = true,
                                       .override_cached = true,
                                       .target_mac = kPeerMac});
    }));
  }
}

bool HandfastEnd::step(Duration until) {
  const Instant end = kStart + until;
  const Instant next = std::max(stack_->next_deadline(), now_);
  const bool is_due = next <= end;
  now_ = std::max(now_, is_due ? next : end);
  turn();
  return is_due;
}

std::optional<FrameAt> HandfastEnd::next_frame(Duration until) {
  turn();
  while (left_.empty() && step(until)) {
  }
  if (left_.empty()) return std::nullopt;
  FrameAt first = std::move(left_.front());
  left_.pop_front();
  return first;
}

HandfastEnd::Socket& HandfastEnd::socket_of(const FlowPorts& ports) {
  for (Socket& socket : sockets_) {
    if (socket.ports == ports) return socket;
  }
  return sockets_.emplace_back(Socket{.ports = ports});
}

HandfastEnd::Socket& HandfastEnd::socket_of(Connection connection) {
  return sockets_.at(connection.context() - 1);
}

void HandfastEnd::note(Connection connection, Event event) {
  socket_of(connection).events.push_back(event);
}

void HandfastEnd::on_open(Connection connection) {
  if (connection.context() == 0) {  // a listener's
    const auto info = connection.info();
    Socket& socket = socket_of({.local = info->local.port, .peer = info->remote.port});
    socket = Socket{.ports = socket.ports, .is_paused = socket.is_paused};
    socket.connection = connection;
    const auto place = std::ranges::find(sockets_, socket.ports, &Socket::ports);
    connection.set_context(static_cast<std::uint64_t>(place - sockets_.begin()) + 1);
  }
  note(connection, {.name = EventName::open});
}

std::size_t HandfastEnd::on_data(Connection connection, base::Bytes data) {
  Socket& socket = socket_of(connection);
  if (socket.is_paused) return 0;
  socket.data.insert(socket.data.end(), data.begin(), data.end());
  return data.size();
}

void HandfastEnd::on_urgent(Connection connection) {
  note(connection, {.name = EventName::urgent});
}
void HandfastEnd::on_writable(Connection connection) {
  note(connection, {.name = EventName::writable});
}
void HandfastEnd::on_peer_finished(Connection connection) {
  note(connection, {.name = EventName::peer_finished});
}
void HandfastEnd::on_closed(Connection connection, CloseReason reason) {
  note(connection, {.name = EventName::closed, .reason = reason});
}

std::expected<void, Error> HandfastEnd::connect(const Call& call, Socket& socket) {
  socket = Socket{.ports = socket.ports};
  const auto place = std::ranges::find(sockets_, socket.ports, &Socket::ports);
  const Endpoint remote{call.to.value_or(peer_address(is_v6_)), socket.ports.peer};
  const auto connection =
      stack_->worker().connect(remote, *this,
                               {.source = call.from,
                                .source_port = socket.ports.local,
                                .context = static_cast<std::uint64_t>(place - sockets_.begin()) + 1,
                                .fast_open = call.fast_open});
  if (!connection) return std::unexpected(connection.error());
  socket.connection = *connection;
  // At once: it may leave with the SYN (RFC 7413).
  if (call.bytes != 0 && !send(call, socket)) return std::unexpected(Error::wrong_state);
  return {};
}

std::expected<std::uint32_t, Error> HandfastEnd::send(const Call& call, Socket& socket) {
  FrameBytes text(call.bytes);
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = text_at(socket.sent + i + 1);
  const auto taken = call.name == CallName::send_urgent ? socket.connection.send_urgent(text)
                                                        : socket.connection.send(text);
  if (!taken) return std::unexpected(taken.error());
  socket.sent += *taken;
  return static_cast<std::uint32_t>(*taken);
}

std::expected<std::uint32_t, Error> HandfastEnd::perform(const Call& call, Socket& socket) {
  const Endpoint here{call.from.value_or(Address{}), 80};
  const auto done = [](std::expected<void, Error> result) -> std::expected<std::uint32_t, Error> {
    if (!result) return std::unexpected(result.error());
    return 0U;
  };
  Connection& connection = socket.connection;
  switch (call.name) {
    case CallName::listen:
      return done(stack_->worker().listen(here, *this));
    case CallName::stop_listening:
      stack_->worker().stop_listening(here);
      return 0U;
    case CallName::connect:
      return done(connect(call, socket));
    case CallName::send:
    case CallName::send_urgent:
      return send(call, socket);
    case CallName::close:
      return done(connection.close());
    case CallName::close_within:
      return done(connection.close_within(call.duration));
    case CallName::abort:
      return done(connection.abort());
    case CallName::pause:
      socket.is_paused = true;
      return 0U;
    case CallName::resume:
      socket.is_paused = false;
      return done(connection.resume_receive());
    case CallName::set_nagle:
      return done(connection.set_nagle(call.on));
    case CallName::set_keep_alive:
      return done(connection.set_keep_alive(call.duration));
    case CallName::set_user_timeout:
      return done(connection.set_user_timeout(call.duration));
  }
  return std::unexpected(Error::wrong_state);
}

Complaint HandfastEnd::call(const Call& call, const FlowPorts& ports) {
  stack_->advance(now_);
  const auto result = perform(call, socket_of(ports));
  turn();
  if (!result) {
    if (result.error() == call.error) return std::nullopt;
    return fmt::format("it failed: {}", to_string(result.error()));
  }
  if (call.error) return std::string("it succeeded");
  const bool is_send = call.name == CallName::send || call.name == CallName::send_urgent;
  if (is_send && *result != call.taken.value_or(call.bytes)) {
    return fmt::format("{} bytes were taken", *result);
  }
  return std::nullopt;
}

Complaint HandfastEnd::await(const Event& event, const FlowPorts& ports, Duration until) {
  Socket& socket = socket_of(ports);
  turn();
  if (event.name == EventName::none) {
    if (socket.events.empty()) return std::nullopt;
    return std::string("there was an event");
  }
  if (event.name == EventName::data) {
    while (socket.data.size() < event.bytes && step(until)) {
    }
    return std::nullopt;  // whoever asked counts them
  }
  const auto find = [&] { return std::ranges::find(socket.events, event.name, &Event::name); };
  while (find() == socket.events.end()) {
    if (!step(until)) break;
  }
  const auto found = find();
  if (found == socket.events.end()) return std::string("nothing of the kind was told");
  const CloseReason reason = found->reason;
  socket.events.erase(socket.events.begin(), found + 1);
  if (event.name != EventName::closed || reason == event.reason) return std::nullopt;
  return fmt::format("it was closed for another reason: {}", to_string(reason));
}

FrameBytes HandfastEnd::take_data(const FlowPorts& ports) {
  return std::exchange(socket_of(ports).data, {});
}

Complaint HandfastEnd::check(const StateIs& wanted, const FlowPorts& ports) {
  if (const auto info = socket_of(ports).connection.info()) {
    if (info->state == wanted.state) return std::nullopt;
    return fmt::format("it is {}", to_string(info->state));
  }
  // What has no connection is found by the records there are.
  const StateCounts counts = stack_->worker().state_counts();
  const auto count = [&counts](State state) { return counts[static_cast<std::size_t>(state)]; };
  const bool is_closed = count(State::syn_received) == 0 && count(State::time_wait) == 0;
  const bool is_it = wanted.state == State::closed ? is_closed : count(wanted.state) != 0;
  if (is_it) return std::nullopt;
  return fmt::format("there is no connection; {} are half-open, {} in TIME-WAIT",
                     count(State::syn_received), count(State::time_wait));
}

Complaint HandfastEnd::check(const CounterIs& counter) {
  Complaint complaint = fmt::format("there is no counter '{}'", counter.name);
  stack_->worker().counters().for_each(
      [&](std::string_view name, std::string_view, std::uint64_t value) {
        if (name != counter.name) return;
        complaint.reset();
        if (!counter.value.contains(static_cast<std::int64_t>(value))) {
          complaint = fmt::format("it is {}", value);
        }
      });
  return complaint;
}

Complaint HandfastEnd::check(const InfoIs& wanted, const FlowPorts& ports) {
  const Connection connection = socket_of(ports).connection;
  const auto info = connection.info();
  if (!info) return fmt::format("it has none: {}", to_string(info.error()));
  const std::array<std::pair<std::string_view, std::uint64_t>, 12> facts = {
      {{"snd_mss", info->snd_mss},
       {"snd_cwnd", info->snd_cwnd},
       {"snd_ssthresh", info->snd_ssthresh},
       {"snd_wnd", info->snd_wnd},
       {"rcv_wnd", info->rcv_wnd},
       {"unacked", info->unacked},
       {"rto_us", info->rto_us},
       {"rtt_us", info->rtt_us},
       {"pmtu", info->pmtu},
       {"sacked", info->sacked},
       {"retransmits", info->retransmits},
       {"urgent", connection.urgent_bytes()}}};
  for (const auto& [name, value] : facts) {
    if (name != wanted.name) continue;
    if (wanted.value.contains(static_cast<std::int64_t>(value))) return std::nullopt;
    return fmt::format("it is {}", value);
  }
  return fmt::format("there is no fact '{}'", wanted.name);
}

}  // namespace handfast::script
