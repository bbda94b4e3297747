// Marks a frame as a congested router would: Congestion Experienced in its IP header (RFC 3168
// section 5). Used by an ImpairedPath; the frame must be its own to write.
#pragma once

#include "base/packet.hpp"

namespace handfast::drivers {

// Sets CE when the frame is IPv4 or IPv6, tagged for up to two VLANs or not, and ECN-capable; an
// IPv4 header checksum that was right stays right, one that was wrong stays wrong. False, and
// nothing changed, for any other frame and for one that is marked already.
bool mark_congestion(base::Packet& frame);

}  // namespace handfast::drivers
