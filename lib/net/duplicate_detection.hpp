// DuplicateDetection: asks at start whether another host has one of our IPv6 addresses already (RFC
// 4862 section 5.4), and gives up the one that has. Optimistic (RFC 4429): an address is used while
// the question is open, but says so, by advertisements that replace nobody's. Owned ranges are not
// asked about: they may have millions. Called by the stack, for every message that any worker of
// the port received; one worker asks.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/counter.hpp"
#include "base/device.hpp"
#include "handfast/address.hpp"
#include "handfast/time.hpp"
#include "net/frame_sink.hpp"
#include "net/interface.hpp"
#include "wire/discovery.hpp"
#include "wire/frame.hpp"

namespace handfast::net {

// RFC 4862 section 5.1 and RFC 4861 section 10: one question, and RETRANS_TIMER for its answer.
inline constexpr Duration kDuplicateWait = std::chrono::seconds(1);
inline constexpr std::size_t kDuplicatesMax = 16;

class DuplicateDetection {
 public:
  // All are borrowed for life. Without `is_on` it does nothing. The questions go `first_after` the
  // first advance() (RFC 4862 section 5.4.2: up to a second, at random), if this worker `asks`.
  DuplicateDetection(Interface& interface, FrameSink& sink, base::LiveCounters& counters,
                     bool is_on, bool asks, Duration first_after);

  // Whether that is still open.
  bool is_running() const { return phase_ != Phase::done; }
  // Each returns the address that has been given up: another host has it, or asks for it, too.
  std::optional<Address> receive(const wire::NeighbourSolicitation& solicitation,
                                 const wire::Frame& frame);
  std::optional<Address> receive(const wire::NeighbourAdvertisement& advertisement,
                                 const wire::Frame& frame);

  Instant next_deadline() const { return next_deadline_; }
  // True once, when nothing was heard in time: what is left is ours, and may be announced.
  bool advance(Instant now);

  std::span<const Address> duplicates() const { return std::span{duplicates_}.first(count_); }

 private:
  enum class Phase : std::uint8_t { begin, before_question, waiting, done };

  bool is_asked_about(const Address& address) const;
  std::optional<Address> give_up(const Address& address);
  void ask_about(const Address& address);

  Interface* interface_;
  FrameSink* sink_;
  base::LiveCounters* counters_;
  Duration first_after_;
  bool asks_;
  Phase phase_;
  Instant next_deadline_;
  std::array<Address, kDuplicatesMax> duplicates_;
  std::size_t count_ = 0;
};

}  // namespace handfast::net
