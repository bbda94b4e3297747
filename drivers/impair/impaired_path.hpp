// ImpairedPath: one direction of a bad network. Frames go in, and come out later, fewer, more,
// changed or in another order; every choice comes from the seed: same seed, same frames at the same
// times, same outcome. Driven by an ImpairDevice or by handfast-wire, with a `now` that never goes
// back.
//
//   frame -> lost? -> duplicate? -> each: corrupt? -> queue and line: dropped? CE? --+
//            released in   <-- on-time lane <--no-- reorder? <-- delay and jitter <--+
//            order of due  <--   late lane  <--yes----+
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "base/packet.hpp"
#include "base/random.hpp"
#include "drivers/impair/bottleneck.hpp"
#include "drivers/impair/impairment.hpp"

namespace handfast::drivers {

// The two directions of one link (0 and 1) draw from different sequences of one seed.
std::uint64_t direction_seed(std::uint64_t seed, int direction);

class ImpairedPath {
 public:
  // `held_max`: frames that can be on their way at once. `pool` gives copies and takes what is
  // dropped; it must outlive this.
  ImpairedPath(const Impairment& impairment, std::uint64_t seed, std::size_t held_max,
               base::PacketPool& pool);
  ImpairedPath(const ImpairedPath&) = delete;
  ImpairedPath& operator=(const ImpairedPath&) = delete;
  // Frees what is still held.
  ~ImpairedPath();

  // How many frames can be admitted, should each be duplicated.
  std::size_t room() const { return (held_max_ - held()) / 2; }
  std::size_t held() const { return on_time_.count + late_.count; }
  // Takes `frame`; there is room for it. One that its sender shares is held as a copy: what happens
  // to it here, and how long it stays, is not the sender's affair.
  void admit(Instant now, base::Packet frame);
  // What is due, into the front of `out`; returns how many.
  std::size_t release(Instant now, std::span<base::Packet> out);
  Instant next_release() const { return std::min(on_time_.first_due(), late_.first_due()); }
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

  bool is_lost();
  // False when there is no packet to copy into; then `frame` is gone.
  bool make_own(base::Packet& frame);
  // False when the pool is dry.
  bool copy(const base::Packet& frame, base::Packet& out);
  void carry(Instant now, Duration delay, base::Packet frame);
  void corrupt(base::Packet& frame);

  Impairment impairment_;
  base::Random random_;
  std::size_t held_max_;
  base::PacketPool& pool_;
  Bottleneck bottleneck_;
  Lane on_time_;
  Lane late_;
  Instant last_due_;
  bool is_bad_ = false;  // Gilbert-Elliott's state
  ImpairCounters counters_;
};

}  // namespace handfast::drivers
