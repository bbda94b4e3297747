// HttpPatience: how long HTTP waits for a peer that does not do its part. For the options, which
// read it, and HttpService, which keeps to it.
#pragma once

#include <chrono>

#include "handfast/time.hpp"

namespace handfast::serve {

struct HttpPatience {
  Duration head = std::chrono::seconds(20);  // from a head's first byte to its last
  Duration idle = std::chrono::seconds(75);  // between requests, and while no body or answer moves
};

}  // namespace handfast::serve
