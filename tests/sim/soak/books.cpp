#include "tests/sim/soak/books.hpp"

#include <fmt/format.h>

#include <cstring>

#include "base/random.hpp"

namespace handfast::sim {
namespace {

constexpr std::size_t kStarts = std::size_t{1} << 18;
constexpr std::size_t kBytesMax = std::size_t{1} << 20;

// The same for all seeds: it is made once.
const std::vector<std::byte>& text() {
  static const std::vector<std::byte> made = [] {
    std::vector<std::byte> out(kStarts + kBytesMax);
    base::Random random(1);
    for (std::size_t at = 0; at < out.size(); at += sizeof(std::uint64_t)) {
      const std::uint64_t word = random.next();
      std::memcpy(&out[at], &word, sizeof word);
    }
    return out;
  }();
  return made;
}

}  // namespace

Books::Books(const Plan& plan) : seed_(plan.seed), entries_(plan.connections.size()) {
  for (std::size_t number = 0; number < entries_.size(); ++number) {
    const ConnectionPlan& connection = plan.connections[number];
    entries_[number][kClientEnd].host = connection.client;
    entries_[number][kServerEnd].host = connection.server;
    for (const std::size_t end : {kClientEnd, kServerEnd}) {
      entries_[number][end].plan = connection.ends[end];
      entries_[number][end].is_fast = connection.is_fast;
    }
  }
}

base::Bytes Books::stream(std::size_t number, std::size_t end) const {
  std::uint64_t state = seed_ ^ (number << 40 | end << 32);
  const std::size_t start = base::split_mix(state) % kStarts;
  return base::Bytes{text()}.subspan(start, at(number, end).plan.bytes);
}

std::string Books::name_of(std::size_t number, std::size_t end) {
  return fmt::format("connection {} {}", number, end == kClientEnd ? "client" : "server");
}

std::size_t Books::number_of(const Endpoint& client, std::size_t server_host) const {
  // The newest is the one: a port is used again when its connection is over.
  for (std::size_t back = 1; back <= entries_.size(); ++back) {
    const EndBook& book = entries_[entries_.size() - back][kClientEnd];
    const EndBook& server = entries_[entries_.size() - back][kServerEnd];
    if (server.host != server_host || server.is_active) continue;
    if (book.is_active && !book.is_lost && book.closed == 0 && book.key.local == client.address &&
        book.key.local_port == client.port) {
      return entries_.size() - back;
    }
  }
  return entries_.size();
}

}  // namespace handfast::sim
