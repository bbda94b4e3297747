#include "bench/kernel/socket.hpp"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace handfast::bench {
namespace {

volatile std::sig_atomic_t g_stop = 0;

void on_signal(int) {
  g_stop = 1;
}

[[noreturn]] void bad_input(const std::string& line) {
  fmt::print(stderr, "{}\n", line);
  std::exit(2);
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<in_addr> parse_address(const std::string& text) {
  in_addr address{};
  if (inet_pton(AF_INET, text.c_str(), &address) != 1) return std::nullopt;
  return address;
}

}  // namespace

void fail(const std::string& what) {
  bad_input(fmt::format("{}: {}", what, std::strerror(errno)));
}

void Descriptor::reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

SocketAddress::SocketAddress(const std::string& text) {
  const auto colon = std::min(text.rfind(':'), text.size());
  const bool bracketed = colon >= 2 && text.front() == '[' && text[colon - 1] == ']';
  const std::string host = bracketed ? text.substr(1, colon - 2) : text.substr(0, colon);
  const auto port = colon == text.size()
                        ? std::nullopt
                        : parse_number<std::uint16_t>(std::string_view(text).substr(colon + 1));
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&storage_);
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&storage_);
  if (port && *port != 0 && bracketed && inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(*port);
    size_ = sizeof *v6;
  } else if (port && *port != 0 && inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(*port);
    size_ = sizeof *v4;
  } else {
    bad_input(fmt::format("'{}' is not an endpoint like 127.0.0.1:8000 or [::1]:8000", text));
  }
}

SourceRange::SourceRange(const std::string& text) {
  const auto slash = text.find('/');
  const auto address = parse_address(text.substr(0, slash));
  const auto length = slash == std::string::npos
                          ? std::optional<unsigned>(32)
                          : parse_number<unsigned>(std::string_view(text).substr(slash + 1));
  if (!address || !length || *length < 8 || *length > 32) {
    bad_input(fmt::format("'{}' is not a range like 127.1.0.0/16 (lengths 8 to 32)", text));
  }
  count_ = std::uint32_t{1} << (32 - *length);
  first_ = ntohl(address->s_addr) & ~(count_ - 1);
  if (count_ > 2) {
    first_ += 1;
    count_ -= 2;
  }
}

sockaddr_in SourceRange::next() {
  sockaddr_in endpoint{};
  endpoint.sin_family = AF_INET;
  endpoint.sin_addr.s_addr = htonl(first_ + position_);
  position_ = (position_ + 1) % count_;
  return endpoint;
}

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_.get() < 0) fail("epoll_create1");
}

void Poller::add(int fd, std::uint32_t events, void* data) {
  epoll_event event{.events = events, .data = {.ptr = data}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

void Poller::modify(int fd, std::uint32_t events, void* data) {
  epoll_event event{.events = events, .data = {.ptr = data}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0) fail("epoll_ctl");
}

std::span<const epoll_event> Poller::wait(int timeout_ms) {
  const int count =
      ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), timeout_ms);
  if (count < 0 && errno != EINTR) fail("epoll_wait");
  return std::span<const epoll_event>(events_).first(count < 0 ? 0 : static_cast<size_t>(count));
}

void stop_on_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

bool stop_requested() {
  return g_stop != 0;
}

void pin_to_cpu(int cpu) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(cpu), &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0) fail(fmt::format("CPU {}", cpu));
}

}  // namespace handfast::bench
