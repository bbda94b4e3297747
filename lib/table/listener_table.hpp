// ListenerTable: which listener a new connection belongs to, by local address and port. It holds
// ids, nothing of the listeners; the stack keeps those in an array of its own. One worker owns it:
// listen() and stop_listening() change it, every SYN that matches no flow looks something up.
//
// A port's entry says at once whether anybody listens there: the listeners for every address and
// for every IPv4 address, and how many there are for one address each. Only when there are such is
// the hash of exact endpoints read.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <expected>
#include <optional>

#include "base/assert.hpp"
#include "base/flow_key.hpp"
#include "base/mapped_array.hpp"
#include "handfast/address.hpp"
#include "handfast/error.hpp"

namespace handfast::table {

class ListenerTable {
 public:
  // Room for `max` listeners, fewer than 65,535. False when the system refuses. Once only.
  [[nodiscard]] bool reserve(std::uint16_t max) {
    HANDFAST_ASSERT(max < kNone);
    max_ = max;
    exact_mask_ = std::bit_ceil(std::uint32_t{max} * 2 + 1) - 1;
    return ports_.reserve(65'536) && listeners_.reserve(max) && exact_.reserve(exact_mask_ + 1);
  }

  // The new listener's id, the lowest that is free: below `max`, and good until remove(). "::"
  // means every address of both families (as on Linux with net.ipv6.bindv6only=0), "0.0.0.0" every
  // IPv4 address. `address_in_use`: the very same endpoint is there already. `too_many_listeners`:
  // `max` are.
  std::expected<std::uint16_t, Error> add(const Endpoint& local) {
    Port& port = ports_[local.port];
    std::uint16_t* const any = any_of(port, local.address);
    if (any != nullptr ? *any != 0 : exact_id(local.address, local.port).has_value()) {
      return std::unexpected(Error::address_in_use);
    }
    if (size_ == max_) return std::unexpected(Error::too_many_listeners);
    std::uint16_t id = 0;
    while (listeners_[id].is_used) ++id;
    listeners_[id] = {.local = local, .is_used = true};
    ++size_;
    if (any != nullptr) {
      *any = static_cast<std::uint16_t>(id + 1);
    } else {
      ++port.exact_count;
      add_exact(id);
    }
    return id;
  }

  // False when nobody listens on exactly that endpoint.
  bool remove(const Endpoint& local) {
    Port& port = ports_[local.port];
    if (std::uint16_t* const any = any_of(port, local.address); any != nullptr) {
      if (*any == 0) return false;
      listeners_[*any - 1U].is_used = false;
      *any = 0;
    } else {
      const std::optional<std::uint16_t> id = exact_id(local.address, local.port);
      if (!id) return false;
      listeners_[*id].is_used = false;
      --port.exact_count;
      rebuild_exact();
    }
    --size_;
    return true;
  }

  // The listener for exactly this address, otherwise the one for every address of its family,
  // otherwise the one for every address.
  std::optional<std::uint16_t> find(const Address& local, std::uint16_t port_number) const {
    const Port port = ports_[port_number];
    if (port.exact_count != 0) {
      const auto first = static_cast<std::uint16_t>(port.exact - 1);
      if (is_same(listeners_[first].local.address, local)) return first;
      if (port.exact_count > 1) {
        if (const auto id = exact_id(local, port_number)) return id;
      }
    }
    const std::uint16_t any = port.any_v4 != 0 && local.is_v4() ? port.any_v4 : port.any;
    if (any == 0) return std::nullopt;
    return static_cast<std::uint16_t>(any - 1);
  }

  std::uint16_t size() const { return size_; }

 private:
  static constexpr std::uint16_t kNone = 0xffff;

  struct Port {
    std::uint16_t any;          // id + 1; 0: nobody
    std::uint16_t exact;        // id + 1 of any one of those for one address
    std::uint16_t exact_count;  // how many there are
    std::uint16_t any_v4;       // like `any`, for every IPv4 address
  };
  struct Listener {
    Endpoint local;
    bool is_used = false;
  };

  // Where a port keeps the listener for so many addresses; null when it is for one.
  static std::uint16_t* any_of(Port& port, const Address& address) {
    if (!address.is_unspecified()) return nullptr;
    return address.is_v4() ? &port.any_v4 : &port.any;
  }

  // Two words at a time, where Address's own comparison may go byte by byte.
  using Words = std::array<std::uint64_t, 2>;
  static Words words_of(const Address& address) { return std::bit_cast<Words>(address.bytes()); }
  static bool is_same(const Address& a, const Address& b) {
    const Words x = words_of(a);
    const Words y = words_of(b);
    return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
  }

  // Which endpoints are in here is for the application to say, so the hash needs no secret.
  std::uint32_t place_of(const Address& address, std::uint16_t port) const {
    constexpr base::HashSecret kMixer;
    const Words words = words_of(address);
    const std::uint64_t hash = base::fold_multiply(words[0] ^ kMixer.a ^ port, words[1] ^ kMixer.b);
    return static_cast<std::uint32_t>(hash) & exact_mask_;
  }
  // Linear probing at a load of at most one half.
  std::optional<std::uint16_t> exact_id(const Address& address, std::uint16_t port) const {
    for (std::uint32_t at = place_of(address, port); exact_[at] != 0; at = (at + 1) & exact_mask_) {
      const auto id = static_cast<std::uint16_t>(exact_[at] - 1);
      const Endpoint& held = listeners_[id].local;
      if (held.port == port && is_same(held.address, address)) return id;
    }
    return std::nullopt;
  }
  void add_exact(std::uint16_t id) {
    const Endpoint& local = listeners_[id].local;
    std::uint32_t at = place_of(local.address, local.port);
    while (exact_[at] != 0) at = (at + 1) & exact_mask_;
    exact_[at] = ports_[local.port].exact = static_cast<std::uint16_t>(id + 1);
  }
  // Removing is rare, so it may cost O(max) rather than leave tombstones for lookups to pass.
  void rebuild_exact() {
    for (std::uint32_t at = 0; at <= exact_mask_; ++at) exact_[at] = 0;
    for (std::uint16_t id = 0; id < max_; ++id) {
      const Listener& listener = listeners_[id];
      if (listener.is_used && !listener.local.address.is_unspecified()) add_exact(id);
    }
  }

  base::MappedArray<Port> ports_;
  base::MappedArray<Listener> listeners_;
  base::MappedArray<std::uint16_t> exact_;  // id + 1; 0: empty
  std::uint32_t exact_mask_ = 0;
  std::uint16_t max_ = 0;
  std::uint16_t size_ = 0;
};

}  // namespace handfast::table
