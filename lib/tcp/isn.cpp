#include "tcp/isn.hpp"

#include <array>
#include <cstring>

namespace handfast::tcp {

namespace {

std::uint64_t keyed_hash(const base::FlowKey& key, const base::SipKey& secret) {
  const std::uint64_t ports = std::uint64_t{key.local_port} << 16 | key.remote_port;
  if (key.local.is_v4() && key.remote.is_v4()) {
    return base::siphash(secret, std::uint64_t{key.local.v4_value()} << 32 | key.remote.v4_value(),
                         ports);
  }
  std::array<std::byte, 40> message;
  std::memcpy(message.data(), key.local.bytes().data(), 16);
  std::memcpy(message.data() + 16, key.remote.bytes().data(), 16);
  std::memcpy(message.data() + 32, &ports, 8);
  return base::siphash(secret, message);
}

}  // namespace

base::Seq initial_sequence_number(const base::FlowKey& key, const base::SipKey& secret,
                                  Instant now) {
  const auto clock = static_cast<std::uint32_t>(now.ns() / 4000);
  return base::Seq{clock + static_cast<std::uint32_t>(keyed_hash(key, secret))};
}

}  // namespace handfast::tcp
