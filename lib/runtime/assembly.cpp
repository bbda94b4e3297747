#include "runtime/assembly.hpp"

#include <fmt/format.h>

#include <atomic>
#include <chrono>

#include "drivers/ethdev/ring_pair.hpp"
#include "runtime/eal.hpp"
#include "runtime/log_capture.hpp"
#include "runtime/settings.hpp"

namespace handfast::runtime {
namespace {

using Status = std::expected<void, std::string>;

std::vector<drivers::EthdevPool*> pointers_to(
    const std::vector<std::unique_ptr<drivers::EthdevPool>>& pools) {
  std::vector<drivers::EthdevPool*> pointers;
  for (const auto& pool : pools) pointers.push_back(pool.get());
  return pointers;
}

// Why a port does not open is in what DPDK logged: just now, or, for a device that EAL could not
// make and leaves out without an error, while EAL started.
std::string with_complaint(std::string error, const LogCapture& log) {
  auto complaint = first_complaint(log.text());
  if (complaint.empty()) complaint = eal_complaint();
  return complaint.empty() ? error : fmt::format("{} ({})", error, complaint);
}

std::int64_t wall_clock_ns() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

Assembly::~Assembly() {
  for (const auto& exchange : exchanges_) exchange->discard(*pools_.front().front());
}

Status Assembly::build(const RuntimeConfig& config, const TscClock& clock) {
  Status status = make_pools(config);
  if (status) status = open_capture(config, clock);
  if (status) status = open_ports(config);
  if (status) make_devices(config);
  return status;
}

ExchangePlace* Assembly::exchange(std::size_t port, unsigned queue) {
  return pools_[port].size() > 1 ? &exchanges_[port]->place(queue) : nullptr;
}

Status Assembly::make_pools(const RuntimeConfig& config) {
  static std::atomic<unsigned> made{0};
  for (const auto& port : config.ports) {
    auto& pools = pools_.emplace_back();
    for (unsigned queue = 0; queue < port.workers; ++queue) {
      auto pool = drivers::EthdevPool::create(fmt::format("handfast_{}", made++),
                                              pool_options(config, port));
      if (!pool) return std::unexpected(std::move(pool.error()));
      pools.push_back(std::move(*pool));
    }
  }
  return {};
}

Status Assembly::open_ports(const RuntimeConfig& config) {
  const LogCapture log;
  if (config.embedded) {
    const auto mtu =
        std::max(config.ports[0].stack.interface.mtu, config.ports[1].stack.interface.mtu);
    auto pair =
        drivers::open_ring_pair({.mtu = mtu}, pointers_to(pools_[0]), pointers_to(pools_[1]));
    if (!pair) return std::unexpected(with_complaint(std::move(pair.error()), log));
    ports_.push_back(std::move(pair->first));
    ports_.push_back(std::move(pair->second));
    return {};
  }
  for (std::size_t i = 0; i < config.ports.size(); ++i) {
    auto port = drivers::open_port(config.ports[i].device, port_options(config.ports[i]),
                                   pointers_to(pools_[i]));
    if (!port) return std::unexpected(with_complaint(std::move(port.error()), log));
    ports_.push_back(std::move(*port));
  }
  return {};
}

Status Assembly::open_capture(const RuntimeConfig& config, const TscClock& clock) {
  if (config.pcap_file.empty()) return {};
  auto file = drivers::CaptureFile::create(config.pcap_file, config.pcap_frames_max,
                                           wall_clock_ns() - clock.now().ns());
  if (!file) return std::unexpected(std::move(file.error()));
  capture_file_ = std::move(*file);
  return {};
}

void Assembly::make_devices(const RuntimeConfig& config) {
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    exchanges_.push_back(std::make_unique<PortExchange>(config.ports[i].workers));
    // A frame that leaves one end of the embedded pair arrives at the other: one end has all.
    const bool captured = capture_file_ != nullptr && (i == 0 || !config.embedded);
    for (std::size_t queue = 0; queue < ports_[i]->queue_count(); ++queue) {
      base::Device* device = &ports_[i]->queue(queue);
      if (captured) {
        device =
            captures_.emplace_back(std::make_unique<drivers::CaptureDevice>(*device, capture_file_))
                .get();
      }
      devices_.push_back(device);
    }
  }
}

}  // namespace handfast::runtime
