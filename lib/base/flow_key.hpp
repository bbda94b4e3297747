// FlowKey names a connection from our side; FlowHash is its keyed hash, used by the flow table
// and, when the port cannot do it, for choosing the worker that owns a flow.
#pragma once

#include <bit>
#include <cstdint>

#include "handfast/address.hpp"

namespace handfast::base {

struct FlowKey {
  Address local;
  Address remote;
  std::uint16_t local_port = 0;
  std::uint16_t remote_port = 0;
  bool operator==(const FlowKey&) const = default;
};

// Two secret words, so that a peer cannot choose flows that collide.
struct HashSecret {
  std::uint64_t a = 0x9e3779b97f4a7c15;
  std::uint64_t b = 0xd1b54a32d192ed03;
};

// Multiplies to 128 bits and folds: every input bit reaches every output bit.
__extension__ using Wide = unsigned __int128;

constexpr std::uint64_t fold_multiply(std::uint64_t x, std::uint64_t y) {
  const auto product = static_cast<Wide>(x) * y;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

// IPv4 addresses differ in their second half only: they are spared the multiplication of the first.
inline std::uint64_t hash_flow(const Address& local, const Address& remote,
                               std::uint16_t local_port, std::uint16_t remote_port,
                               const HashSecret& secret) {
  using Words = std::array<std::uint64_t, 2>;
  const auto ours = std::bit_cast<Words>(local.bytes());
  const auto theirs = std::bit_cast<Words>(remote.bytes());
  const std::uint64_t ports = std::uint64_t{local_port} << 16 | remote_port;
  std::uint64_t h = fold_multiply(ours[1] ^ secret.a, theirs[1] ^ secret.b);
  if ((ours[0] | theirs[0]) != 0) {
    h = fold_multiply(h ^ ours[0] ^ secret.a, theirs[0] ^ secret.b);
  }
  return fold_multiply(h ^ ports ^ secret.b, secret.a | 1);
}

inline std::uint64_t hash_flow(const FlowKey& key, const HashSecret& secret) {
  return hash_flow(key.local, key.remote, key.local_port, key.remote_port, secret);
}

// Which of `workers` owns a flow: the hash's high half, scaled. The flow table uses the low half.
constexpr unsigned owner_of(std::uint64_t hash, unsigned workers) {
  return static_cast<unsigned>(((hash >> 32) * workers) >> 32);
}

}  // namespace handfast::base
