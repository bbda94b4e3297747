// How a Packet names an mbuf: both ways of the crossing, for the files of this folder only.
#pragma once

#include <rte_mbuf.h>

#include "base/packet.hpp"

namespace handfast::drivers {

static_assert(RTE_PKTMBUF_HEADROOM == base::kPacketHeadroom);

inline rte_mbuf* mbuf_of(const base::Packet& packet) {
  return static_cast<rte_mbuf*>(packet.buffer);
}

// Where the buffer of a pool's mbuf begins. rte_pktmbuf_pool_create() lays it out behind the record
// (we ask for no private area), so that no byte of the record has to be read to find it.
inline std::byte* buffer_start(rte_mbuf* mbuf) {
  return reinterpret_cast<std::byte*>(mbuf) + sizeof(rte_mbuf);
}

}  // namespace handfast::drivers
