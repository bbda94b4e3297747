// The two ports that handfast-wire joins: EAL started for them, opened for all frames and without
// offloads, since a frame must be complete before it is corrupted, copied or measured.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "apps/wire/options.hpp"
#include "drivers/ethdev/ethdev_port.hpp"
#include "handfast/runtime.hpp"

namespace handfast::emulator {

struct OpenPort {
  std::unique_ptr<drivers::EthdevPool> pool;
  std::unique_ptr<drivers::EthdevPort> port;  // ends before its pool
};

struct Ports {
  OpenPort a;
  OpenPort b;
};

// Both ports as a runtime would be told of them, each with room for `held_max` frames on their way.
RuntimeConfig runtime_config(const Options& options, std::uint32_t held_max);

// Once a process. The error says which port does not open, and why.
std::expected<Ports, std::string> open_ports(const RuntimeConfig& config);

}  // namespace handfast::emulator
