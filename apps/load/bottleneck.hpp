// Bottleneck: what kept a run from going faster, concluded from how busy the workers of each end
// were and how often their devices were full. Plain values: run.cpp gathers, the reports show.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "handfast/counters.hpp"

namespace handfast::load {

enum class Bottleneck : std::uint8_t {
  client,
  server,  // the embedded one
  link,
  peer_or_path,  // none of ours: what is in flight waits for somebody else
  rate,          // nothing: the run went as fast as it was asked to
};
// "client", "server", "link", "peer or path", "rate".
std::string_view to_string(Bottleneck bottleneck);

// What the ends had counted when the work was done, before what is left of it is waited for.
struct Work {
  Counters client;
  std::optional<Counters> server;  // none: a foreign one
  bool kept_rate = false;          // a rate was asked for, and reached

  // Of the counters that are looked at here, what `before` had counted already.
  void leave_out(const Work& before);
};

// The share of the workers' time in which they had something to do; 0 when no time was counted.
double busy_share(const Counters& counters);
// The share of the bursts offered to the devices that they did not take whole.
double full_share(const Counters& counters);

Bottleneck find_bottleneck(const Work& work);

// "the client's worker (busy 99 %; server's 83 %; link full 0 times)"
std::string describe_bottleneck(const Work& work);

}  // namespace handfast::load
