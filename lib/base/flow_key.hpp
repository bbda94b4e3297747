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

// One end's address and port as a word. Nothing of an IPv4 address and its port is lost in it: the
// port lies where the mapped form is zero. Of any other address these bits are the peer's to
// choose, and could make up for the port: there the port is multiplied in, with the first half.
inline std::uint64_t hash_end(const Address& address, std::uint16_t port,
                              const HashSecret& secret) {
  const auto words = std::bit_cast<std::array<std::uint64_t, 2>>(address.bytes());
  if ((words[0] | (words[1] & 0xffff)) == 0) return words[1] ^ port;
  return words[1] ^ fold_multiply(words[0] ^ secret.a, secret.b ^ port);
}

// The same from both ends of a connection: where they share a secret, a client knows which worker
// of its server a source port leads to.
//
// A client takes its ports in sequence. Four in a row therefore differ in the two lowest bits
// alone, and lie in one line of the flow table, which is fetched once for them all: the higher
// port, which is the client's as a rule, counts without its two lowest bits until the end. Nobody
// can bring more than these four together.
constexpr unsigned kPortsTogether = 4;

inline std::uint64_t hash_flow(const Address& local, const Address& remote,
                               std::uint16_t local_port, std::uint16_t remote_port,
                               const HashSecret& secret) {
  std::uint16_t& higher = local_port > remote_port ? local_port : remote_port;
  const unsigned among = higher % kPortsTogether;
  higher = static_cast<std::uint16_t>(higher / kPortsTogether);
  const std::uint64_t both = fold_multiply(hash_end(local, local_port, secret) ^ secret.a,
                                           hash_end(remote, remote_port, secret) ^ secret.a);
  return fold_multiply(both ^ secret.b, secret.a | 1) ^ among;
}

inline std::uint64_t hash_flow(const FlowKey& key, const HashSecret& secret) {
  return hash_flow(key.local, key.remote, key.local_port, key.remote_port, secret);
}

// Which of `workers` owns a flow: the hash's high half, scaled. The flow table uses the low half.
constexpr unsigned owner_of(std::uint64_t hash, unsigned workers) {
  return static_cast<unsigned>(((hash >> 32) * workers) >> 32);
}

}  // namespace handfast::base
