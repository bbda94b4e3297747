#include "wire/drop.hpp"

#include <array>

#include "base/assert.hpp"

namespace handfast::wire {
namespace {

using CounterOf = base::Counter base::LiveCounters::*;

// Indexed by Drop; the first, Drop::none, has no counter.
constexpr std::array kCounters{CounterOf{nullptr},
#define HANDFAST_DROP_COUNTER(name) CounterOf{&base::LiveCounters::drop_##name},
                               HANDFAST_DROPS(HANDFAST_DROP_COUNTER)
#undef HANDFAST_DROP_COUNTER
};

constexpr auto kNames = std::to_array<std::string_view>({"none",
#define HANDFAST_DROP_NAME(name) #name,
                                                         HANDFAST_DROPS(HANDFAST_DROP_NAME)
#undef HANDFAST_DROP_NAME
});

}  // namespace

void count(Drop reason, base::LiveCounters& counters) {
  if (reason == Drop::none) return;
  ++(counters.*kCounters[static_cast<std::size_t>(reason)]);
}

std::string_view to_string(Drop reason) {
  return kNames[static_cast<std::size_t>(reason)];
}

}  // namespace handfast::wire
