// The flow table at three sizes, one lookup at a time and prefetched 32 ahead, TIME-WAIT records
// from push to expiry, listeners and source ports.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <cstdlib>

#include "base/random.hpp"
#include "handfast/address.hpp"
#include "table/flow_table.hpp"
#include "table/listener_table.hpp"
#include "table/port_allocator.hpp"
#include "table/time_wait_queue.hpp"

namespace handfast::table {
namespace {

constexpr std::uint32_t kBurst = 32;

// The hash of flow `i` is computed, not read, so that only the table's own misses are measured.
std::uint64_t hash_of(std::uint32_t i) {
  std::uint64_t state = i;
  return base::split_mix(state);
}

FlowTable filled(std::uint32_t count) {
  FlowTable table;
  if (!table.reserve(count)) std::abort();
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!table.insert(hash_of(i), i)) std::abort();
  }
  return table;
}

// Flows `first` to `first + count`, in random order. Those past the table's own are misses.
template <bool kPrefetched>
void find(benchmark::State& state, std::uint32_t first) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  const FlowTable table = filled(count);
  base::Random random(1);
  std::array<std::uint32_t, kBurst> flows{};
  std::uint64_t sum = 0;
  for (auto _ : state) {
    for (std::uint32_t& flow : flows)
      flow = first + static_cast<std::uint32_t>(random.below(count));
    if constexpr (kPrefetched) {
      for (const std::uint32_t flow : flows) table.prefetch(hash_of(flow));
    }
    for (const std::uint32_t flow : flows) {
      const std::uint32_t found =
          table.find(hash_of(kPrefetched ? flow : flow + static_cast<std::uint32_t>(sum >> 63)),
                     [flow](std::uint32_t reference) { return reference == flow; });
      // Without prefetching, each lookup waits for the one before it.
      sum += found == FlowTable::kNotFound ? 0 : found;
    }
  }
  benchmark::DoNotOptimize(sum);
  state.SetItemsProcessed(state.iterations() * kBurst);
}

void find_hit(benchmark::State& state) {
  find<false>(state, 0);
}
void find_hit_prefetched(benchmark::State& state) {
  find<true>(state, 0);
}
void find_miss(benchmark::State& state) {
  find<false>(state, 1U << 30);
}
void find_miss_prefetched(benchmark::State& state) {
  find<true>(state, 1U << 30);
}
BENCHMARK(find_hit)->Arg(1'000)->Arg(1'000'000)->Arg(10'000'000);
BENCHMARK(find_hit_prefetched)->Arg(1'000)->Arg(1'000'000)->Arg(10'000'000);
BENCHMARK(find_miss)->Arg(1'000)->Arg(1'000'000)->Arg(10'000'000);
BENCHMARK(find_miss_prefetched)->Arg(1'000)->Arg(1'000'000)->Arg(10'000'000);

// The table stays full but for one burst: its oldest flows leave, new ones come.
void insert_and_erase_prefetched(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  FlowTable table = filled(count);
  std::uint32_t oldest = 0;
  for (auto _ : state) {
    for (std::uint32_t i = oldest; i != oldest + kBurst; ++i) {
      table.prefetch(hash_of(i));
      table.prefetch(hash_of(i + count));
    }
    for (std::uint32_t i = oldest; i != oldest + kBurst; ++i) {
      if (!table.erase(hash_of(i), i)) std::abort();
      if (!table.insert(hash_of(i + count), i + count)) std::abort();
    }
    oldest += kBurst;
  }
  state.SetItemsProcessed(state.iterations() * kBurst);
}
BENCHMARK(insert_and_erase_prefetched)->Arg(1'000)->Arg(1'000'000)->Arg(10'000'000);

// `count` records are always held; an item is one that comes and one that goes.
void time_wait_push_and_expire(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  TimeWaitQueue queue;
  if (!queue.reserve(count + 2 * kBurst)) std::abort();
  std::uint32_t now = 0;
  TimeWaitRecord record;
  const auto push = [&](std::uint32_t deadline) {
    record.set_deadline_ms(deadline);
    if (!queue.push(record)) std::abort();
  };
  for (std::uint32_t i = 0; i < count; ++i) push(now + 1 + i / kBurst);
  std::uint64_t sum = 0;
  for (auto _ : state) {
    ++now;
    for (std::uint32_t i = 0; i < kBurst; ++i) push(now + 1 + count / kBurst);
    queue.expire(
        now,
        [&sum](std::uint32_t index, const TimeWaitRecord& gone) { sum += index + gone.remote; },
        2 * kBurst);
  }
  benchmark::DoNotOptimize(sum);
  state.SetItemsProcessed(state.iterations() * kBurst);
}
BENCHMARK(time_wait_push_and_expire)->Arg(1'000)->Arg(1'000'000)->Arg(10'000'000);

// The same with what belongs to it in the flow table, as the stack does it.
void time_wait_with_its_flow(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  TimeWaitQueue queue;
  FlowTable table;
  if (!queue.reserve(count + 2 * kBurst) || !table.reserve(count + 2 * kBurst)) std::abort();
  std::uint32_t name = 0;
  const auto push = [&](std::uint32_t deadline) {
    TimeWaitRecord record{.remote = name};
    record.set_deadline_ms(deadline);
    if (!table.insert(hash_of(name++), queue.push(record).value())) std::abort();
  };
  std::uint32_t now = 0;
  for (std::uint32_t i = 0; i < count; ++i) push(now + 1 + i / kBurst);
  for (auto _ : state) {
    ++now;
    for (std::uint32_t i = 0; i < kBurst; ++i) table.prefetch(hash_of(name + i));
    queue.prefetch_expiring(
        kBurst, [&](const TimeWaitRecord& next) { table.prefetch(hash_of(next.remote)); });
    for (std::uint32_t i = 0; i < kBurst; ++i) push(now + 1 + count / kBurst);
    queue.expire(
        now,
        [&](std::uint32_t index, const TimeWaitRecord& gone) {
          if (!table.erase(hash_of(gone.remote), index)) std::abort();
        },
        kBurst);
  }
  state.SetItemsProcessed(state.iterations() * kBurst);
}
BENCHMARK(time_wait_with_its_flow)->Arg(1'000)->Arg(1'000'000)->Arg(10'000'000);

void find_listener(benchmark::State& state) {
  ListenerTable table;
  if (!table.reserve(64)) std::abort();
  const Address ours = Address::v4(0xc6120001);
  const bool is_exact = state.range(0) != 0;
  for (std::uint16_t port = 80; port < 84; ++port) {
    if (!table.add({is_exact ? ours : Address{}, port})) std::abort();
  }
  std::uint16_t port = 80;
  for (auto _ : state) {
    benchmark::DoNotOptimize(table.find(ours, port));
    port = port == 83 ? std::uint16_t{80} : static_cast<std::uint16_t>(port + 1);
  }
}
BENCHMARK(find_listener)->ArgName("exact")->Arg(0)->Arg(1);

void choose_port(benchmark::State& state) {
  PortAllocator ports;
  if (!ports.reserve(1024, 65'535, 0x1234'5678)) std::abort();
  std::uint64_t pair = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(ports.choose(pair, [](std::uint16_t) { return true; }));
    pair = (pair + 1) % 256;
  }
}
BENCHMARK(choose_port);

}  // namespace
}  // namespace handfast::table

BENCHMARK_MAIN();
