// EthdevPort: a DPDK port set up and running, with a queue pair for each of its workers. Opened and
// closed by the runtime on one thread, before its workers start and after they end; EAL is up
// before, and the pools live longer.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/ethdev/ethdev_pool.hpp"
#include "drivers/ethdev/ethdev_queue.hpp"
#include "handfast/config.hpp"

namespace handfast::drivers {

struct PortOptions {
  std::uint16_t rx_descriptors = 1024;  // a port's driver may lower these
  std::uint16_t tx_descriptors = 1024;
  std::uint16_t mtu = 1500;  // bytes of IP packet
  // Each used only where the port has it.
  bool rx_checksum_offload = true;
  bool tx_checksum_offload = true;
  bool multi_segment = true;  // frames to send in several packets
  // Needs the two above. With `on` a port that has it not does not open.
  Offload tso = Offload::automatic;
  bool ipv6 = false;  // what is to be cut may be of IPv6, which not every port that has TSO cuts
  bool rss = true;
  bool promiscuous = false;  // frames to any address, where the port can tell them apart
};

class EthdevPort {
 public:
  // Called when the port closes, after its last queue was stopped.
  using OnClosed = std::move_only_function<void()>;

  EthdevPort(std::uint16_t id, std::vector<std::unique_ptr<EthdevQueue>> queues, OnClosed on_closed)
      : id_(id), queues_(std::move(queues)), on_closed_(std::move(on_closed)) {}
  EthdevPort(const EthdevPort&) = delete;
  EthdevPort& operator=(const EthdevPort&) = delete;
  ~EthdevPort();

  std::uint16_t id() const { return id_; }
  std::size_t queue_count() const { return queues_.size(); }
  EthdevQueue& queue(std::size_t index) { return *queues_[index]; }

 private:
  std::uint16_t id_;
  std::vector<std::unique_ptr<EthdevQueue>> queues_;
  OnClosed on_closed_;
};

// Sets up and starts the port that EAL knows as `name` (or by its number), with one queue pair for
// each of `pools`. The error names the port, what it lacks, and what EAL has instead.
std::expected<std::unique_ptr<EthdevPort>, std::string> open_port(
    std::string_view name, const PortOptions& options, std::span<EthdevPool* const> pools);

// Names of all ports of EAL, joined by ", "; "no port at all" without any.
std::string port_names();

}  // namespace handfast::drivers
