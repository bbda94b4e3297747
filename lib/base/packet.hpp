// Packet: a handle on one frame's buffer, and the pool it comes from.
//
// A Packet is a plain value of 24 bytes that travels in burst arrays; whoever holds it owns the
// buffer and must hand it on (to a queue, a device) or back to its pool, exactly once. What a
// driver keeps about its buffers (an rte_mbuf, a simulator's block) stays behind `buffer`.
// The design first put this record into the mbuf's private area; as a value it costs no third
// cache line per frame and no conversion (docs/architecture.md, "Packets").
//
//   buffer start     data                   data + length          end of data room
//        |  headroom  |   frame, `length`    |       tailroom       |
//
// A frame to send may lie in several packets, headers in the first: all but the last say
// kContinues, and they follow each other in the burst. What is received is always one packet.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/assert.hpp"

namespace handfast::base {

// A fresh packet has at least this much room before `data`; queues keep their links there.
inline constexpr std::size_t kPacketHeadroom = 128;

inline constexpr std::size_t kCacheLine = 64;

// A frame to send lies in at most so many packets, whatever the device can take.
inline constexpr std::size_t kFramePacketsMax = 48;

enum PacketFlag : std::uint8_t {
  // Received: the device verified the checksum. Neither flag set means: verify it in software.
  kIpChecksumGood = 1 << 0,
  kL4ChecksumGood = 1 << 1,
  kIpChecksumBad = 1 << 2,
  kL4ChecksumBad = 1 << 3,
  // To send: the device is to fill in the checksum. The TCP checksum field already holds the
  // pseudo-header's sum.
  kOffloadIpChecksum = 1 << 4,
  kOffloadL4Checksum = 1 << 5,
  // To send: the next packet of the burst is the rest of the same frame, plain payload.
  kContinues = 1 << 6,
};

struct Packet {
  std::byte* data = nullptr;
  void* buffer = nullptr;  // the driver's own; never looked into outside its driver
  std::uint32_t length = 0;
  std::uint8_t flags = 0;  // PacketFlag bits
  // Of the first packet of a frame to send, with kOffloadL4Checksum: the device is to cut it into
  // frames of so many bytes of TCP payload (TSO). 0: it leaves as it is.
  std::uint16_t segment_size = 0;

  std::span<const std::byte> bytes() const { return {data, length}; }
};
static_assert(sizeof(Packet) == 24);

// The packets of the frame that `burst`, which is not empty, begins with.
inline std::span<const Packet> first_frame(std::span<const Packet> burst) {
  std::size_t count = 1;
  while ((burst[count - 1].flags & kContinues) != 0 && count < burst.size()) ++count;
  return burst.first(count);
}

inline std::size_t frame_length(std::span<const Packet> frame) {
  std::size_t length = 0;
  for (const Packet& packet : frame) length += packet.length;
  return length;
}

// A source of empty packets. One thread's own; both calls are in bulk so that the virtual call is
// spread over a burst.
class PacketPool {
 public:
  PacketPool() = default;
  PacketPool(const PacketPool&) = delete;
  PacketPool& operator=(const PacketPool&) = delete;
  virtual ~PacketPool() = default;

  // Fills `out` from its front; returns how many were filled, fewer than asked when running dry.
  // Each has length 0, no flags, kPacketHeadroom before `data` and data_room() behind it.
  virtual std::size_t allocate(std::span<Packet> out) = 0;
  // Gives packets back, from this pool or from any other of the same driver.
  virtual void free(std::span<const Packet> packets) = 0;
  // Bytes from a fresh packet's `data` to the end of its buffer.
  virtual std::size_t data_room() const = 0;
  // One more owner of the buffer: it goes back to the pool when each has freed it. Owners only read
  // what they share, and only one of them may be a device: a shared packet is not sent again.
  virtual void share(const Packet& packet) = 0;
  // Whether someone else, a device that has not sent it yet for example, still owns it too.
  virtual bool is_shared(const Packet& packet) const = 0;
  // How much of the pool is free, in sixteenths, rounded down: what is kept for long should take no
  // more when it is little.
  virtual unsigned free_sixteenths() const { return 16; }
};

// A worker's stock of packets: single allocations and frees, in bulk towards the pool.
class PacketCache {
 public:
  explicit PacketCache(PacketPool& pool) : pool_(&pool) {}
  PacketCache(const PacketCache&) = delete;
  PacketCache& operator=(const PacketCache&) = delete;
  ~PacketCache() {
    flush_freed();
    pool_->free(std::span{fresh_}.first(fresh_count_));
  }

  // False when the pool is dry; otherwise the next allocate() succeeds.
  bool can_allocate() {
    if (fresh_count_ != 0) [[likely]]
      return true;
    refill();
    free_sixteenths_ = pool_->free_sixteenths();
    if (fresh_count_ != 0) return true;
    flush_freed();
    refill();
    return fresh_count_ != 0;
  }
  // False when the pool is dry.
  bool allocate(Packet& out) {
    if (!can_allocate()) return false;
    out = fresh_[--fresh_count_];
    return true;
  }
  // For packets that stay, in a send queue for example: false already when the pool is low, so that
  // what is queued leaves packets to send it with, and to receive its acknowledgements in. An
  // answer to text that is about to be taken, and whose packet comes back for it, may have more: or
  // a pool full of requests could answer none of them.
  bool can_keep() { return can_allocate() && (answers_ ? can_answer() : !is_low()); }
  void set_answering(bool on) { answers_ = on; }
  bool can_answer() { return free_sixteenths() >= 1; }
  // Text that arrives is to be refused, and not kept. Before answers are: they empty the queues.
  bool is_scarce() { return free_sixteenths() < 2; }
  bool is_low() { return free_sixteenths() < kLow; }
  bool allocate_to_keep(Packet& out) {
    text_is_sent_ = true;
    return can_keep() && allocate(out);
  }
  void free(const Packet& packet) {
    freed_[freed_count_++] = packet;
    if (freed_count_ == freed_.size()) flush_freed();
  }
  void flush_freed() {
    if (freed_count_ == 0) return;
    pool_->free(std::span{freed_}.first(freed_count_));
    freed_count_ = 0;
  }
  void share(const Packet& packet) { pool_->share(packet); }
  bool is_shared(const Packet& packet) const { return pool_->is_shared(packet); }
  std::size_t data_room() const { return pool_->data_room(); }

 private:
  static constexpr std::size_t kBulk = 32;
  static constexpr unsigned kLow = 4;

  // Cheap while it is not low: the pool is looked at with every refill, and again as long as it is.
  unsigned free_sixteenths() {
    if (free_sixteenths_ < kLow) [[unlikely]] {
      flush_freed();
      free_sixteenths_ = pool_->free_sixteenths();
    }
    return free_sixteenths_;
  }

  // The headers are written soon, over lines that may be another core's still; where text is sent,
  // also what stands before and behind them.
  void refill() {
    fresh_count_ = pool_->allocate(fresh_);
    const std::ptrdiff_t before = text_is_sent_ ? kPacketHeadroom : 0;
    const std::ptrdiff_t behind = text_is_sent_ ? 3 * kCacheLine : 2 * kCacheLine;
    for (const Packet& packet : std::span{fresh_}.first(fresh_count_)) {
      for (std::ptrdiff_t at = -before; at < behind; at += kCacheLine) {
        __builtin_prefetch(packet.data + at, 1);
      }
    }
    text_is_sent_ = false;
  }

  PacketPool* pool_;
  std::size_t fresh_count_ = 0;
  std::size_t freed_count_ = 0;
  bool answers_ = false;
  bool text_is_sent_ = false;  // since the last refill
  unsigned free_sixteenths_ = 16;  // at the last look, which is not older than `fresh_`
  std::array<Packet, kBulk> fresh_{};
  std::array<Packet, kBulk> freed_{};
};

}  // namespace handfast::base
