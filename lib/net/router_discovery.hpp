// RouterDiscovery: the default router, the prefixes on the link and its MTU as routers advertise
// them (RFC 4861 section 6.3), for an interface that was told to believe them. Anybody on the link
// can forge an advertisement, so it is off unless asked for. It makes no addresses: ours are
// configured. One worker's own; the stack hands it every valid advertisement that any worker of the
// port received, and calls advance() when next_deadline() has come.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/counter.hpp"
#include "handfast/address.hpp"
#include "handfast/time.hpp"
#include "net/frame_sink.hpp"
#include "net/interface.hpp"
#include "net/neighbours.hpp"
#include "wire/frame.hpp"
#include "wire/router.hpp"

namespace handfast::net {

// RFC 4861 section 10.
inline constexpr unsigned kRouterSolicitationsMax = 3;
inline constexpr Duration kRouterSolicitationInterval = std::chrono::seconds(4);
// Further ones are not remembered: whoever floods us fills this and no more.
inline constexpr std::size_t kRoutersMax = 4;

class RouterDiscovery {
 public:
  // All are borrowed for life. Only who `solicits` asks: one worker of a port. The first question
  // goes `first_after` the first advance() (RFC 4861 section 6.3.7: up to a second, at random).
  RouterDiscovery(Interface& interface, Neighbours& neighbours, FrameSink& sink,
                  base::LiveCounters& counters, bool solicits, Duration first_after);

  bool is_on() const { return interface_->believes_routers(); }
  // True when routes or the MTU have changed.
  bool receive(const wire::RouterAdvertisement& advertisement, const wire::Frame& frame,
               Instant now);

  bool is_router(const Address& address) const;
  // It said of itself that it is none any more (RFC 4861 section 7.2.5). True when routes have
  // changed.
  bool forget_router(const Address& address);

  Instant next_deadline() const { return next_deadline_; }
  // True when routes have changed: something has grown old, or the router in use is silent and
  // there is another.
  bool advance(Instant now);
  // The same, when a neighbour may have failed.
  bool choose_again();

 private:
  struct Router {
    Address address;
    Instant until;
  };
  struct OnLink {
    Prefix prefix;
    Instant until;
  };

  bool take_router(const Address& address, std::uint16_t lifetime_s, Instant now);
  bool take_prefix(const wire::AdvertisedPrefix& advertised, Instant now);
  bool take_mtu(std::uint32_t mtu);
  bool expire(Instant now);
  std::optional<Address> best() const;
  void solicit();
  void set_deadline();

  Interface* interface_;
  Neighbours* neighbours_;
  FrameSink* sink_;
  base::LiveCounters* counters_;
  Duration first_after_;
  unsigned solicitations_left_;
  Instant next_solicitation_ = Instant::never();
  bool is_started_ = false;
  Instant next_deadline_ = Instant::never();
  std::array<Router, kRoutersMax> routers_;
  std::size_t router_count_ = 0;
  std::array<OnLink, wire::kAdvertisedPrefixesMax> prefixes_;
  std::size_t prefix_count_ = 0;
};

}  // namespace handfast::net
