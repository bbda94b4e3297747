// Configures and starts one port of EAL by its number: what open_port() and open_ring_pair() share.
// Only for this folder.
#pragma once

#include "drivers/ethdev/ethdev_port.hpp"

namespace handfast::drivers {

// `mac`: the address to go by; nothing means the port's own. `on_closed` is called on failure too.
std::expected<std::unique_ptr<EthdevPort>, std::string> start_port(
    std::uint16_t id, const std::string& name, const PortOptions& options,
    std::span<EthdevPool* const> pools, const base::MacAddress* mac,
    EthdevPort::OnClosed on_closed);

}  // namespace handfast::drivers
