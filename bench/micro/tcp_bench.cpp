// The protocol alone: SEGMENT ARRIVES and the answer it makes due, for one connection in cache.
#include <benchmark/benchmark.h>

#include <cstdlib>

#include "drivers/link/sim_pool.hpp"
#include "tcp/half_open.hpp"
#include "tcp/output.hpp"
#include "tcp/segment_arrives.hpp"
#include "tcp/user_calls.hpp"

namespace handfast::tcp {
namespace {

struct Endpoint {
  Endpoint() {
    if (!transfers.reserve(1)) std::abort();
    context.set_time(Instant::from_ns(1'000'000'000));
  }
  base::Segment from_peer(std::uint8_t flags) const {
    base::Segment segment;
    segment.seq = tcb.rcv_nxt;
    segment.ack = tcb.snd_max;
    segment.flags = flags;
    segment.window = 60'000;
    return segment;
  }
  void establish() {
    HalfOpen half{};
    base::Segment syn;
    syn.seq = Seq{1000};
    syn.flags = base::kSyn;
    open_half(half, {}, syn, Seq{5000}, context);
    promote(tcb, half, context);
    (void)segment_arrives(tcb, from_peer(base::kAck), packet, context);
    if (tcb.state != State::established) std::abort();
  }
  std::size_t answer() {
    std::size_t segments = 0;
    Outgoing out;
    while (has_output(tcb) && next_segment(tcb, context, out)) ++segments;
    finish_output(tcb, context);
    return segments;
  }

  StackConfig config;
  Parameters parameters = Parameters::from(config, 0);
  drivers::SimPool pool{1024};
  base::PacketCache packets{pool};
  base::LiveCounters counters;
  base::Slab<Transfer> transfers;
  Context context{.parameters = parameters,
                  .packets = packets,
                  .counters = counters,
                  .transfers = transfers,
                  .now = {}};
  base::Packet packet;
  std::array<std::byte, 64> text{};
  Tcb tcb{};
};

// 64 bytes in order, and the ACK for them.
void data_and_ack(benchmark::State& state) {
  Endpoint end;
  end.establish();
  for (auto _ : state) {
    base::Segment segment = end.from_peer(base::kAck | base::kPsh);
    segment.payload = end.text;
    benchmark::DoNotOptimize(segment_arrives(end.tcb, segment, end.packet, end.context));
    benchmark::DoNotOptimize(end.answer());
  }
}
BENCHMARK(data_and_ack);

// A request of 64 bytes that acknowledges the last answer, and the next answer of 64 bytes.
void request_and_answer(benchmark::State& state) {
  Endpoint end;
  end.establish();
  for (auto _ : state) {
    base::Segment segment = end.from_peer(base::kAck | base::kPsh);
    segment.payload = end.text;
    benchmark::DoNotOptimize(segment_arrives(end.tcb, segment, end.packet, end.context));
    benchmark::DoNotOptimize(send(end.tcb, end.text, end.context));
    benchmark::DoNotOptimize(end.answer());
  }
  end.tcb.send_queue.clear(end.packets);
}
BENCHMARK(request_and_answer);

// What a passive open costs the protocol: SYN, SYN-ACK, third segment.
void handshake(benchmark::State& state) {
  Endpoint end;
  base::Segment syn;
  syn.seq = Seq{1000};
  syn.flags = base::kSyn;
  for (auto _ : state) {
    HalfOpen half{};
    open_half(half, {}, syn, Seq{5000}, end.context);
    benchmark::DoNotOptimize(syn_ack_of(half, end.context));
    end.tcb = Tcb{};
    promote(end.tcb, half, end.context);
    benchmark::DoNotOptimize(
        segment_arrives(end.tcb, end.from_peer(base::kAck), end.packet, end.context));
  }
}
BENCHMARK(handshake);

}  // namespace
}  // namespace handfast::tcp

BENCHMARK_MAIN();
