#include "drivers/ethdev/port_setup.hpp"

#include <fmt/format.h>
#include <rte_ethdev.h>

#include <algorithm>

namespace handfast::drivers {
namespace {

constexpr std::uint64_t kRxChecksums = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
constexpr std::uint64_t kTxChecksums = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
constexpr std::uint64_t kTso = RTE_ETH_TX_OFFLOAD_TCP_TSO;
constexpr std::uint64_t kMultiSegment = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
constexpr std::uint32_t kIpPacketMax = 65'535;
constexpr auto kAnySocket = static_cast<unsigned>(SOCKET_ID_ANY);
constexpr std::uint64_t kRssFields = RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV6_TCP;

using Status = std::expected<void, std::string>;

// One port on its way from "probed" to "started"; each step needs the one before it.
class Setup {
 public:
  Setup(std::uint16_t id, const std::string& name, const PortOptions& options,
        std::span<EthdevPool* const> pools)
      : id_(id), name_(name), options_(options), pools_(pools) {}

  Status run() {
    Status status = inquire();
    if (status) status = configure();
    if (status) status = set_up_queues();
    if (status) status = start();
    return status;
  }
  base::DeviceInfo device_info(const base::MacAddress* mac) const;
  QueueTraits queue_traits() const {
    return {.trust_checksums = (rx_offloads_ & kRxChecksums) != 0,
            .passes_buffers = passes_buffers(),
            .receives_large = is_driver("net_vhost")};
  }

 private:
  Status inquire();
  void choose_offloads();
  Status choose_tso();
  Status configure();
  Status set_up_queues();
  Status start();
  bool is_driver(std::string_view name) const { return dev_.driver_name == name; }
  // Its frames stay in the sender's buffers, which the receiver then owns.
  bool passes_buffers() const { return is_driver("net_ring"); }
  // With DPDK's GSO library, which knows only IPv4 and lets the rest through uncut.
  bool cuts_in_software() const { return is_driver("net_tap"); }
  bool can_cut_all() const { return !cuts_in_software() || !options_.ipv6; }
  std::uint16_t queue_count() const { return static_cast<std::uint16_t>(pools_.size()); }
  Status failed(const char* what, int code) const {
    return std::unexpected(fmt::format("port {}: {}: {}", name_, what, rte_strerror(-code)));
  }

  // net_tap counts the Ethernet header, and a VLAN's tag, of what it cuts against the MTU.
  std::uint16_t mtu() const {
    constexpr unsigned kLinkBytes = RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN;
    const bool is_shorter = cuts_in_software() && (tx_offloads_ & kTso) != 0;
    return static_cast<std::uint16_t>(options_.mtu - (is_shorter ? kLinkBytes : 0));
  }

  std::uint16_t id_;
  const std::string& name_;
  const PortOptions& options_;
  std::span<EthdevPool* const> pools_;
  rte_eth_dev_info dev_{};
  std::uint64_t rx_offloads_ = 0;
  std::uint64_t tx_offloads_ = 0;
  std::uint16_t rx_descriptors_ = 0;
  std::uint16_t tx_descriptors_ = 0;
};

Status Setup::inquire() {
  if (const int code = rte_eth_dev_info_get(id_, &dev_); code != 0) {
    return failed("it does not describe itself", code);
  }
  const unsigned queues_max = std::min(dev_.max_rx_queues, dev_.max_tx_queues);
  if (queue_count() > queues_max) {
    return std::unexpected(
        fmt::format("port {} has {} queues, {} workers need one each; use at most {}", name_,
                    queues_max, queue_count(), queues_max));
  }
  if (dev_.max_mtu != 0 && options_.mtu > dev_.max_mtu) {
    return std::unexpected(fmt::format("port {}: an MTU of {} is more than its {}", name_,
                                       options_.mtu, dev_.max_mtu));
  }
  choose_offloads();
  return choose_tso();
}

// RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE is never asked for: buffers are shared, and of several pools.
void Setup::choose_offloads() {
  if (options_.rx_checksum_offload) rx_offloads_ = dev_.rx_offload_capa & kRxChecksums;
  if (options_.tx_checksum_offload) tx_offloads_ = dev_.tx_offload_capa & kTxChecksums;
  if (options_.multi_segment && !passes_buffers()) {
    tx_offloads_ |= dev_.tx_offload_capa & kMultiSegment;
  }
}

Status Setup::choose_tso() {
  if (options_.tso == Offload::off) return {};
  constexpr std::uint64_t kNeeded = RTE_ETH_TX_OFFLOAD_TCP_CKSUM | kMultiSegment;
  const bool has_all = (tx_offloads_ & kNeeded) == kNeeded && (dev_.tx_offload_capa & kTso) != 0;
  if (has_all && (options_.tso == Offload::on ? can_cut_all() : !cuts_in_software())) {
    tx_offloads_ |= kTso;
  } else if (options_.tso == Offload::on) {
    return std::unexpected(
        fmt::format("port {} cannot cut segments (TSO){}; turn that off, or to automatic", name_,
                    has_all ? " of IPv6" : ""));
  }
  return {};
}

Status Setup::configure() {
  rte_eth_conf conf{};
  conf.rxmode.offloads = rx_offloads_;
  conf.txmode.offloads = tx_offloads_;
  // net_memif calls 1518 bytes its longest frame, and carries what its buffers (bsize=) hold.
  const bool tells_mtu = options_.mtu != RTE_ETHER_MTU && !is_driver("net_memif");
  if (tells_mtu) conf.rxmode.mtu = options_.mtu;
  const std::uint64_t rss_fields = dev_.flow_type_rss_offloads & kRssFields;
  if (options_.rss && queue_count() > 1 && rss_fields != 0) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf = rss_fields;
  }
  if (const int code = rte_eth_dev_configure(id_, queue_count(), queue_count(), &conf); code != 0) {
    return failed("it refuses its configuration", code);
  }
  if (tells_mtu) {
    const int code = rte_eth_dev_set_mtu(id_, options_.mtu);
    if (code != 0 && code != -ENOTSUP) return failed("it refuses its MTU", code);
  }
  rx_descriptors_ = options_.rx_descriptors;
  tx_descriptors_ = options_.tx_descriptors;
  if (const int code = rte_eth_dev_adjust_nb_rx_tx_desc(id_, &rx_descriptors_, &tx_descriptors_);
      code != 0) {
    return failed("it refuses its numbers of descriptors", code);
  }
  return {};
}

Status Setup::set_up_queues() {
  for (std::uint16_t q = 0; q < queue_count(); ++q) {
    EthdevPool& pool = *pools_[q];
    // A receive queue keeps a buffer for each descriptor, and net_tap takes them all at once.
    if (pool.size() < 2U * rx_descriptors_) {
      return std::unexpected(
          fmt::format("port {}: {} packets a worker are too few for {} receive descriptors; use at "
                      "least {}",
                      name_, pool.size(), rx_descriptors_, 2U * rx_descriptors_));
    }
    int code = rte_eth_rx_queue_setup(id_, q, rx_descriptors_, kAnySocket, nullptr, pool.mempool());
    if (code != 0) return failed("receive queue", code);
    code = rte_eth_tx_queue_setup(id_, q, tx_descriptors_, kAnySocket, nullptr);
    if (code != 0) return failed("send queue", code);
  }
  return {};
}

Status Setup::start() {
  if (const int code = rte_eth_dev_start(id_); code != 0) return failed("it does not start", code);
  if (options_.promiscuous) {
    // A port without addresses has none to ignore.
    const int code = rte_eth_promiscuous_enable(id_);
    if (code != 0 && code != -ENOTSUP) return failed("it cannot be promiscuous", code);
  }
  // Neighbour Discovery is multicast (RFC 2464 section 7).
  const int code = rte_eth_allmulticast_enable(id_);
  if (code != 0 && code != -ENOTSUP) return failed("it takes no multicast", code);
  return {};
}

base::DeviceInfo Setup::device_info(const base::MacAddress* mac) const {
  base::DeviceInfo info;
  info.mtu = mtu();
  info.offload_ip_checksum = (tx_offloads_ & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0;
  info.offload_tcp_checksum = (tx_offloads_ & RTE_ETH_TX_OFFLOAD_TCP_CKSUM) != 0;
  info.copies_shared = passes_buffers();
  if ((tx_offloads_ & kTso) != 0) info.tso_bytes_max = kIpPacketMax;
  if ((tx_offloads_ & kMultiSegment) != 0) {
    // A driver that knows no bound says 65,535, or nothing.
    constexpr std::uint16_t kPacketsMax = base::kFramePacketsMax;
    const std::uint16_t packets_max = dev_.tx_desc_lim.nb_seg_max;
    info.frame_packets_max = packets_max == 0 ? kPacketsMax : std::min(packets_max, kPacketsMax);
  }
  if (mac != nullptr) {
    info.mac = *mac;
    return info;
  }
  rte_ether_addr address{};
  if (rte_eth_macaddr_get(id_, &address) == 0) {
    std::copy_n(address.addr_bytes, info.mac.size(), info.mac.begin());
  }
  if (info.mac == base::MacAddress{}) {
    // Some virtual ports have none: a locally administered one, different for each port.
    info.mac = {0x02, 0x48, 0x46, 0, 0x10, static_cast<std::uint8_t>(id_)};
  }
  return info;
}

}  // namespace

std::expected<std::unique_ptr<EthdevPort>, std::string> start_port(
    std::uint16_t id, const std::string& name, const PortOptions& options,
    std::span<EthdevPool* const> pools, const base::MacAddress* mac,
    EthdevPort::OnClosed on_closed) {
  Setup setup(id, name, options, pools);
  const auto status = setup.run();
  std::vector<std::unique_ptr<EthdevQueue>> queues;
  if (status) {
    const auto info = setup.device_info(mac);
    for (std::uint16_t q = 0; q < pools.size(); ++q) {
      queues.push_back(std::make_unique<EthdevQueue>(id, q, info, setup.queue_traits(), *pools[q]));
    }
  }
  // Also after a failure: its destructor gives the port back.
  auto port = std::make_unique<EthdevPort>(id, std::move(queues), std::move(on_closed));
  if (!status) return std::unexpected(status.error());
  return port;
}

}  // namespace handfast::drivers
