#include "drivers/impair/error_message.hpp"

#include <algorithm>
#include <cstring>

namespace handfast::drivers {

wire::IcmpError error_of(Complaint complaint, bool is_v4, std::uint16_t mtu) {
  constexpr std::uint8_t kHost = 1;
  constexpr std::uint8_t kAddressV6 = 3;
  constexpr std::uint8_t kPort = 3;
  constexpr std::uint8_t kPortV6 = 4;
  constexpr std::uint8_t kFragmentationNeeded = 4;
  switch (complaint) {
    case Complaint::time_exceeded:
      if (!is_v4) return {.type = wire::kIcmpv6TimeExceeded};
      return {.type = wire::kIcmpTimeExceeded};
    case Complaint::too_big:
      if (!is_v4) return {.type = wire::kIcmpv6PacketTooBig, .rest = mtu};
      return {.type = wire::kIcmpDestinationUnreachable, .code = kFragmentationNeeded, .rest = mtu};
    case Complaint::port_unreachable:
      if (!is_v4) return {.type = wire::kIcmpv6DestinationUnreachable, .code = kPortV6};
      return {.type = wire::kIcmpDestinationUnreachable, .code = kPort};
    case Complaint::host_unreachable:
      break;
  }
  if (!is_v4) return {.type = wire::kIcmpv6DestinationUnreachable, .code = kAddressV6};
  return {.type = wire::kIcmpDestinationUnreachable, .code = kHost};
}

std::vector<std::byte> error_about(base::Bytes frame, const TcpGlance& glance,
                                   const wire::IcmpError& error) {
  constexpr std::size_t kMac = 6;
  const wire::TcpLayout& layout = glance.layout;
  wire::LinkHeader link{.bytes = {}, .length = layout.link_length};
  std::memcpy(link.bytes.data(), frame.data(), link.length);
  std::swap_ranges(link.bytes.begin(), link.bytes.begin() + kMac, link.bytes.begin() + kMac);
  const wire::IpFields ip{.source = glance.flow.remote, .destination = glance.flow.local};
  const base::Bytes packet =
      frame.first(wire::length_on_wire(frame, layout)).subspan(layout.ip_at());
  std::vector<std::byte> out(link.length + wire::kIcmpv6ErrorMax);
  out.resize(wire::emit_icmp_error(out.data(), link, ip, error, packet, out.size()));
  return out;
}

}  // namespace handfast::drivers
