// HostImage: an end's records into an image and back. What is not a pointer is copied as it stands;
// queues are written in their order and built anew, so that it does not matter in which buffers
// they stood.
#pragma once

#include "tests/explore/host.hpp"
#include "tests/explore/image.hpp"

namespace handfast::explore {

class HostImage {
 public:
  static void store(const Host& host, Image& image);
  // The host is cleared first.
  static void load(Host& host, ImageReader& from);
};

}  // namespace handfast::explore
