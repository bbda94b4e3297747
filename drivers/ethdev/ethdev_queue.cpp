#include "drivers/ethdev/ethdev_queue.hpp"

#include <rte_ethdev.h>

#include <algorithm>
#include <array>

#include "drivers/ethdev/mbuf_packet.hpp"

namespace handfast::drivers {
namespace {

constexpr std::size_t kBurst = 64;

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

void request_offload(rte_mbuf* mbuf, const base::Packet& packet) {
  // The version is the high half of the IP header's first byte.
  const bool is_v4 = std::to_integer<unsigned>(packet.data[packet.l2_length]) >> 4 == 4;
  mbuf->ol_flags |= is_v4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
  if ((packet.flags & base::kOffloadIpChecksum) != 0) mbuf->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
  if ((packet.flags & base::kOffloadL4Checksum) != 0) mbuf->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM;
  mbuf->tx_offload =
      rte_mbuf_tx_offload(packet.l2_length, packet.l3_length, packet.l4_length, 0, 0, 0, 0);
}

// Everything a driver reads of a frame to send; the record's second cache line only for an offload.
rte_mbuf* prepare(const base::Packet& packet) {
  constexpr std::uint64_t kLayout = RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
  rte_mbuf* const mbuf = mbuf_of(packet);
  // From the record, not by buffer_start(): a received buffer may lie elsewhere.
  mbuf->data_off =
      static_cast<std::uint16_t>(packet.data - static_cast<std::byte*>(mbuf->buf_addr));
  mbuf->pkt_len = packet.length;
  mbuf->data_len = static_cast<std::uint16_t>(packet.length);
  mbuf->ol_flags &= kLayout;  // a reused buffer's receive flags must not leave
  if ((packet.flags & (base::kOffloadIpChecksum | base::kOffloadL4Checksum)) != 0) {
    request_offload(mbuf, packet);
  }
  return mbuf;
}

}  // namespace

std::size_t EthdevQueue::receive(Instant, std::span<base::Packet> out) {
  std::array<rte_mbuf*, kBurst> mbufs;
  const auto wanted = static_cast<std::uint16_t>(std::min(out.size(), kBurst));
  const std::uint16_t count = rte_eth_rx_burst(port_, queue_, mbufs.data(), wanted);
  for (std::uint16_t i = 0; i < count; ++i) rte_prefetch0(mbufs[i]);

  std::size_t filled = 0;
  for (std::uint16_t i = 0; i < count; ++i) {
    rte_mbuf* const mbuf = mbufs[i];
    if (mbuf->nb_segs != 1 && rte_pktmbuf_linearize(mbuf) != 0) [[unlikely]] {
      rte_pktmbuf_free(mbuf);
      ++too_long_;
      continue;
    }
    auto* const data = static_cast<std::byte*>(mbuf->buf_addr) + mbuf->data_off;
    rte_prefetch0(data);
    out[filled++] = {.data = data,
                     .buffer = mbuf,
                     .length = mbuf->data_len,
                     .flags = trust_checksums_ ? checksum_flags(mbuf->ol_flags) : std::uint8_t{0}};
  }
  return filled;
}

std::size_t EthdevQueue::send(Instant, std::span<const base::Packet> frames) {
  std::array<rte_mbuf*, kBurst> mbufs;
  std::size_t sent = 0;
  while (sent < frames.size()) {
    const std::size_t count = std::min(frames.size() - sent, kBurst);
    for (std::size_t i = 0; i < count; ++i) mbufs[i] = prepare(frames[sent + i]);
    const std::uint16_t taken = send_burst(mbufs.data(), static_cast<std::uint16_t>(count));
    sent += taken;
    if (taken < count) break;
  }
  return sent;
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
