// Who is on the link that DrivenStack is attached to: our own addresses and those of its peers.
#pragma once

#include <array>
#include <vector>

#include "base/device.hpp"
#include "handfast/address.hpp"

namespace handfast::fuzz {

inline constexpr base::MacAddress kOurMac{2, 0x48, 0x46, 0, 0, 1};
inline constexpr std::uint16_t kVlan = 7;
inline constexpr Address kOurs = Address::v4(0xc6120001);  // 198.18.0.1
inline constexpr Address kOurs6 =
    Address::from_bytes({0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});

inline constexpr std::array<Address, 4> kPeers{
    Address::v4(0xc6120002), Address::v4(0xc6120003),
    Address::from_bytes({0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}),
    Address::from_bytes({0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3})};

// Each peer's link address ends in its place among them.
inline base::MacAddress mac_of(std::size_t peer) {
  return {2, 0x50, 0x45, 0, 0, static_cast<std::uint8_t>(peer)};
}

// Where connections are opened to: every peer, and addresses nobody can be at.
inline std::vector<Endpoint> remote_ends() {
  std::vector<Endpoint> ends;
  for (const Address& peer : kPeers) ends.push_back({peer, 7});
  ends.push_back({Address::v4(0xc61200ff), 7});  // the network's broadcast
  ends.push_back({kOurs, 80});
  ends.push_back({Address::v4(0x08080808), 7});  // no route leads there
  return ends;
}

}  // namespace handfast::fuzz
