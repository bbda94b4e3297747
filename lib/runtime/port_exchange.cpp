#include "runtime/port_exchange.hpp"

#include <array>

namespace handfast::runtime {
namespace {

constexpr std::size_t kBurst = 64;
constexpr std::size_t kNeighboursMax = 8;  // from one worker a turn

}  // namespace

PortExchange::PortExchange(unsigned workers) : workers_(workers) {
  lanes_.resize(std::size_t{workers} * workers);
  for (unsigned from = 0; from < workers; ++from) {
    places_.push_back(std::make_unique<ExchangePlace>(*this, from));
    for (unsigned to = 0; to < workers; ++to) {
      if (from != to) lanes_[from * workers + to] = std::make_unique<Lane>();
    }
  }
}

void PortExchange::discard(base::PacketPool& pool) {
  std::array<base::Packet, kBurst> burst;
  for (const auto& lane : lanes_) {
    if (!lane) continue;
    while (const std::size_t count = lane->frames.pop(burst)) {
      pool.free(std::span{burst}.first(count));
    }
  }
}

bool ExchangePlace::hand_over(unsigned queue, const base::Packet& packet) {
  return exchange_->lane(queue_, queue).frames.push(packet);
}

void ExchangePlace::share_neighbour(const Address& address, const base::MacAddress& mac) {
  for (unsigned to = 0; to < exchange_->workers_; ++to) {
    if (to != queue_) exchange_->lane(queue_, to).neighbours.push({address, mac});
  }
}

std::size_t ExchangePlace::deliver(Instant now, stack::Stack& stack) {
  std::size_t frames = 0;
  std::array<base::Packet, kBurst> burst;
  std::array<PortExchange::Neighbour, kNeighboursMax> neighbours;
  for (unsigned from = 0; from < exchange_->workers_; ++from) {
    if (from == queue_) continue;
    auto& lane = exchange_->lane(from, queue_);
    const std::size_t learned = lane.neighbours.pop(neighbours);
    for (const auto& neighbour : std::span{neighbours}.first(learned)) {
      stack.learn_neighbour(neighbour.address, neighbour.mac);
    }
    if (const std::size_t count = lane.frames.pop(burst); count != 0) {
      stack.input_handed_over(now, std::span{burst}.first(count));
      frames += count;
    }
  }
  return frames;
}

}  // namespace handfast::runtime
