// What a SYN of a flood costs one stack, without a driver, when half-open records are out: answered
// with a cookie, and dropped. Copying the SYN into a packet is in both.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "bench/syn_flood/syn_frames.hpp"
#include "drivers/link/sim_pool.hpp"
#include "stack/pump.hpp"
#include "wire/arp.hpp"

namespace handfast::bench {
namespace {

constexpr base::MacAddress kOurMac{2, 0, 0, 0, 0, 1};
constexpr base::MacAddress kPeerMac{2, 0, 0, 0, 0, 2};
constexpr std::size_t kFrames = 1 << 16;
constexpr std::size_t kLength = 74;

// Delivers the same SYNs over and over, behind one ARP request that says who their way back is;
// takes all that is sent.
class Flood final : public base::Device {
 public:
  Flood() : bytes_(kFrames * kLength) {
    SynFrames frames(*Prefix::parse("198.19.128.0/17"), *Endpoint::parse("198.19.0.1:80"));
    const auto link = wire::make_link_header(kOurMac, kPeerMac, {}, wire::kEtherTypeIpv4);
    std::array<std::byte, 128> room;
    for (std::size_t i = 0; i < kFrames; ++i) {
      base::Packet packet{.data = room.data()};
      frames.write(packet, link);
      if (packet.length != kLength) std::abort();
      std::memcpy(&bytes_[i * kLength], room.data(), kLength);
    }
  }
  const base::DeviceInfo& info() const override { return info_; }
  base::PacketPool& pool() override { return pool_; }
  std::size_t receive(Instant, std::span<base::Packet> out) override {
    if (delivered == 0) return introduce(out);
    const std::size_t n = pool_.allocate(out);
    for (base::Packet& packet : out.first(n)) {
      std::memcpy(packet.data, &bytes_[delivered % kFrames * kLength], kLength);
      packet.length = kLength;
      ++delivered;
    }
    return n;
  }
  std::size_t send(Instant, std::span<const base::Packet> frames) override {
    pool_.free(frames);
    return frames.size();
  }

  std::size_t delivered = 0;

 private:
  std::size_t introduce(std::span<base::Packet> out) {
    const auto link = wire::make_link_header(kOurMac, kPeerMac, {}, wire::kEtherTypeArp);
    if (pool_.allocate(out.first(1)) != 1) std::abort();
    out[0].length = wire::emit_arp(out[0].data, link,
                                   {.operation = wire::Arp::Operation::request,
                                    .sender_mac = kPeerMac,
                                    .sender_ip = *Address::parse("198.19.0.2"),
                                    .target_ip = *Address::parse("198.19.0.1")});
    delivered = 1;
    return 1;
  }

  base::DeviceInfo info_{.mac = kOurMac};
  drivers::SimPool pool_{8192};
  std::vector<std::byte> bytes_;
};

struct Server {};

void syns(benchmark::State& state, const StackConfig& settings) {
  Flood device;
  StackConfig config = settings;
  config.interface.addresses = {*Prefix::parse("198.19.0.1/24")};
  config.interface.gateway = *Address::parse("198.19.0.2");
  config.seed = 1;
  const auto stack =
      stack::Stack::create(config, {}, device.info(), device.pool(), nullptr).value();
  Server server;
  if (!stack->worker().listen({.address = {}, .port = 80}, server)) std::abort();
  stack::Pump pump(*stack, device);
  Instant now = Instant::from_ns(1'000'000'000);
  const auto turn = [&] { pump.turn(now = now + std::chrono::microseconds(10)); };
  while (device.delivered < kFrames) turn();
  const std::size_t before = device.delivered;
  for (auto _ : state) turn();
  const auto count = static_cast<double>(device.delivered - before);
  const Counters counters = stack->counters().snapshot();
  state.SetItemsProcessed(static_cast<std::int64_t>(count));
  state.counters["a_syn"] =
      benchmark::Counter(count, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["with_cookie"] = static_cast<double>(counters.syn_cookies_sent);
  state.counters["dropped"] = static_cast<double>(counters.half_open_refused);
}

void answered_with_cookie(benchmark::State& state) {
  StackConfig config;
  config.max_half_open = 1024;
  syns(state, config);
}
BENCHMARK(answered_with_cookie);

void dropped(benchmark::State& state) {
  StackConfig config;
  config.max_half_open = 1024;
  config.syn_cookies = false;
  syns(state, config);
}
BENCHMARK(dropped);

}  // namespace
}  // namespace handfast::bench

BENCHMARK_MAIN();
