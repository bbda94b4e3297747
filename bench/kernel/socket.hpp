// Sockets of the kernel for the programs beside this file: an owned descriptor, endpoints, an epoll
// instance and a stop flag set by SIGINT and SIGTERM. Handfast itself has no use for it.
#pragma once

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

namespace handfast::bench {

// Ends the program with one line on stderr and exit code 2: `what` and the text of errno.
[[noreturn]] void fail(const std::string& what);

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { reset(); }

  int get() const { return fd_; }
  void reset();

 private:
  int fd_ = -1;
};

// An address and a port, of either family.
class SocketAddress {
 public:
  // "127.0.0.1:8000" or "[::1]:8000"; ends the program when it is neither.
  explicit SocketAddress(const std::string& text);

  int family() const { return storage_.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return size_; }

  // The last 32 bits of the address, in the host's order.
  std::uint32_t last_word() const;
  void set_last_word(std::uint32_t word);
  void set_port(std::uint16_t port);

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

// A range of source addresses, "127.1.0.0/16" or "fd00::/112", dealt out in turn, each with port 0.
// The first and the last one of a range (its network and broadcast addresses, or its anycast
// address) are left out where there are others.
class SourceRange {
 public:
  // Ends the program when it is neither.
  explicit SourceRange(const std::string& text);

  int family() const { return next_.family(); }
  SocketAddress next();

 private:
  SocketAddress next_;  // of what is dealt out only the last 32 bits differ
  std::uint32_t first_ = 0;
  std::uint32_t count_ = 1;
  std::uint32_t position_ = 0;
};

class Poller {
 public:
  Poller();
  // `data` comes back with each event of `fd`.
  void add(int fd, std::uint32_t events, void* data);
  void modify(int fd, std::uint32_t events, void* data);
  // Waits up to `timeout_ms`; a signal ends the wait with no events.
  std::span<const epoll_event> wait(int timeout_ms);

 private:
  Descriptor epoll_;
  std::array<epoll_event, 512> events_{};
};

void stop_on_signals();
bool stop_requested();
// Keeps this thread on one CPU; a negative number leaves it free.
void pin_to_cpu(int cpu);

}  // namespace handfast::bench
