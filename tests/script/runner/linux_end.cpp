#include "tests/script/runner/linux_end.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "tests/script/language/settings.hpp"
#include "tests/script/runner/network.hpp"
#include "wire/ethernet.hpp"
#include "wire/ip.hpp"

namespace handfast::script {
namespace {

// The kernel's own timers look no closer than this.
constexpr Duration kPause = std::chrono::milliseconds(5);

// Of a stack of ours only; a script that sets them is not for Linux.
constexpr std::array<std::string_view, 10> kOursOnly = {"msl",
                                                        "rto_initial",
                                                        "rto_max",
                                                        "syn_timeout",
                                                        "textbook",
                                                        "send_buffer_max",
                                                        "receive_buffer_max",
                                                        "max_connections",
                                                        "max_half_open",
                                                        "max_time_wait"};

// What poll() says of events.
constexpr short kTellTale = POLLHUP | POLLERR | POLLRDHUP | POLLPRI;

bool set_option(int descriptor, int level, int name, int value) {
  return setsockopt(descriptor, level, name, &value, sizeof value) == 0;
}

int seconds_of(Duration duration) {
  return static_cast<int>(std::chrono::ceil<std::chrono::seconds>(duration).count());
}
int ms_of(Duration duration) {
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(duration).count());
}

std::optional<std::string_view> algorithm_of(const StackConfig& config) {
  switch (config.congestion_control) {
    case CongestionControl::new_reno:
      return "reno";
    case CongestionControl::cubic:
      return "cubic";
    default:
      return std::nullopt;
  }
}

// The setting `name` as a socket has it; the others are the namespace's.
void apply(std::string_view name, const StackConfig& config, int descriptor) {
  const auto bytes = [](std::uint32_t value) { return static_cast<int>(value); };
  if (name == "user_timeout") {
    set_option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, ms_of(config.user_timeout));
  } else if (name == "receive_buffer") {
    set_option(descriptor, SOL_SOCKET, SO_RCVBUF, bytes(config.receive_buffer));
  } else if (name == "send_buffer") {
    set_option(descriptor, SOL_SOCKET, SO_SNDBUF, bytes(config.send_buffer));
  } else if (name == "hop_limit") {
    set_option(descriptor, IPPROTO_IP, IP_TTL, config.interface.hop_limit);
    set_option(descriptor, IPPROTO_IPV6, IPV6_UNICAST_HOPS, config.interface.hop_limit);
  } else if (name == "dscp") {
    set_option(descriptor, IPPROTO_IP, IP_TOS, config.interface.dscp << 2);
    set_option(descriptor, IPPROTO_IPV6, IPV6_TCLASS, config.interface.dscp << 2);
  } else if (name == "delayed_ack" && config.delayed_ack.count() != 0) {
    set_option(descriptor, IPPROTO_TCP, TCP_QUICKACK, 0);
  } else if (name == "keep_alive") {
    set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, seconds_of(config.keep_alive));
  } else if (name == "keep_alive_interval") {
    set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, seconds_of(config.keep_alive_interval));
  } else if (name == "keep_alive_probes") {
    set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, config.keep_alive_probes);
  }
}

std::uint16_t port_of(const sockaddr_storage& address) {
  sockaddr_in v4{};  // of IPv6 the port is in the same place
  std::memcpy(&v4, &address, sizeof v4);
  return ntohs(v4.sin_port);
}

// What we call the errors that calls of a script can meet.
std::optional<Error> error_of(int number) {
  switch (number) {
    case EADDRINUSE:
      return Error::address_in_use;
    case EADDRNOTAVAIL:
      return Error::not_our_address;
    case ENETUNREACH:
    case EHOSTUNREACH:
      return Error::no_route;
    case EACCES:
    case EINVAL:
    case EAFNOSUPPORT:
      return Error::invalid_address;
    case EPIPE:
      return Error::wrong_state;
    case ENOTCONN:
    case EBADF:
      return Error::stale_connection;
    default:
      return std::nullopt;
  }
}

bool is_error_of(CloseReason reason, int number) {
  switch (reason) {
    case CloseReason::reset:
      return number == ECONNRESET || number == EPIPE;
    case CloseReason::refused:
      return number == ECONNREFUSED;
    case CloseReason::timed_out:
      return number == ETIMEDOUT;
    case CloseReason::unreachable:
      return number == EHOSTUNREACH || number == ENETUNREACH || number == ECONNREFUSED ||
             number == ENOPROTOOPT;
    default:
      return number == 0;
  }
}

State state_of(int number) {
  // include/net/tcp_states.h counts from 1.
  static constexpr std::array<State, 12> kStates = {
      State::closed,     State::established, State::syn_sent,  State::syn_received,
      State::fin_wait_1, State::fin_wait_2,  State::time_wait, State::closed,
      State::close_wait, State::last_ack,    State::listen,    State::closing};
  return number >= 0 && number < 12 ? kStates[static_cast<std::size_t>(number)] : State::closed;
}

}  // namespace

std::expected<std::unique_ptr<LinuxEnd>, std::string> LinuxEnd::start(const Script& script) {
  for (const std::string& setting : script.settings) {
    const bool has_algorithm = setting != "congestion" || algorithm_of(script.stack);
    if (!has_algorithm || std::ranges::find(kOursOnly, setting) != kOursOnly.end()) {
      return std::unexpected(
          fmt::format("Linux has no setting like {}: the script needs linux skip", setting));
    }
  }
  auto tun = enter_network(script);
  if (!tun) return std::unexpected(std::move(tun.error()));
  return std::unique_ptr<LinuxEnd>(new LinuxEnd(script, *tun));
}

LinuxEnd::~LinuxEnd() {
  for (const Socket& socket : sockets_) {
    if (socket.descriptor >= 0) close(socket.descriptor);
  }
  if (listener_ >= 0) close(listener_);
  close(tun_);
}

Duration LinuxEnd::now() const {
  return std::chrono::steady_clock::now().time_since_epoch();
}

void LinuxEnd::inject(base::Bytes frame) {
  if (script_.stack.delayed_ack.count() == 0) {
    // Every acknowledgement at once; the kernel forgets it sooner or later.
    for (const Socket& socket : sockets_) {
      if (socket.descriptor >= 0) set_option(socket.descriptor, IPPROTO_TCP, TCP_QUICKACK, 1);
    }
  }
  const base::Bytes packet = frame.subspan(wire::kEthernetHeaderSize);
  [[maybe_unused]] const ssize_t written = write(tun_, packet.data(), packet.size());
}

std::optional<FrameAt> LinuxEnd::next_frame(Duration until) {
  while (true) {
    FrameBytes frame(wire::kEthernetHeaderSize + 65'536);
    const ssize_t size = read(tun_, frame.data() + wire::kEthernetHeaderSize, 65'536);
    const bool is_v4 = std::to_integer<unsigned>(frame[wire::kEthernetHeaderSize]) >> 4 == 4;
    // IPv6 has more to say on a new interface than TCP.
    const std::byte protocol = frame[wire::kEthernetHeaderSize + (is_v4 ? 9U : 6U)];
    if (size > 0 && protocol != std::byte{wire::kProtocolTcp}) continue;
    if (size > 0) {
      const auto link = wire::make_link_header(kPeerMac, kLocalMac, std::nullopt,
                                               is_v4 ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6);
      std::copy_n(link.bytes.begin(), wire::kEthernetHeaderSize, frame.begin());
      frame.resize(wire::kEthernetHeaderSize + static_cast<std::size_t>(size));
      return FrameAt{.bytes = std::move(frame), .at = now()};
    }
    const Duration left = until - now();
    if (left <= Duration{0}) return std::nullopt;
    pollfd waiting{.fd = tun_, .events = POLLIN};
    poll(&waiting, 1, ms_of(left));
  }
}

int LinuxEnd::make_socket() {
  const StackConfig& config = script_.stack;
  const int descriptor =
      socket(script_.is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
  set_option(descriptor, SOL_SOCKET, SO_OOBINLINE, 1);
  set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, config.nagle ? 0 : 1);
  const std::string_view algorithm = algorithm_of(config).value_or("cubic");
  setsockopt(descriptor, IPPROTO_TCP, TCP_CONGESTION, algorithm.data(),
             static_cast<socklen_t>(algorithm.size()));
  for (const std::string& setting : script_.settings) apply(setting, config, descriptor);
  return descriptor;
}

void LinuxEnd::accept_all() {
  while (listener_ >= 0) {
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    const int descriptor = accept4(listener_, reinterpret_cast<sockaddr*>(&peer), &length,
                                   SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) return;
    const FlowPorts ports{.local = kServerPort, .peer = port_of(peer)};
    sockets_.push_front({.ports = ports, .descriptor = descriptor});  // before an older one
  }
}

LinuxEnd::Socket& LinuxEnd::socket_of(const FlowPorts& ports) {
  accept_all();
  for (Socket& socket : sockets_) {
    if (socket.ports == ports) return socket;
  }
  return sockets_.emplace_back(Socket{.ports = ports});
}

int LinuxEnd::listen(const Call& call) {
  listener_ = make_socket();
  const Address any = script_.is_v6 ? Address{} : Address::v4(0);
  SocketAddress here = socket_address(call.from.value_or(any), kServerPort);
  if (bind(listener_, here.get(), here.length) != 0) return errno;
  const bool serves_fast =
      script_.stack.fast_open == FastOpen::server || script_.stack.fast_open == FastOpen::both;
  if (serves_fast) set_option(listener_, IPPROTO_TCP, TCP_FASTOPEN, 16);
  return ::listen(listener_, 16) == 0 ? 0 : errno;
}

int LinuxEnd::connect(const Call& call, Socket& socket) {
  const Address any = script_.is_v6 ? Address{} : Address::v4(0);
  socket.descriptor = make_socket();
  socket.sent = 0;
  if (call.fast_open) set_option(socket.descriptor, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
  SocketAddress here = socket_address(call.from.value_or(any), socket.ports.local);
  if (bind(socket.descriptor, here.get(), here.length) != 0) return errno;
  SocketAddress there =
      socket_address(call.to.value_or(peer_address(script_.is_v6)), socket.ports.peer);
  const bool is_done = ::connect(socket.descriptor, there.get(), there.length) == 0;
  if (!is_done && errno != EINPROGRESS) return errno;
  return call.bytes == 0 ? 0 : send(call, socket);
}

int LinuxEnd::send(const Call& call, Socket& socket) {
  FrameBytes text(call.bytes);
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = text_at(socket.sent + i + 1);
  const int flags = MSG_NOSIGNAL | (call.name == CallName::send_urgent ? MSG_OOB : 0);
  const ssize_t taken = ::send(socket.descriptor, text.data(), text.size(), flags);
  if (taken < 0 && errno != EAGAIN && errno != EINPROGRESS) return errno;
  taken_ = taken < 0 ? 0 : static_cast<std::uint32_t>(taken);
  socket.sent += taken_;
  return 0;
}

int LinuxEnd::abort(Socket& socket) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(socket.descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  const int result = close(std::exchange(socket.descriptor, -1));
  return result == 0 ? 0 : errno;
}

int LinuxEnd::perform(const Call& call, Socket& socket) {
  const auto answer = [](bool is_done) { return is_done ? 0 : errno; };
  switch (call.name) {
    case CallName::listen:
      return listen(call);
    case CallName::stop_listening:
      return answer(close(std::exchange(listener_, -1)) == 0);
    case CallName::connect:
      return connect(call, socket);
    case CallName::send:
    case CallName::send_urgent:
      return send(call, socket);
    case CallName::close:
      return answer(shutdown(socket.descriptor, SHUT_WR) == 0);
    case CallName::abort:
      return abort(socket);
    case CallName::set_nagle:
      return answer(set_option(socket.descriptor, IPPROTO_TCP, TCP_NODELAY, call.on ? 0 : 1));
    case CallName::set_keep_alive:
      set_option(socket.descriptor, IPPROTO_TCP, TCP_KEEPIDLE, seconds_of(call.duration));
      return answer(set_option(socket.descriptor, SOL_SOCKET, SO_KEEPALIVE, 1));
    case CallName::set_user_timeout:
      return answer(
          set_option(socket.descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, ms_of(call.duration)));
    case CallName::pause:
    case CallName::resume:
      return 0;  // it reads when the script looks
    case CallName::close_within:
      return ENOSYS;
  }
  return ENOSYS;
}

Complaint LinuxEnd::call(const Call& call, const FlowPorts& ports) {
  const int number = perform(call, socket_of(ports));
  if (number != 0) {
    if (call.error && error_of(number) == call.error) return std::nullopt;
    return fmt::format("it failed: {}", std::strerror(number));
  }
  if (call.error) return std::string("it succeeded");
  const bool is_send = call.name == CallName::send || call.name == CallName::send_urgent;
  if (is_send && taken_ != call.taken.value_or(call.bytes)) {
    return fmt::format("{} bytes were taken", taken_);
  }
  return std::nullopt;
}

bool LinuxEnd::poll_for(Socket& socket, short events, Duration until) {
  while (true) {
    if (socket.descriptor < 0) accept_all();
    pollfd waiting{.fd = socket.descriptor, .events = events};
    const int answered = poll(&waiting, 1, ms_of(kPause));
    if (answered > 0 && (waiting.revents & events) != 0) return true;
    if (now() >= until) return false;
    if (answered > 0) std::this_thread::sleep_for(kPause);
  }
}

Complaint LinuxEnd::await_open(Socket& socket, Duration until) {
  if (!poll_for(socket, POLLOUT, until)) return std::string("it did not open");
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(socket.descriptor, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error == 0) return std::nullopt;
  return fmt::format("it did not open: {}", std::strerror(error));
}

void LinuxEnd::read_all(Socket& socket) {
  FrameBytes piece(65'536);
  while (true) {
    const ssize_t size = recv(socket.descriptor, piece.data(), piece.size(), 0);
    if (size <= 0) return;
    socket.data.insert(socket.data.end(), piece.begin(), piece.begin() + size);
  }
}

Complaint LinuxEnd::await_data(Socket& socket, std::uint32_t bytes, Duration until) {
  read_all(socket);
  while (socket.data.size() < bytes && now() < until) {
    poll_for(socket, POLLIN, std::min(until, now() + kPause));
    read_all(socket);
  }
  return std::nullopt;  // whoever asked counts them
}

Complaint LinuxEnd::await_closed(Socket& socket, CloseReason reason, Duration until) {
  if (socket.descriptor < 0) {
    if (reason == CloseReason::aborted) return std::nullopt;
    return std::string("the application has closed it itself");
  }
  if (!poll_for(socket, POLLHUP | POLLERR, until)) return std::string("it is not closed");
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(socket.descriptor, SOL_SOCKET, SO_ERROR, &error, &length);
  if (is_error_of(reason, error)) return std::nullopt;
  return fmt::format("it was closed for another reason: {}",
                     error == 0 ? "none" : std::strerror(error));
}

Complaint LinuxEnd::await(const Event& event, const FlowPorts& ports, Duration until) {
  Socket* socket = &socket_of(ports);
  while (event.name == EventName::open && socket->descriptor < 0 && now() < until) {
    std::this_thread::sleep_for(kPause);
    socket = &socket_of(ports);
  }
  switch (event.name) {
    case EventName::none: {
      if (socket->descriptor < 0) return std::nullopt;
      const auto news = static_cast<short>(kTellTale & ~socket->told);
      const bool is_told = poll_for(*socket, news, now());
      return is_told ? Complaint("there was an event") : std::nullopt;
    }
    case EventName::open:
      return await_open(*socket, until);
    case EventName::data:
      return await_data(*socket, event.bytes, until);
    case EventName::urgent:
      socket->told |= POLLPRI;
      return poll_for(*socket, POLLPRI, until) ? std::nullopt : Complaint("nothing is urgent");
    case EventName::writable:
      return poll_for(*socket, POLLOUT, until) ? std::nullopt : Complaint("it is not writable");
    case EventName::peer_finished:
      socket->told |= POLLRDHUP;
      return poll_for(*socket, POLLRDHUP, until) ? std::nullopt
                                                 : Complaint("the peer has not finished");
    case EventName::closed:
      socket->told = kTellTale;
      return await_closed(*socket, event.reason, until);
  }
  return std::nullopt;
}

FrameBytes LinuxEnd::take_data(const FlowPorts& ports) {
  return std::exchange(socket_of(ports).data, {});
}

// States that have no socket, or no more, cannot be asked for.
Complaint LinuxEnd::check(const StateIs& wanted, const FlowPorts& ports) {
  const Socket& socket = socket_of(ports);
  if (socket.descriptor < 0 || wanted.state == State::time_wait || wanted.state == State::listen) {
    return std::nullopt;
  }
  const Duration until = now() + std::chrono::seconds(1);
  State state = State::closed;
  do {
    tcp_info info{};
    socklen_t length = sizeof info;
    if (getsockopt(socket.descriptor, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) {
      return fmt::format("TCP_INFO: {}", std::strerror(errno));
    }
    state = state_of(info.tcpi_state);
    if (state == wanted.state) return std::nullopt;
    std::this_thread::sleep_for(kPause);
  } while (now() < until);
  return fmt::format("it is {}", to_string(state));
}

}  // namespace handfast::script
