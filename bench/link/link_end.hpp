// LinkEnd: one end of a bare link. It receives bursts, reads both cache lines of each frame's
// headers, frees it, and sends what follows it in the work; it pays for no protocol. One thread's
// own; the device outlives it.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "apps/load/histogram.hpp"
#include "base/device.hpp"
#include "bench/link/work.hpp"

namespace handfast::bench {

class LinkEnd {
 public:
  LinkEnd(base::Device& device, const Work& work, bool is_client);
  LinkEnd(const LinkEnd&) = delete;
  LinkEnd& operator=(const LinkEnd&) = delete;
  ~LinkEnd();

  // The client's: begins so many units, a whole number of groups; each that ends begins another.
  void begin(std::uint32_t units);
  // Measures the time of each unit; makes sense with one in flight.
  void measure_times() { measures_times_ = true; }
  // The client's last word: the server ends when it comes.
  void say_goodbye();
  // Receives and sends once.
  void turn(Instant now);

  bool is_told_to_end() const { return is_told_to_end_; }
  bool has_sent_all() const { return pending_.empty(); }
  std::uint64_t completed() const { return completed_; }
  const load::Histogram& times() const { return times_; }

 private:
  static constexpr std::size_t kBurst = 32;

  void read(const base::Packet& packet, Instant now);
  void answer(std::uint8_t step);
  void send_from(std::size_t step);
  void complete(Instant now);
  void put(std::uint8_t step, std::uint16_t length, bool has_text);
  void flush(Instant now);

  base::Device& device_;
  const Work& work_;
  const bool is_client_;
  base::PacketCache packets_;
  std::array<base::Packet, kBurst> burst_{};
  std::vector<base::Packet> pending_;  // written and not yet taken by the device
  std::array<std::byte, 256> headers_{};
  std::vector<std::byte> text_;
  std::uint32_t held_back_ = 0;  // units of a group that was not answered yet
  std::uint64_t completed_ = 0;
  std::uint64_t seen_ = 0;  // a sum of what was read, so that it is read
  Instant begun_;           // the unit in flight, when times are measured
  load::Histogram times_;
  bool measures_times_ = false;
  bool is_told_to_end_ = false;
};

}  // namespace handfast::bench
