#include "runtime/settings.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace handfast::runtime {
namespace {

using Status = std::expected<void, std::string>;

constexpr std::uint32_t kPacketsMin = 256;
constexpr std::uint32_t kPacketsMax = 1 << 24;

Status check_port(const RuntimeConfig& config, const PortConfig& port, std::size_t index) {
  if (port.workers == 0) {
    return std::unexpected(fmt::format("port {} has no worker; it needs at least 1", index));
  }
  if (config.embedded && !port.device.empty()) {
    return std::unexpected(
        fmt::format("port {} names the device {}, but the embedded pair has devices of its own",
                    index, port.device));
  }
  if (config.embedded && port.tso == Offload::on) {
    return std::unexpected("the embedded pair cannot cut segments (TSO)");
  }
  if (!config.embedded && port.device.empty()) {
    return std::unexpected(fmt::format("port {} names no device", index));
  }
  return port.stack.check();
}

Status check_cores(const RuntimeConfig& config, std::span<const unsigned> allowed_cpus) {
  for (const unsigned core : config.cores) {
    if (std::ranges::find(allowed_cpus, core) == allowed_cpus.end()) {
      return std::unexpected(fmt::format("CPU {} is not one of those this process may use: {}",
                                         core, fmt::join(allowed_cpus, ", ")));
    }
  }
  return {};
}

// PCI devices are named by their address: 0000:00:04.0.
bool is_pci_name(const std::string& device) {
  return device.contains(':');
}

}  // namespace

unsigned worker_count(const RuntimeConfig& config) {
  unsigned count = 0;
  for (const auto& port : config.ports) count += port.workers;
  return count;
}

Status check_settings(const RuntimeConfig& config, std::span<const unsigned> allowed_cpus) {
  if (config.ports.empty()) return std::unexpected("no port is configured; at least 1 is needed");
  if (config.embedded && config.ports.size() != 2) {
    return std::unexpected(
        fmt::format("the embedded pair needs 2 ports, {} are configured", config.ports.size()));
  }
  std::set<std::string> devices;
  for (std::size_t i = 0; i < config.ports.size(); ++i) {
    const auto& port = config.ports[i];
    if (auto status = check_port(config, port, i); !status) return status;
    if (!port.device.empty() && !devices.insert(port.device).second) {
      return std::unexpected(fmt::format("the device {} is configured twice", port.device));
    }
  }
  if (const unsigned workers = worker_count(config); workers > kWorkersMax) {
    return std::unexpected(
        fmt::format("{} workers are too many; use at most {}", workers, kWorkersMax));
  }
  if (config.embedded && config.ports[0].workers != config.ports[1].workers) {
    return std::unexpected(
        fmt::format("the embedded pair needs equally many workers at both ends, not {} and {}",
                    config.ports[0].workers, config.ports[1].workers));
  }
  if (config.packets_per_worker < kPacketsMin || config.packets_per_worker > kPacketsMax) {
    return std::unexpected(fmt::format("{} packets a worker; use {} to {}",
                                       config.packets_per_worker, kPacketsMin, kPacketsMax));
  }
  return check_cores(config, allowed_cpus);
}

std::vector<unsigned> assign_cpus(const RuntimeConfig& config,
                                  std::span<const unsigned> allowed_cpus) {
  const std::span<const unsigned> cpus =
      config.cores.empty() ? allowed_cpus : std::span<const unsigned>(config.cores);
  std::vector<unsigned> assigned;
  for (unsigned i = 0; i < worker_count(config); ++i) assigned.push_back(cpus[i % cpus.size()]);
  return assigned;
}

drivers::PortOptions port_options(const PortConfig& port) {
  const auto& interface = port.stack.interface;
  const auto is_ipv6 = [](const Prefix& prefix) { return !prefix.network.is_v4(); };
  return {.mtu = interface.mtu,
          .tso = port.tso,
          .ipv6 = std::ranges::any_of(interface.addresses, is_ipv6) ||
                  std::ranges::any_of(interface.owned_ranges, is_ipv6)};
}

drivers::PoolOptions pool_options(const RuntimeConfig& config, const PortConfig& port) {
  constexpr unsigned kLinkBytes = 64;   // Ethernet header and VLAN tags, with room
  constexpr unsigned kRoomUnit = 1024;  // what NICs count receive buffers in
  const unsigned frame = port.stack.interface.mtu + kLinkBytes;
  const unsigned room = (frame + kRoomUnit - 1) / kRoomUnit * kRoomUnit;
  return {.packets = config.packets_per_worker,
          .data_room = static_cast<std::uint16_t>(std::max(room, 2 * kRoomUnit))};
}

EalRequest eal_request(const RuntimeConfig& config) {
  constexpr std::uint64_t kPerQueue = 1 << 20;  // rings and descriptors
  EalRequest request{.arguments = config.eal, .huge_pages = config.huge_pages};
  for (const auto& port : config.ports) {
    request.pci = request.pci || is_pci_name(port.device);
    request.memory_bytes +=
        port.workers * (drivers::pool_memory(pool_options(config, port)) + kPerQueue);
  }
  return request;
}

}  // namespace handfast::runtime
