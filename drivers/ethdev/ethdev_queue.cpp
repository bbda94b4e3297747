#include "drivers/ethdev/ethdev_queue.hpp"

#include <rte_ethdev.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "drivers/ethdev/large_frame.hpp"
#include "drivers/ethdev/mbuf_packet.hpp"
#include "wire/tcp_layout.hpp"

namespace handfast::drivers {
namespace {

// rte_mbuf_core.h: NONE means that the checksum field itself is not right, but the device vouches
// for the data. virtio says so of frames that never left the host, so verifying those would drop
// them.
std::uint8_t checksum_flags(std::uint64_t ol_flags) {
  std::uint8_t flags = 0;
  const auto ip = ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
  if (ip == RTE_MBUF_F_RX_IP_CKSUM_GOOD || ip == RTE_MBUF_F_RX_IP_CKSUM_NONE) {
    flags |= base::kIpChecksumGood;
  } else if (ip == RTE_MBUF_F_RX_IP_CKSUM_BAD) {
    flags |= base::kIpChecksumBad;
  }
  const auto l4 = ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
  if (l4 == RTE_MBUF_F_RX_L4_CKSUM_GOOD || l4 == RTE_MBUF_F_RX_L4_CKSUM_NONE) {
    flags |= base::kL4ChecksumGood;
  } else if (l4 == RTE_MBUF_F_RX_L4_CKSUM_BAD) {
    flags |= base::kL4ChecksumBad;
  }
  return flags;
}

// The header lengths are the frame's own. A frame without TCP in it asks for nothing that is done.
void request_offload(rte_mbuf* mbuf, const base::Packet& packet) {
  const auto layout = wire::tcp_layout_of(packet.bytes());
  if (!layout) return;
  mbuf->ol_flags |= layout->is_v4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
  if ((packet.flags & base::kOffloadIpChecksum) != 0) mbuf->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
  if ((packet.flags & base::kOffloadL4Checksum) != 0) mbuf->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM;
  if (packet.segment_size != 0) mbuf->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
  mbuf->tx_offload = rte_mbuf_tx_offload(layout->link_length, layout->ip_length, layout->tcp_length,
                                         packet.segment_size, 0, 0, 0);
}

// Everything a driver reads of a segment; the record's second cache line only where something is
// there to be wiped. A segment that had others behind it, and was shared, has them still: whoever
// drops one of several references leaves `next` as it is. We write nb_segs of every segment of a
// chain, not just of the first, so that the first line tells.
rte_mbuf* prepare_segment(const base::Packet& packet) {
  constexpr std::uint64_t kLayout = RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
  rte_mbuf* const mbuf = mbuf_of(packet);
  // From the record, not by buffer_start(): a received buffer may lie elsewhere.
  mbuf->data_off =
      static_cast<std::uint16_t>(packet.data - static_cast<std::byte*>(mbuf->buf_addr));
  mbuf->pkt_len = packet.length;
  mbuf->data_len = static_cast<std::uint16_t>(packet.length);
  mbuf->ol_flags &= kLayout;  // a reused buffer's receive flags must not leave
  if (mbuf->nb_segs != 1) [[unlikely]] {
    mbuf->nb_segs = 1;
    mbuf->next = nullptr;
  }
  return mbuf;
}

// The packets of the frame that begins at `frames[0]`, linked. Returns how many they are.
std::size_t prepare_chain(std::span<const base::Packet> frames, rte_mbuf* first) {
  rte_mbuf* last = first;
  std::size_t count = 1;
  do {
    rte_mbuf* const next = prepare_segment(frames[count]);
    first->pkt_len += next->data_len;
    last->next = next;
    last = next;
  } while ((frames[count++].flags & base::kContinues) != 0);
  auto left = static_cast<std::uint16_t>(count);
  for (rte_mbuf* mbuf = first; mbuf != nullptr; mbuf = mbuf->next) mbuf->nb_segs = left--;
  return count;
}

// The frame that begins at `frames[0]`; returns how many packets it takes.
std::size_t prepare(std::span<const base::Packet> frames, rte_mbuf*& out) {
  const base::Packet& packet = frames[0];
  out = prepare_segment(packet);
  if ((packet.flags & (base::kOffloadIpChecksum | base::kOffloadL4Checksum)) != 0) {
    request_offload(out, packet);
  }
  return (packet.flags & base::kContinues) == 0 ? 1 : prepare_chain(frames, out);
}

// A received mbuf as one segment that nobody else holds; null when that cannot be had, and then it
// is freed.
rte_mbuf* make_plain(rte_mbuf* mbuf, EthdevPool& pool) {
  rte_mbuf* own = mbuf;
  if (rte_mbuf_refcnt_read(mbuf) != 1) {
    own = rte_pktmbuf_copy(mbuf, pool.mempool(), 0, UINT32_MAX);
  }
  if (own != nullptr && own->nb_segs != 1 && rte_pktmbuf_linearize(own) != 0) {
    if (own != mbuf) rte_pktmbuf_free(own);
    own = nullptr;
  }
  if (own != mbuf) rte_pktmbuf_free(mbuf);
  return own;
}

}  // namespace

base::Packet EthdevQueue::packet_of(rte_mbuf* mbuf) const {
  return {.data = static_cast<std::byte*>(mbuf->buf_addr) + mbuf->data_off,
          .buffer = mbuf,
          .length = mbuf->data_len,
          .flags = traits_.trust_checksums ? checksum_flags(mbuf->ol_flags) : std::uint8_t{0}};
}

std::size_t EthdevQueue::receive(Instant, std::span<base::Packet> out) {
  if (traits_.receives_large) return receive_large(out);
  std::array<rte_mbuf*, kBurst> mbufs;
  const auto wanted = static_cast<std::uint16_t>(std::min(out.size(), kBurst));
  const std::uint16_t count = rte_eth_rx_burst(port_, queue_, mbufs.data(), wanted);
  for (std::uint16_t i = 0; i < count; ++i) rte_prefetch0(mbufs[i]);

  std::size_t filled = 0;
  for (std::uint16_t i = 0; i < count; ++i) {
    rte_mbuf* mbuf = mbufs[i];
    if (mbuf->nb_segs != 1 || rte_mbuf_refcnt_read(mbuf) != 1) [[unlikely]] {
      mbuf = make_plain(mbuf, *pool_);
      if (mbuf == nullptr) {
        ++too_long_;
        continue;
      }
    }
    const base::Packet packet = packet_of(mbuf);
    // Headers with options reach into a second line, and a short text into a third.
    rte_prefetch0(packet.data);
    rte_prefetch0(packet.data + RTE_CACHE_LINE_SIZE);
    rte_prefetch0(packet.data + std::min<std::size_t>(packet.length, 2 * RTE_CACHE_LINE_SIZE));
    out[filled++] = packet;
  }
  return filled;
}

std::size_t EthdevQueue::receive_large(std::span<base::Packet> out) {
  std::size_t filled = hand_out(out);
  while (filled < out.size()) {
    std::array<rte_mbuf*, kLargeAtOnce> mbufs;
    const std::uint16_t count = rte_eth_rx_burst(port_, queue_, mbufs.data(), kLargeAtOnce);
    if (count == 0) break;
    for (std::uint16_t i = 0; i < count; ++i) take_large(mbufs[i]);
    filled += hand_out(out.subspan(filled));
  }
  return filled;
}

std::size_t EthdevQueue::hand_out(std::span<base::Packet> out) {
  const std::size_t count = std::min(out.size(), waiting_.size() - waiting_first_);
  std::copy_n(waiting_.begin() + static_cast<std::ptrdiff_t>(waiting_first_), count, out.begin());
  waiting_first_ += count;
  if (waiting_first_ == waiting_.size()) {
    waiting_.clear();
    waiting_first_ = 0;
  }
  return count;
}

// A frame that fits no buffer becomes several, copied: received text has its headers before it.
void EthdevQueue::take_large(rte_mbuf* mbuf) {
  if (mbuf->nb_segs == 1 && rte_mbuf_refcnt_read(mbuf) == 1) {
    waiting_.push_back(packet_of(mbuf));
    return;
  }
  std::array<base::Packet, kSegmentsMax> parts;
  std::size_t count = 0;
  if (mbuf->nb_segs <= parts.size()) {
    for (rte_mbuf* at = mbuf; at != nullptr; at = at->next) parts[count++] = packet_of(at);
  }
  const bool is_good = count != 0 && (parts[0].flags & base::kL4ChecksumGood) != 0;
  if (is_good && mbuf->pkt_len > pool_->data_room()) {
    parts[0].flags |= base::kIpChecksumGood;
    cut(std::span{parts}.first(count));
    rte_pktmbuf_free(mbuf);
  } else if (rte_mbuf* const plain = make_plain(mbuf, *pool_); plain != nullptr) {
    waiting_.push_back(packet_of(plain));
  } else {
    ++too_long_;
  }
}

void EthdevQueue::cut(std::span<const base::Packet> parts) {
  auto large = LargeFrame::create(parts, info_.mtu);
  if (!large) {
    ++too_long_;
    return;
  }
  while (!large->is_done()) {
    base::Packet fresh;
    if (waiting_.size() == waiting_.capacity() || pool_->allocate({&fresh, 1}) == 0) {
      ++too_long_;
      return;
    }
    large->next(fresh);
    fresh.flags = parts.front().flags;
    waiting_.push_back(fresh);
  }
}

void EthdevQueue::add_counters(Counters& out) const {
  out.port_too_long += too_long_.value();
  out.port_refused += refused_.value();
  rte_eth_stats stats{};
  if (queue_ != 0 || rte_eth_stats_get(port_, &stats) != 0) return;
  out.port_missed += stats.imissed + stats.rx_nombuf;
}

// Frames on their way into one rte_eth_tx_burst.
struct EthdevQueue::Burst {
  std::array<rte_mbuf*, kBurst> mbufs;
  std::array<std::size_t, kBurst> ends;        // packets up to and with each frame
  std::array<const base::Packet*, kBurst> of;  // which packet a copy stands for
  std::uint64_t copies = 0;                    // a bit for each frame that is a copy
  std::uint16_t count = 0;
};

std::size_t EthdevQueue::send(Instant, std::span<const base::Packet> frames) {
  std::size_t sent = 0;
  while (sent < frames.size()) {
    Burst burst;
    const bool is_complete = gather(frames.subspan(sent), burst);
    const std::uint16_t taken =
        burst.count == 0 ? std::uint16_t{0} : send_burst(burst.mbufs.data(), burst.count);
    if (burst.copies != 0) settle_copies(burst, taken);
    if (taken != 0) sent += burst.ends[taken - 1U];
    if (taken < burst.count || !is_complete) break;
  }
  return sent;
}

// False when no buffer was left for a copy: what is in `burst` may go, the rest waits.
bool EthdevQueue::gather(std::span<const base::Packet> frames, Burst& burst) {
  std::size_t at = 0;
  while (burst.count < kBurst && at < frames.size()) {
    rte_mbuf*& mbuf = burst.mbufs[burst.count];
    if (traits_.passes_buffers && pool_->is_shared(frames[at])) {
      if (!replace_by_copy(frames[at], mbuf)) return false;
      burst.copies |= std::uint64_t{1} << burst.count;
      burst.of[burst.count] = &frames[at];
      ++at;
    } else {
      at += prepare(frames.subspan(at), mbuf);
    }
    burst.ends[burst.count++] = at;
  }
  return true;
}

// The shared mbuf itself is not written to: its other owner may be sending it elsewhere.
bool EthdevQueue::replace_by_copy(const base::Packet& packet, rte_mbuf*& mbuf) {
  base::Packet fresh;
  if (pool_->allocate({&fresh, 1}) == 0) return false;
  HANDFAST_ASSERT(packet.length <= pool_->data_room());
  std::memcpy(fresh.data, packet.data, packet.length);
  fresh.length = packet.length;
  mbuf = prepare_segment(fresh);
  return true;
}

// The frames behind the first `taken` are the caller's still: their copies go, and they are copied
// anew next time.
void EthdevQueue::settle_copies(const Burst& burst, std::size_t taken) {
  for (std::size_t i = 0; i < burst.count; ++i) {
    if ((burst.copies >> i & 1) == 0) continue;
    rte_pktmbuf_free_seg(i < taken ? mbuf_of(*burst.of[i]) : burst.mbufs[i]);
  }
}

std::uint16_t EthdevQueue::send_burst(rte_mbuf** mbufs, std::uint16_t count) {
  if (!info_.offload_ip_checksum && !info_.offload_tcp_checksum) {
    return rte_eth_tx_burst(port_, queue_, mbufs, count);
  }
  const std::uint16_t ready = rte_eth_tx_prepare(port_, queue_, mbufs, count);
  if (ready == 0) [[unlikely]] {
    // It would be refused for ever: drop it, so that those behind it get through.
    rte_pktmbuf_free(mbufs[0]);
    ++refused_;
    return 1;
  }
  return rte_eth_tx_burst(port_, queue_, mbufs, ready);
}

}  // namespace handfast::drivers
