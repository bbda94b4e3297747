// SynFrames: SYNs to one endpoint, each from another address of a range and another port, with the
// options of a usual SYN. What a flood is made of; nobody waits for their answers.
#pragma once

#include "base/packet.hpp"
#include "base/random.hpp"
#include "handfast/address.hpp"
#include "wire/ethernet.hpp"

namespace handfast::bench {

class SynFrames {
 public:
  // Both of one family.
  SynFrames(const Prefix& sources, const Endpoint& target) : sources_(sources), target_(target) {}

  // From `packet.data` on; there is room for 128 bytes.
  void write(base::Packet& packet, const wire::LinkHeader& link);

 private:
  Prefix sources_;
  Endpoint target_;
  base::Random random_{4987};
};

}  // namespace handfast::bench
