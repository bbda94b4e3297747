#include "bench/kernel/socket.hpp"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstddef>
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

// The port is in the same place in both families.
void SocketAddress::set_port(std::uint16_t port) {
  static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
  reinterpret_cast<sockaddr_in*>(&storage_)->sin_port = htons(port);
}

std::uint32_t SocketAddress::last_word() const {
  if (family() == AF_INET) {
    return ntohl(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr.s_addr);
  }
  return ntohl(reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_addr.s6_addr32[3]);
}

void SocketAddress::set_last_word(std::uint32_t word) {
  if (family() == AF_INET) {
    reinterpret_cast<sockaddr_in*>(&storage_)->sin_addr.s_addr = htonl(word);
  } else {
    reinterpret_cast<sockaddr_in6*>(&storage_)->sin6_addr.s6_addr32[3] = htonl(word);
  }
}

namespace {

bool is_v6_text(const std::string& text) {
  return text.find(':') != std::string::npos;
}

// The address of a range, with a port that parses.
SocketAddress address_of_range(const std::string& text) {
  const std::string host = text.substr(0, text.find('/'));
  return SocketAddress(is_v6_text(text) ? fmt::format("[{}]:1", host) : host + ":1");
}

}  // namespace

SourceRange::SourceRange(const std::string& text) : next_(address_of_range(text)) {
  const unsigned bits = is_v6_text(text) ? 128 : 32;
  const unsigned least = bits - 24;
  const auto slash = text.find('/');
  const auto length = slash == std::string::npos
                          ? std::optional<unsigned>(bits)
                          : parse_number<unsigned>(std::string_view(text).substr(slash + 1));
  if (!length || *length < least || *length > bits) {
    bad_input(fmt::format("'{}' is not a range like 127.1.0.0/16 or fd00::/112 (lengths {} to {})",
                          text, least, bits));
  }
  count_ = std::uint32_t{1} << (bits - *length);
  first_ = next_.last_word() & ~(count_ - 1);
  if (count_ > 2) {
    first_ += 1;
    count_ -= 2;
  }
  next_.set_port(0);
}

SocketAddress SourceRange::next() {
  next_.set_last_word(first_ + position_);
  position_ = (position_ + 1) % count_;
  return next_;
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
