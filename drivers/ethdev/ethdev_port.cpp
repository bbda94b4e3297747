#include "drivers/ethdev/ethdev_port.hpp"

#include <fmt/format.h>
#include <rte_ethdev.h>

#include <charconv>
#include <optional>

#include "drivers/ethdev/port_setup.hpp"

namespace handfast::drivers {
namespace {

std::optional<std::uint16_t> find_port(std::string_view name) {
  std::uint16_t id = 0;
  if (rte_eth_dev_get_port_by_name(std::string(name).c_str(), &id) == 0) return id;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  const bool is_number = error == std::errc{} && end == name.data() + name.size();
  if (is_number && rte_eth_dev_is_valid_port(id) != 0) return id;
  return std::nullopt;
}

}  // namespace

std::string port_names() {
  std::string names;
  for (std::uint16_t id = rte_eth_find_next(0); id < RTE_MAX_ETHPORTS;
       id = rte_eth_find_next(static_cast<std::uint16_t>(id + 1))) {
    char name[RTE_ETH_NAME_MAX_LEN];
    if (rte_eth_dev_get_name_by_port(id, name) != 0) continue;
    if (!names.empty()) names += ", ";
    names += name;
  }
  return names.empty() ? "no port at all" : names;
}

EthdevPort::~EthdevPort() {
  rte_eth_dev_stop(id_);
  rte_eth_dev_close(id_);
  if (on_closed_) on_closed_();
}

std::expected<std::unique_ptr<EthdevPort>, std::string> open_port(
    std::string_view name, const PortOptions& options, std::span<EthdevPool* const> pools) {
  const auto id = find_port(name);
  if (!id) {
    return std::unexpected(fmt::format("port {} does not exist; EAL has: {}", name, port_names()));
  }
  return start_port(*id, std::string(name), options, pools, nullptr, {});
}

}  // namespace handfast::drivers
