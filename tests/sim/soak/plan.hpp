// Plan: all that one soak run will do, drawn from its seed before it begins: hosts, their settings,
// paths and clocks, connections with what each end's application does, and what befalls them from
// outside. A plain value: the run only carries it out, so that equal seeds give equal runs.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "drivers/impair/middlebox.hpp"
#include "tests/sim/world.hpp"

namespace handfast::sim {

enum class Sending : std::uint8_t {
  at_once,   // as much as is taken
  dribble,   // a piece at each of its timer's calls
  reactive,  // no more than has been received, until the peer has finished
};

enum class Reading : std::uint8_t {
  eager,
  partly,  // some of what is offered, the rest when its timer runs out
  again,   // some of what is offered, the rest at once: resume_receive() inside on_data
  retain,  // keeps buffers for a while
  never,   // nothing until `quits_at`
};

enum class Closing : std::uint8_t {
  when_sent,           // half-close as soon as all is sent
  when_peer_finished,  // and all is sent
  at_quit,             // not before `quits_at`
  within,              // close_within() when all is sent
};

// What the application at one end of a connection does.
struct EndPlan {
  std::uint32_t bytes = 0;
  std::uint32_t piece = 1000;  // of sending and of reading
  Duration pause{0};           // between pieces
  Sending sending = Sending::at_once;
  Reading reading = Reading::eager;
  Closing closing = Closing::when_sent;
  Duration patience{0};               // of Closing::within
  double whim = 0;                    // probability of calls that mean nothing, at each callback
  bool uses_buffers = false;          // send(Buffer)
  double urgent = 0;                  // probability that what is sent is marked as urgent
  std::uint32_t aborts_in = 0;        // its n-th callback; 0: never
  std::optional<Duration> aborts_at;  // after the start of the connection
  Duration quits_at{0};               // after it: reads on, and closes if it has not
};

struct ConnectionPlan {
  std::size_t client = 0;  // hosts
  std::size_t server = 1;
  bool is_v6 = false;
  bool is_mutual = false;  // both connect, to each other's port: a simultaneous open if they meet
  bool is_fast = false;    // asks for TCP Fast Open
  bool opens_within = false;  // connect() is called within a callback of the client's host
  std::uint16_t port = 0;     // the client's, 0: the stack's choice
  Duration starts_at{0};
  Duration mutual_delay{0};
  ConnectionOptions options;
  std::array<EndPlan, 2> ends;  // client, server
};

struct HostPlan {
  HostConfig config;
  drivers::MiddleboxConfig box;
  bool has_box = false;
  // All free packets of the pool are gone from, until.
  std::vector<std::array<Duration, 2>> droughts;
  std::vector<Duration> restarts;
  std::optional<Duration> stops_at;  // Stack::stop()
};

struct Plan {
  std::uint64_t seed = 0;
  drivers::LinkConfig link;
  Duration poll_interval{0};
  std::vector<HostPlan> hosts;
  std::vector<ConnectionPlan> connections;
  // Something may happen that ends connections, or keeps them from ever being finished: then less
  // is asked for.
  bool is_hostile = false;
  bool is_asymmetric = false;  // option stripping that the ends cannot agree about
  Duration limit{0};           // all connections have ended by then

  static Plan draw(std::uint64_t seed);
  std::string to_string() const;
};

// Addresses of host `index`.
Address address_of(std::size_t index, bool is_v6);

}  // namespace handfast::sim
