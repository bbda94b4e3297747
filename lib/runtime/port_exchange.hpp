// PortExchange: what the workers of one port pass to each other. A frame goes to the worker that
// owns its flow; a neighbour's address goes to all. One ring for each ordered pair of workers; made
// by the runtime before the workers start, drained by it after they end.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/device.hpp"
#include "handfast/address.hpp"
#include "runtime/spsc_ring.hpp"
#include "stack/hand_over.hpp"
#include "stack/stack.hpp"

namespace handfast::runtime {

class PortExchange;

// One worker's side of the exchange.
class ExchangePlace final : public stack::HandOver {
 public:
  ExchangePlace(PortExchange& exchange, unsigned queue) : exchange_(&exchange), queue_(queue) {}

  bool hand_over(unsigned queue, const base::Packet& packet) override;
  void share_neighbour(const Address& address, const base::MacAddress& mac) override;

  // Gives the worker's stack what others passed to it, a burst from each at most. Returns how many
  // frames.
  std::size_t deliver(Instant now, stack::Stack& stack);

 private:
  PortExchange* exchange_;
  unsigned queue_;
};

class PortExchange {
 public:
  explicit PortExchange(unsigned workers);

  ExchangePlace& place(unsigned queue) { return *places_[queue]; }
  // Frees the frames that no worker took, once no worker runs.
  void discard(base::PacketPool& pool);

 private:
  friend class ExchangePlace;

  struct Neighbour {
    Address address;
    base::MacAddress mac{};
  };
  struct Lane {
    SpscRing<base::Packet> frames{1024};
    // When it is full the others learn later, by their own request.
    SpscRing<Neighbour> neighbours{256};
  };
  Lane& lane(unsigned from, unsigned to) { return *lanes_[from * workers_ + to]; }

  unsigned workers_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // the diagonal stays empty
  std::vector<std::unique_ptr<ExchangePlace>> places_;
};

}  // namespace handfast::runtime
