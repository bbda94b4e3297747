// A segment as anybody could forge it, ready to be put on the wire by TwoHosts::replay().
#pragma once

#include "two_hosts.hpp"
#include "wire/tcp.hpp"

namespace handfast::stack {

// In a frame to the station that `like`, a captured frame, was sent to.
inline Frame frame_to_station_of(const Frame& like, const Endpoint& source,
                                 const Endpoint& destination, const base::Segment& segment) {
  base::MacAddress station;
  std::memcpy(station.data(), like.data(), station.size());
  const wire::LinkHeader link =
      wire::make_link_header(station, {2, 0, 0, 0, 0, 0x99}, std::nullopt,
                             source.address.is_v4() ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6);
  Frame frame(2048);
  base::Packet packet{.data = frame.data()};
  wire::emit_tcp(packet, {.link = link,
                          .ip = {.source = source.address, .destination = destination.address},
                          .ports = {.source = source.port, .destination = destination.port},
                          .segment = segment});
  frame.resize(packet.length);
  return frame;
}

}  // namespace handfast::stack
