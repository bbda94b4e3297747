// ImpairDevice: wraps any device and does to its frames, in both directions, what bad networks do:
// drop, duplicate, reorder, corrupt, delay. Every choice comes from the seed: same seed and same
// input, same outcome. Frames that it holds count against the wrapped device's pool. It models no
// bandwidth (see drivers/link). Driven by a worker, or a simulator, as any device is.
//
//   frame -> drop? -> duplicate? -> each: corrupt? -> reorder? --no--> on-time lane --> released in
//                                                          \---yes--> late lane -----> order of due
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/device.hpp"
#include "base/random.hpp"

namespace handfast::drivers {

// Probabilities are of one frame, 0 to 1.
struct Impairment {
  double drop = 0;
  double duplicate = 0;  // a copy follows right behind
  double reorder = 0;    // comes `reorder_delay` late, so that later frames overtake
  double corrupt = 0;    // one bit, anywhere in the frame, is flipped
  Duration delay{0};
  Duration jitter{0};  // added to `delay`, uniform in [0, jitter]; never changes the order
  Duration reorder_delay = std::chrono::milliseconds(1);
};

struct ImpairConfig {
  static constexpr std::size_t kHeldMax = 8192;

  Impairment send;
  Impairment receive;
  std::uint64_t seed = 1;
  // Frames held in one direction. When reached, send() takes no more and receive() leaves them with
  // the wrapped device: the bound itself loses nothing.
  std::size_t held_max = kHeldMax;
};

struct ImpairCounters {
  std::uint64_t frames = 0;  // that came in
  std::uint64_t dropped = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t duplicates_failed = 0;  // chosen, but the pool was dry
  std::uint64_t reordered = 0;
  std::uint64_t corrupted = 0;
};

// One direction.
class ImpairedPath {
 public:
  ImpairedPath(const Impairment& impairment, std::uint64_t seed, std::size_t held_max,
               base::PacketPool& pool);
  ImpairedPath(const ImpairedPath&) = delete;
  ImpairedPath& operator=(const ImpairedPath&) = delete;
  // Frees what is still held.
  ~ImpairedPath();

  // How many frames can be admitted, should each be duplicated.
  std::size_t room() const { return (held_max_ - on_time_.count - late_.count) / 2; }
  void admit(Instant now, base::Packet frame);
  // What is due, into the front of `out`; returns how many.
  std::size_t release(Instant now, std::span<base::Packet> out);
  Instant next_release() const;
  const ImpairCounters& counters() const { return counters_; }

 private:
  struct Held {
    Instant due;
    base::Packet packet;
  };
  // A queue in order of `due`. Frames come in that order by themselves: on_time_ never shrinks its
  // due time, and late_ is the same plus a constant.
  struct Lane {
    explicit Lane(std::size_t capacity) : slots(capacity) {}
    Instant first_due() const { return count == 0 ? Instant::never() : slots[head].due; }
    void push(const Held& held);
    base::Packet pop();
    std::vector<Held> slots;
    std::size_t head = 0;
    std::size_t count = 0;
  };

  void hold(Instant due, base::Packet frame);
  // False when the pool is dry.
  bool copy(const base::Packet& frame, base::Packet& out);
  void corrupt(base::Packet& frame);

  Impairment impairment_;
  base::Random random_;
  std::size_t held_max_;
  base::PacketPool& pool_;
  Lane on_time_;
  Lane late_;
  Instant last_due_;
  ImpairCounters counters_;
};

class ImpairDevice final : public base::Device {
 public:
  // `inner` is borrowed and must outlive this.
  ImpairDevice(base::Device& inner, const ImpairConfig& config);
  ~ImpairDevice() override;

  // The inner device's, without its checksum offloads: a frame must be complete before it is
  // corrupted or copied.
  const base::DeviceInfo& info() const override { return info_; }
  base::PacketPool& pool() override { return inner_.pool(); }
  // Also passes on the frames to send that have become due: a worker's poll drives both directions.
  std::size_t receive(Instant now, std::span<base::Packet> out) override;
  std::size_t send(Instant now, std::span<const base::Packet> frames) override;
  // The next time anything happens here, to send or to receive.
  Instant next_arrival() const override;

  const ImpairCounters& sent() const { return outgoing_.counters(); }
  const ImpairCounters& received() const { return incoming_.counters(); }

 private:
  static constexpr std::size_t kBurst = 64;
  void pass_on(Instant now);

  base::Device& inner_;
  base::DeviceInfo info_;
  ImpairedPath outgoing_;
  ImpairedPath incoming_;
  std::array<base::Packet, kBurst> refused_{};  // due, but the inner device had no room
  std::size_t refused_count_ = 0;
};

}  // namespace handfast::drivers
