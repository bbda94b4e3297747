// FloodDevice: a device that others share: wraps a worker's own and adds, at a set rate, SYNs from
// addresses that are nobody's to what the worker sends. Their answers are counted and go no
// further, as if they went elsewhere. The worker notices nothing but a busier link. A flood does
// not wait: what a full link does not take is lost.
#pragma once

#include <cstdint>

#include "apps/load/pace.hpp"
#include "base/device.hpp"
#include "bench/syn_flood/syn_frames.hpp"
#include "net/prefix_match.hpp"

namespace handfast::bench {

class FloodDevice final : public base::Device {
 public:
  // `inner` is borrowed for life.
  // `sources` and `target` are of one family.
  FloodDevice(base::Device& inner, const Prefix& sources, const Endpoint& target, double rate);

  // The target's host has been heard of by then, and so its MAC address is known.
  void begin(Instant now);
  void stop() { is_on_ = false; }
  std::uint64_t offered() const { return offered_; }    // SYNs
  std::uint64_t taken() const { return taken_; }        // by the link
  std::uint64_t answered() const { return answered_; }  // frames to the range

  const base::DeviceInfo& info() const override { return inner_.info(); }
  base::PacketPool& pool() override { return inner_.pool(); }
  std::size_t receive(Instant now, std::span<base::Packet> out) override;
  std::size_t send(Instant now, std::span<const base::Packet> frames) override;

 private:
  static constexpr std::size_t kBurst = 64;
  static constexpr int kBurstsPerTurn = 4;

  std::size_t keep_ours(std::span<base::Packet> frames);
  bool send_burst(Instant now);

  base::Device& inner_;
  SynFrames frames_;
  double rate_;
  load::Pace pace_;
  net::PrefixMatch range_;
  bool is_v4_;
  wire::LinkHeader link_{};
  bool is_on_ = false;
  std::uint64_t offered_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t answered_ = 0;
};

}  // namespace handfast::bench
