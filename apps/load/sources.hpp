// SourceWalk: the addresses connections come from, one after the other, round and round. Each
// serves a run of connections, so that the stack can foresee the next source port. Leaves out what
// is no host's address on the interface's own network (RFC 919 section 7).
#pragma once

#include <cstdint>
#include <limits>

#include "handfast/address.hpp"

namespace handfast::load {

class SourceWalk {
 public:
  static constexpr unsigned kRun = 256;  // connections in a row from one address
  // As many as it has ports: for what a server knows an address by, a Fast Open cookie for example.
  static constexpr unsigned kLongestRun = std::numeric_limits<unsigned>::max();

  SourceWalk(const Prefix& range, const Prefix& on_link, std::uint64_t first, unsigned run = kRun)
      : range_(range), next_(first % range.size()), longest_(run) {
    const std::uint64_t hosts = on_link.size();
    if (on_link.network.is_v4() && hosts > 2) {
      all_zeros_ = on_link.nth(0);
      all_ones_ = on_link.nth(hosts - 1);
    }
  }

  Address next() {
    if (run_ == 0) skip();
    --run_;
    return current_;
  }
  // The next address, now: the current one has no port left.
  void skip() {
    run_ = longest_;
    current_ = step();
    // Two at most are left out, so a third step always finds one unless the range has no other.
    for (int tries = 0; tries < 2 && is_left_out(current_); ++tries) current_ = step();
  }

 private:
  Address step() {
    const Address address = range_.nth(next_);
    next_ = next_ + 1 == range_.size() ? 0 : next_ + 1;
    return address;
  }
  bool is_left_out(const Address& address) const {
    return address == all_zeros_ || address == all_ones_;
  }

  Prefix range_;
  std::uint64_t next_;
  Address current_;
  unsigned longest_;
  unsigned run_ = 0;   // connections that `current_` still serves
  Address all_zeros_;  // unspecified, which is in no range, when nothing is left out
  Address all_ones_;
};

}  // namespace handfast::load
