// The timer wheel: what arming, cancelling and expiring cost, with records in cache and far from
// it.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>

#include "base/mapped_array.hpp"
#include "base/random.hpp"
#include "timer/wheel.hpp"

namespace handfast::timer {
namespace {

// As large as a connection's first cache line.
struct alignas(64) Record {
  TimerNode timer;
};

struct Records {
  explicit Records(std::uint32_t count) {
    if (!records.reserve(count) || !wheel.reserve(2 * count, 1)) std::abort();
  }
  auto node_of() {
    return [this](std::uint32_t id) -> TimerNode& { return records[id].timer; };
  }
  base::MappedArray<Record> records;
  Wheel wheel;
};

// An acknowledgement moves the deadline back: the entry stays where it is.
void arm_later(benchmark::State& state) {
  Records all(1024);
  Tick deadline = 1000;
  std::uint32_t id = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(all.wheel.arm(id, all.records[id].timer, deadline));
    id = (id + 1) % 1024;
    deadline += id == 0 ? 1 : 0;
  }
}
BENCHMARK(arm_later);

void arm_and_cancel(benchmark::State& state) {
  Records all(1024);
  std::uint32_t id = 0;
  for (auto _ : state) {
    TimerNode& node = all.records[id].timer;
    benchmark::DoNotOptimize(all.wheel.arm(id, node, 3000));
    Wheel::cancel(node);
    id = (id + 1) % 1024;
  }
}
BENCHMARK(arm_and_cancel);

// Every record is always armed, up to 1.3 s ahead, in random order; an item is one expiry and the
// arming that follows it, with its share of moves from level to level.
void advance_and_arm_again(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  constexpr std::uint64_t kAhead = 20'000;
  Records all(count);
  base::Random random(1);
  const auto arm = [&](std::uint32_t id, Tick now) {
    const Tick deadline = now + 1 + static_cast<Tick>(random.below(kAhead));
    if (!all.wheel.arm(id, all.records[id].timer, deadline)) std::abort();
  };
  for (std::uint32_t id = 0; id < count; ++id) arm(id, 1);
  Tick now = 1;
  std::size_t expired = 0;
  for (auto _ : state) {
    ++now;
    expired += all.wheel.advance(
        now, all.node_of(), [&](std::uint32_t id) { arm(id, now); }, SIZE_MAX);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(expired));
}
BENCHMARK(advance_and_arm_again)->Arg(1'000)->Arg(1'000'000)->Arg(10'000'000);

// What an idle poll pays.
void advance_with_nothing_due(benchmark::State& state) {
  Records all(1024);
  for (std::uint32_t id = 0; id < 1024; ++id) {
    if (!all.wheel.arm(id, all.records[id].timer, 1'000'000 + id)) std::abort();
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(all.wheel.advance(
        2, all.node_of(), [](std::uint32_t) {}, 64));
    benchmark::DoNotOptimize(all.wheel.next_deadline());
  }
}
BENCHMARK(advance_with_nothing_due);

}  // namespace
}  // namespace handfast::timer

BENCHMARK_MAIN();
