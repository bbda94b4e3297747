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

inline std::uint64_t hash_v4_flow(std::uint32_t local, std::uint32_t remote,
                                  std::uint16_t local_port, std::uint16_t remote_port,
                                  const HashSecret& secret) {
  const std::uint64_t addresses = std::uint64_t{local} << 32 | remote;
  const std::uint64_t ports = std::uint64_t{local_port} << 16 | remote_port;
  return fold_multiply(fold_multiply(addresses ^ secret.a, ports ^ secret.b) ^ secret.b,
                       secret.a | 1);
}

inline std::uint64_t hash_flow(const FlowKey& key, const HashSecret& secret) {
  if (key.local.is_v4() && key.remote.is_v4()) {
    return hash_v4_flow(key.local.v4_value(), key.remote.v4_value(), key.local_port,
                        key.remote_port, secret);
  }
  using Words = std::array<std::uint64_t, 2>;
  const auto local = std::bit_cast<Words>(key.local.bytes());
  const auto remote = std::bit_cast<Words>(key.remote.bytes());
  const std::uint64_t ports = std::uint64_t{key.local_port} << 16 | key.remote_port;
  std::uint64_t h = fold_multiply(local[0] ^ secret.a, local[1] ^ secret.b);
  h = fold_multiply(h ^ remote[0], remote[1] ^ secret.b);
  return fold_multiply(h ^ ports ^ secret.b, secret.a | 1);
}

// Which of `workers` owns a flow: the hash's high half, scaled. The flow table uses the low half.
constexpr unsigned owner_of(std::uint64_t hash, unsigned workers) {
  return static_cast<unsigned>(((hash >> 32) * workers) >> 32);
}

}  // namespace handfast::base
