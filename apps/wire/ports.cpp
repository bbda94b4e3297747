#include "apps/wire/ports.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/eal.hpp"
#include "runtime/log_capture.hpp"
#include "runtime/settings.hpp"

namespace handfast::emulator {
namespace {

// The queues of a port, a driver's own stock and what is between the two.
constexpr std::uint32_t kPacketsBeside = 8192;

// Whether the argument is of this very port: net_memif10 is none of net_memif1.
bool names(const std::string& argument, const std::string& port) {
  const std::size_t at = argument.find(port);
  if (at == std::string::npos) return false;
  const std::size_t behind = at + port.size();
  return behind == argument.size() || argument[behind] == ',';
}

// What makes the port, unless the user's own arguments do already.
void add_port_argument(const PortName& port, std::vector<std::string>& eal) {
  const bool is_named = std::ranges::any_of(
      eal, [&](const std::string& argument) { return names(argument, port.name); });
  if (is_named) return;
  const std::string& argument = port.arguments.empty() ? port.name : port.arguments;
  eal.push_back((port.is_pci() ? "--allow=" : "--vdev=") + argument);
}

std::expected<OpenPort, std::string> open(const RuntimeConfig& config, const PortConfig& port,
                                          const std::string& pool_name) {
  OpenPort open;
  auto pool = drivers::EthdevPool::create(pool_name, runtime::pool_options(config, port));
  if (!pool) return std::unexpected(std::move(pool.error()));
  open.pool = std::move(*pool);
  const drivers::PortOptions options{.mtu = port.stack.interface.mtu,
                                     .rx_checksum_offload = false,
                                     .tx_checksum_offload = false,
                                     .rss = false,
                                     .promiscuous = true};
  drivers::EthdevPool* const pools[] = {open.pool.get()};
  const runtime::LogCapture log;
  auto opened = drivers::open_port(port.device, options, pools);
  if (!opened) {
    // A device that EAL could not make is no error to it, and said so when EAL started.
    auto complaint = runtime::first_complaint(log.text());
    if (complaint.empty()) complaint = runtime::eal_complaint();
    return std::unexpected(complaint.empty() ? opened.error()
                                             : fmt::format("{} ({})", opened.error(), complaint));
  }
  open.port = std::move(*opened);
  return open;
}

}  // namespace

RuntimeConfig runtime_config(const Options& options, std::uint32_t held_max) {
  RuntimeConfig config;
  config.eal = options.eal;
  for (const PortName* const port : {&options.a, &options.b}) {
    add_port_argument(*port, config.eal);
    PortConfig& made = config.ports.emplace_back();
    made.device = port->name;
    made.stack.interface.mtu = options.mtu;
  }
  config.packets_per_worker = held_max + kPacketsBeside;
  config.huge_pages = options.huge_pages;
  return config;
}

std::expected<Ports, std::string> open_ports(const RuntimeConfig& config) {
  if (auto ok = runtime::start_eal(runtime::eal_request(config)); !ok) {
    return std::unexpected(std::move(ok.error()));
  }
  auto a = open(config, config.ports[0], "handfast_wire_a");
  if (!a) return std::unexpected(std::move(a.error()));
  auto b = open(config, config.ports[1], "handfast_wire_b");
  if (!b) return std::unexpected(std::move(b.error()));
  return Ports{std::move(*a), std::move(*b)};
}

}  // namespace handfast::emulator
