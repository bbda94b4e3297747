#include "wire/ethernet.hpp"

#include "base/bytes.hpp"

namespace handfast::wire {

LinkHeader make_link_header(const MacAddress& destination, const MacAddress& source,
                            std::optional<std::uint16_t> vlan, std::uint16_t ethertype) {
  LinkHeader header{};
  std::byte* at = header.bytes.data();
  std::memcpy(at, destination.data(), destination.size());
  at += destination.size();
  std::memcpy(at, source.data(), source.size());
  at += source.size();
  if (vlan) {
    base::store_be16(at, kEtherTypeVlan);
    base::store_be16(at + 2, *vlan & 0x0fff);
    at += kVlanTagSize;
  }
  base::store_be16(at, ethertype);
  header.length =
      static_cast<std::uint8_t>(vlan ? kEthernetHeaderSize + kVlanTagSize : kEthernetHeaderSize);
  return header;
}

}  // namespace handfast::wire
