// What one frame costs in the wire layer: checksum, parse (Ethernet to TCP) and emit. All in cache:
// the frames of a burst have been prefetched by then.
#include <benchmark/benchmark.h>

#include <array>
#include <vector>

#include "wire/checksum.hpp"
#include "wire/frame.hpp"
#include "wire/tcp.hpp"

namespace handfast::wire {
namespace {

constexpr MacAddress kOurMac{0x02, 0, 0, 0, 0, 0x01};
constexpr MacAddress kPeerMac{0x02, 0, 0, 0, 0, 0x02};
constexpr std::size_t kBurst = 32;
constexpr std::size_t kBufferSize = 2048;

enum Layout : std::int64_t { kPlain, kTimestamps, kSyn };

base::Segment segment_of(Layout layout, base::Bytes payload) {
  base::Segment segment;
  segment.seq = base::Seq{0x12345678};
  segment.ack = base::Seq{0x9abcdef0};
  segment.window = 502;
  segment.flags = base::kAck;
  segment.payload = payload;
  if (layout != kPlain) segment.options.present = base::TcpOptions::kTimestamps;
  if (layout == kSyn) {
    segment.flags = base::kSyn;
    segment.options.present = base::TcpOptions::kTimestamps | base::TcpOptions::kMss |
                              base::TcpOptions::kSackPermitted | base::TcpOptions::kWindowScale;
    segment.options.mss = 1460;
  }
  return segment;
}

// A burst of buffers, and what is needed to fill them.
struct Burst {
  LinkHeader link = make_link_header(kOurMac, kPeerMac, std::nullopt, kEtherTypeIpv4);
  std::vector<std::byte> memory = std::vector<std::byte>(kBurst * kBufferSize);
  std::array<base::Packet, kBurst> packets;

  void emit(const base::Segment& segment, bool offload) {
    for (std::size_t i = 0; i < kBurst; ++i) {
      packets[i].data = &memory[i * kBufferSize];
      emit_tcp(packets[i],
               {.link = link,
                .ip = {.source = Address::v4(0xc6120002), .destination = Address::v4(0xc6120001)},
                .ports = {.source = 40'000, .destination = 80},
                .segment = segment,
                .offload_ip_checksum = offload,
                .offload_tcp_checksum = offload});
    }
  }
};

void report_frames(benchmark::State& state) {
  const auto frames = state.iterations() * static_cast<std::int64_t>(kBurst);
  state.SetItemsProcessed(frames);
}

void checksum(benchmark::State& state) {
  const std::vector<std::byte> bytes(static_cast<std::size_t>(state.range(0)), std::byte{0x5a});
  for (auto _ : state) {
    const std::byte* data = bytes.data();
    benchmark::DoNotOptimize(data);
    benchmark::DoNotOptimize(fold(sum({data, bytes.size()})));
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(checksum)->Arg(20)->Arg(64)->Arg(1460);

void copy_and_checksum(benchmark::State& state) {
  const std::vector<std::byte> bytes(static_cast<std::size_t>(state.range(0)), std::byte{0x5a});
  std::vector<std::byte> to(bytes.size());
  for (auto _ : state) {
    benchmark::DoNotOptimize(fold(copy_and_sum(to.data(), bytes)));
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(copy_and_checksum)->Arg(20)->Arg(64)->Arg(1460);

// Arguments: layout, payload bytes, checksums verified by the device (1) or here (0).
void parse(benchmark::State& state) {
  const std::vector<std::byte> payload(static_cast<std::size_t>(state.range(1)));
  Burst burst;
  burst.emit(segment_of(static_cast<Layout>(state.range(0)), payload), false);
  const std::uint8_t flags =
      state.range(2) != 0 ? base::kIpChecksumGood | base::kL4ChecksumGood : 0;
  for (auto& packet : burst.packets) packet.flags = flags;
  const LinkFilter filter{.mac = kOurMac};
  std::array<Frame, kBurst> frames;
  TcpPorts ports;
  base::Segment segment;
  for (auto _ : state) {
    for (std::size_t i = 0; i < kBurst; ++i) {
      if (parse_frame(burst.packets[i], filter, frames[i]) != Drop::none ||
          parse_tcp(frames[i].payload, frames[i], ports, segment) != Drop::none) {
        state.SkipWithError("a frame of ours was dropped");
        return;
      }
      benchmark::DoNotOptimize(segment);
    }
  }
  report_frames(state);
}
BENCHMARK(parse)
    ->ArgNames({"layout", "payload", "device"})
    ->ArgsProduct({{kPlain, kTimestamps, kSyn}, {0}, {0, 1}})
    ->Args({kPlain, 64, 0})
    ->Args({kPlain, 1460, 0});

// Arguments: layout, payload bytes, checksums left to the device (1) or made here (0).
void emit(benchmark::State& state) {
  const std::vector<std::byte> payload(static_cast<std::size_t>(state.range(1)));
  const base::Segment segment = segment_of(static_cast<Layout>(state.range(0)), payload);
  Burst burst;
  for (auto _ : state) {
    burst.emit(segment, state.range(2) != 0);
    benchmark::ClobberMemory();
  }
  report_frames(state);
}
BENCHMARK(emit)
    ->ArgNames({"layout", "payload", "device"})
    ->ArgsProduct({{kPlain, kTimestamps, kSyn}, {0}, {0, 1}})
    ->Args({kPlain, 64, 0})
    ->Args({kPlain, 1460, 0});

}  // namespace
}  // namespace handfast::wire

BENCHMARK_MAIN();
