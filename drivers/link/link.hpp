// Link: a simulated Ethernet segment. Any number of ports, joined as by a switch: a frame goes to
// the port that its destination MAC address belongs to, or to all others when that is not known.
// Frames arrive complete, in order and after a fixed time; what goes wrong on a network is the
// business of drivers/impair. Time is an argument, nothing here has a thread: one caller drives
// all ports, with a `now` that never goes back.
//
//   SimPool pool_a(4096), pool_b(4096);
//   Link link({.latency = 50us});
//   LinkPort& a = link.add_port(pool_a, {.mac = ...});
//   LinkPort& b = link.add_port(pool_b, {.mac = ...});
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/device.hpp"
#include "drivers/link/frame_ring.hpp"
#include "drivers/link/sim_pool.hpp"

namespace handfast::drivers {

struct LinkConfig {
  Duration latency{0};                // from send() to arrival, beside the time on the line
  std::uint64_t bits_per_second = 0;  // of each port's receiving line; 0: no limit
  std::size_t queue_bytes_max = std::size_t{16} << 20;  // on the way to one port
};

// What a port's device does for its host, in software. Each is off unless asked for.
struct LinkOffloads {
  bool checksums = false;  // fills in the checksums of what is sent
  bool tso = false;        // and cuts up what is longer than a segment (Segmentation)
  bool lro = false;  // verifies the checksums of what arrives, and merges it (Coalescing): as much
                     // as the pool's data room holds
};

struct LinkCounters {
  std::uint64_t sent = 0;            // frames on the wire
  std::uint64_t delivered = 0;       // frames handed out by receive()
  std::uint64_t cut_up = 0;          // frames that TSO made several of
  std::uint64_t merged = 0;          // frames that LRO added to the one before
  std::uint64_t flooded = 0;         // frames sent to all other ports
  std::uint64_t dropped_filter = 0;  // by the filter
  std::uint64_t dropped_queue = 0;   // queue_bytes_max was reached
  std::uint64_t dropped_pool = 0;    // the receiver's pool was dry
  std::uint64_t dropped_length = 0;  // no Ethernet header, or longer than the receiver's data room
};

class Link;

class LinkPort final : public base::Device {
 public:
  const base::DeviceInfo& info() const override { return info_; }
  base::PacketPool& pool() override { return pool_; }
  // Copies each due frame into a packet of this port's pool.
  std::size_t receive(Instant now, std::span<base::Packet> out) override;
  // Takes them all.
  std::size_t send(Instant now, std::span<const base::Packet> frames) override;
  Instant next_arrival() const override {
    return queue_.is_empty() ? Instant::never() : queue_.front_due();
  }

 private:
  friend class Link;
  LinkPort(Link& link, std::size_t index, SimPool& pool, const base::DeviceInfo& info,
           const LinkOffloads& offloads);

  void transmit(Instant now, std::span<const base::Packet> frame);
  void cut_up(Instant now, base::Bytes frame, std::uint16_t segment_size);
  void merge_due(Instant now, base::Packet& packet);

  Link& link_;
  std::size_t index_;
  SimPool& pool_;
  base::DeviceInfo info_;
  bool lro_;
  FrameRing queue_;
  std::vector<std::byte> whole_;    // a frame of several packets, or one that lacks checksums
  std::vector<std::byte> segment_;  // of a frame that is cut up
  Instant line_free_;               // when the last bit of the queued frames has passed the line
};

class Link {
 public:
  // Sees every frame on the wire, also one that the filter drops.
  using Tap = std::function<void(Instant, base::Bytes)>;
  // True drops the frame.
  using Filter = std::function<bool(Instant, base::Bytes)>;

  // More addresses are not learned; frames to them are flooded.
  static constexpr std::size_t kLearnedMax = 256;

  explicit Link(const LinkConfig& config = {});
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // `pool` is borrowed for the link's life. The port is the link's. It offers these offloads,
  // whatever `info` says.
  LinkPort& add_port(SimPool& pool, const base::DeviceInfo& info,
                     const LinkOffloads& offloads = {});
  void set_tap(Tap tap) { tap_ = std::move(tap); }
  void set_filter(Filter filter) { filter_ = std::move(filter); }

  // When the earliest frame on any port is due. O(ports).
  Instant next_arrival() const;
  const LinkCounters& counters() const { return counters_; }

 private:
  friend class LinkPort;
  struct Learned {
    base::MacAddress mac;
    std::size_t port;
  };
  static constexpr std::size_t kNoPort = static_cast<std::size_t>(-1);

  void forward(Instant now, std::size_t from, base::Bytes frame);
  void queue_on(LinkPort& port, Instant now, base::Bytes frame);
  void learn(const base::MacAddress& mac, std::size_t port);
  std::size_t port_of(const base::MacAddress& mac) const;
  Duration line_time(std::size_t bytes) const;

  LinkConfig config_;
  std::vector<std::unique_ptr<LinkPort>> ports_;
  std::vector<Learned> learned_;
  Tap tap_;
  Filter filter_;
  LinkCounters counters_;
};

}  // namespace handfast::drivers
